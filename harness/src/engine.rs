//! The load engine: threads that begin journeys when they are due, whatever the system does.
//!
//! ```text
//! open    arrivals --due--> timer --idle user--+
//!                             |                +--> iteration --request--> connection
//!                          dropped             |        |
//! closed  users --begin again when done -------+      sample --> recorder --each second--> scribe
//! ```
//!
//! Each thread has a runtime, users, connections and a recorder of its own; arrival `i` and user
//! `i` belong to thread `i mod n`. Threads share nothing but counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use crate::clock::Clock;
use crate::data::Dealt;
use crate::plan::Plan;
use crate::scenario::EngineWritten;
use crate::scribe::Post;
use crate::secret::Secrets;
use crate::stop::Stop;
use crate::target::Endpoint;

mod user;
mod pool;
mod desk;
mod iteration;
mod open;
mod closed;
#[cfg(feature = "goose")]
mod by_goose;
mod worker;

pub use worker::Account;

/// What every load thread needs to know.
#[derive(Clone, Debug)]
pub struct Brief {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where the load goes.
    pub endpoint: Endpoint,
    /// The run's id.
    pub run: String,
    /// The values of the secrets.
    pub secrets: Arc<Secrets>,
    /// What has been dealt of the data, by all threads.
    pub dealt: Arc<Dealt>,
    /// The run's clock.
    pub clock: Clock,
    /// Where records go.
    pub post: Post,
    /// When to end early.
    pub stop: Stop,
}

/// Requests on their way, over all threads.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Vec<Arc<AtomicU64>>);

impl InFlight {
    /// How many there are now.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// The load threads at work.
#[derive(Debug)]
pub struct Engine {
    threads: Vec<JoinHandle<Account>>,
    in_flight: InFlight,
}

/// Load threads: half of the cores that we may use, so that the other half is left for a system on
/// the same machine; at least one.
#[must_use]
pub fn threads() -> usize {
    (cores() / 2).max(1)
}

/// Cores that we may use: those of the inherited affinity mask.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Engine {
    /// Starts the load.
    #[must_use]
    pub fn start(brief: &Brief) -> Self {
        // One process can hold one attack of goose.
        let count = if brief.plan.engine == EngineWritten::Goose { 1 } else { threads() };
        let count = count.min(brief.plan.most_threads());
        let counts: Vec<Arc<AtomicU64>> = (0..count).map(|_| Arc::default()).collect();
        let shared: Arc<[AtomicU64]> =
            brief.plan.profiles.iter().map(|_| AtomicU64::new(0)).collect();
        let threads = counts.iter().enumerate().map(|(place, in_flight)| {
            let (in_flight, shared) = (Arc::clone(in_flight), Arc::clone(&shared));
            let share = desk::Share { place, of: count, in_flight, shared };
            let brief = brief.clone();
            let thread = Builder::new().name(format!("load-{place}"));
            let thread = thread.spawn(move || worker::run(&brief, share));
            thread.expect("a process that has just started may have a few threads")
        });
        Self { threads: threads.collect(), in_flight: InFlight(counts.clone()) }
    }

    /// Whether a thread has ended; before the end of the load, that is one that could not go on.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// The count of requests on their way.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Waits for all threads; returns how many failures were too many to keep.
    #[must_use]
    pub fn finish(self) -> Account {
        let accounts = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        accounts.fold(Account::default(), Account::plus)
    }
}
