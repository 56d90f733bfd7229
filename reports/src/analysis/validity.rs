//! Whether the run itself was sound, second by second.
//!
//! A second is not valid when
//!
//! - a load thread's account of it is missing,
//! - journeys were dropped while a load thread used or waited for a core over 90 % of the time,
//! - requests could not be sent for want of ports or descriptors of our own,
//! - a load thread's event loop stood still for over 100 ms, or
//! - over 1 % of its sends were over 20 ms late.
//!
//! The busiest thread counts and not the mean: its users suffer, whatever the others do. Drops in
//! any other second are the system's doing: it held on to the users that should have come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::analysis::latency::Percentiles;
use crate::analysis::scope::Scope;
use crate::histogram::{DIGITS_SECOND, Histogram};
use crate::number;
use crate::record::Generator;
use crate::tables::Tables;

/// The share of late sends above which a second says more about us than about the system.
const LATE_SHARE_MAX: f64 = 0.01;

/// The share of a second above which a load thread that has or wants a core is short of it.
const BUSY_SHARE_MAX: f64 = 0.9;

/// How long an event loop may stand still. Hyperfoil's watchdog has the same limit: an answer that
/// lies about for longer is no longer the system's slowness.
const STALL_MAX: Duration = Duration::from_millis(100);

/// An account shorter than this is the rest of a run and says nothing of how busy a thread was.
const WHOLE: Duration = Duration::from_millis(500);

/// When the memory of a run is taken for the first time: what is made once has been made by then.
const SETTLED: u32 = 60;

/// The share of seconds that are not valid above which an objective cannot be judged.
pub const INVALID_SHARE_MAX: f64 = 0.02;

/// Why a second is not valid. Where several hold, the first of them is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invalid {
    /// A load thread's account of it is missing.
    Unmeasured,
    /// Journeys were dropped while we were short of CPU ourselves.
    Starved,
    /// Requests were not sent for want of ports or descriptors.
    Own,
    /// A load thread stood still.
    Stalled,
    /// Too many sends were late.
    Late,
}

impl Invalid {
    /// All of them, the gravest first.
    pub const ALL: [Self; 5] =
        [Self::Unmeasured, Self::Starved, Self::Own, Self::Stalled, Self::Late];

    /// What happened, for a sentence or a legend.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unmeasured => "not measured",
            Self::Starved => "journeys dropped while the generator was short of CPU",
            Self::Own => "requests not sent for want of ports or descriptors",
            Self::Stalled => "the generator stood still for over 100 ms",
            Self::Late => "over 1 % of the sends over 20 ms late",
        }
    }
}

/// How many seconds there are, and how many of them are not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All seconds.
    pub seconds: u64,
    /// Those that are not valid, by reason.
    pub invalid: BTreeMap<Invalid, u64>,
}

impl Tally {
    /// How many are not valid.
    #[must_use]
    pub fn invalid(&self) -> u64 {
        self.invalid.values().sum()
    }

    /// The share that is not valid; 0 of nothing.
    #[must_use]
    pub fn share(&self) -> f64 {
        number::share(self.invalid(), self.seconds).unwrap_or(0.0)
    }

    /// Whether what leans on these seconds can be judged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.share() <= INVALID_SHARE_MAX
    }
}

/// How one load thread fared over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThreadSeen {
    /// The mean share of a second in which it had a core.
    pub busy_mean: f64,
    /// The same in its busiest whole second.
    pub busy_peak: f64,
    /// How long it could have run and was given no core.
    pub waited: Duration,
    /// How often a core was taken from it.
    pub preempted: u64,
    seconds: u32,
}

/// Resident memory of the generator, in bytes; `None` where the kernel does not tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// After a minute, or at the end of a shorter run.
    pub settled: Option<u64>,
    /// At the end.
    pub end: Option<u64>,
}

/// How sound the run was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validity {
    /// The seconds that are not valid.
    pub invalid: BTreeMap<u32, Invalid>,
    /// First steps sent.
    pub sends: u64,
    /// Of those, sent late.
    pub late: u64,
    /// How late they were sent, over the run; `None` where the record holds no distributions.
    pub lateness: Option<Percentiles>,
    /// The highest 99th percentile of the send lateness in any second.
    pub lateness_p99: Duration,
    /// The longest send lateness.
    pub lateness_max: Duration,
    /// The busiest thread's share of a core, in its busiest second.
    pub cpu_peak: f64,
    /// The mean of the busiest thread's share.
    pub cpu_mean: f64,
    /// The mean share of a second in which a thread had a core or waited for one.
    pub wanted_mean: f64,
    /// The load threads one by one.
    pub threads: Vec<ThreadSeen>,
    /// The longest standstill of an event loop.
    pub stall_max: Duration,
    /// CPU time that the host took away from the machine, over its cores; `None` where the kernel
    /// does not tell it.
    pub steal: Option<Duration>,
    /// Requests that could not be sent for want of ports or descriptors.
    pub own_errors: u64,
    /// Journeys dropped through our own doing.
    pub dropped_own: u64,
    /// Journeys dropped because the system held on to their users.
    pub dropped_system: u64,
    /// Most descriptors open at once, and how many may be.
    pub descriptors: (u64, Option<u64>),
    /// Most sockets in use at once in our network namespace, and how many local ports there are.
    pub ports: (Option<u64>, Option<u64>),
    /// Memory.
    pub memory: Memory,
    starved: BTreeSet<u32>,
}

impl Validity {
    /// Judges each second of `tables`.
    #[must_use]
    pub fn of(tables: &Tables) -> Self {
        let mut validity = Self { lateness: merged(tables), ..Self::default() };
        let mut drops: BTreeMap<u32, u64> = BTreeMap::new();
        let mut own: BTreeMap<u32, u64> = BTreeMap::new();
        for row in &tables.seconds {
            *drops.entry(row.second).or_default() += row.dropped();
            *own.entry(row.second).or_default() += row.requests.own;
        }
        let at = |sums: &BTreeMap<u32, u64>, second| sums.get(&second).copied().unwrap_or(0);
        let mut measured = 0_u32;
        for (&second, generator) in &tables.generator {
            validity.sum(generator);
            if let Some(busy) = busy(generator) {
                validity.cpu_peak = validity.cpu_peak.max(busy);
                validity.cpu_mean += busy;
                validity.wanted_mean += wanted(generator).unwrap_or(busy);
                measured += 1;
            }
            let dropped = at(&drops, second).max(generator.dropped);
            let own = at(&own, second).max(generator.own_errors);
            validity.judge(generator, dropped, own);
        }
        validity.cpu_mean /= f64::from(measured.max(1));
        validity.wanted_mean /= f64::from(measured.max(1));
        for thread in &mut validity.threads {
            thread.busy_mean /= f64::from(thread.seconds.max(1));
        }
        validity.find_unmeasured(tables);
        let end = tables.load_end();
        validity.invalid.retain(|second, _| Duration::from_secs(u64::from(*second)) < end);
        validity.dropped_own = validity.starved.iter().map(|second| at(&drops, *second)).sum();
        let dropped: u64 = drops.values().sum();
        validity.dropped_system = dropped.saturating_sub(validity.dropped_own);
        validity
    }

    fn sum(&mut self, generator: &Generator) {
        self.sends += generator.sends;
        self.late += generator.late;
        self.own_errors += generator.own_errors;
        self.lateness_p99 = self.lateness_p99.max(generator.lateness_p99);
        self.lateness_max = self.lateness_max.max(generator.lateness_max);
        self.stall_max = self.stall_max.max(generator.stall_max);
        if let Some(steal) =
            generator.steal.and_then(|steal| Duration::try_from_secs_f64(steal).ok())
        {
            self.steal = Some(self.steal.unwrap_or_default() + steal);
        }
        self.descriptors.0 = self.descriptors.0.max(generator.descriptors);
        self.descriptors.1 = generator.descriptors_limit.or(self.descriptors.1);
        self.ports.0 = self.ports.0.max(generator.ports_used);
        self.ports.1 = generator.ports_limit.or(self.ports.1);
        self.memory.end = generator.memory.or(self.memory.end);
        if generator.second <= SETTLED {
            self.memory.settled = self.memory.end;
        }
        if self.threads.len() < generator.threads.len() {
            self.threads.resize(generator.threads.len(), ThreadSeen::default());
        }
        for (seen, now) in self.threads.iter_mut().zip(&generator.threads) {
            seen.waited += now.waited.unwrap_or_default();
            seen.preempted += now.preempted.unwrap_or(0);
            if is_whole(generator) {
                seen.busy_mean += now.busy;
                seen.busy_peak = seen.busy_peak.max(now.busy);
                seen.seconds += 1;
            }
        }
    }

    fn judge(&mut self, generator: &Generator, dropped: u64, own: u64) {
        let second = generator.second;
        let late = number::share(generator.late, generator.sends).unwrap_or(0.0);
        let starved = dropped > 0 && wanted(generator).is_some_and(|share| share > BUSY_SHARE_MAX);
        if starved {
            self.starved.insert(second);
        }
        if generator.stall_max > STALL_MAX {
            // It is told in the second that should have had its next sign of life.
            let lasted = u32::try_from(generator.stall_max.as_secs()).unwrap_or(u32::MAX);
            for stood in second..=second.saturating_add(lasted) {
                self.spoil(stood, Invalid::Stalled);
            }
        }
        if starved {
            self.spoil(second, Invalid::Starved);
        } else if own > 0 {
            self.spoil(second, Invalid::Own);
        } else if late > LATE_SHARE_MAX {
            self.spoil(second, Invalid::Late);
        }
    }

    fn spoil(&mut self, second: u32, why: Invalid) {
        let known = self.invalid.entry(second).or_insert(why);
        *known = why.min(*known);
    }

    /// Whole seconds of the load of which an account is missing. Of a run that was cut off, what
    /// comes after the last account is not there and not judged.
    fn find_unmeasured(&mut self, tables: &Tables) {
        let last = tables.generator.keys().next_back();
        let recorded = last.map_or(0, |last| u64::from(*last) + 1);
        let load = tables.load_end().as_secs();
        let end = if tables.end.is_some() { load } else { load.min(recorded) };
        let threads = tables.generator.values().map(|one| one.threads.len()).max().unwrap_or(0);
        for second in 0..u32::try_from(end).unwrap_or(u32::MAX) {
            let whole = |one: &Generator| one.threads.len() == threads;
            if !tables.generator.get(&second).is_some_and(whole) {
                self.spoil(second, Invalid::Unmeasured);
            }
        }
    }

    /// Whether journeys dropped in `second` were dropped through our own doing.
    #[must_use]
    pub fn starved(&self, second: u32) -> bool {
        self.starved.contains(&second)
    }

    /// Whether the load was as fast as the generator could make it. That spoils nothing: an open
    /// model tells by drops and lateness when it asked for more. But users that wait for their
    /// turn with us would have got more out of the system with a faster generator.
    #[must_use]
    pub fn is_limiting(&self) -> bool {
        self.wanted_mean > BUSY_SHARE_MAX
    }

    /// The seconds of `scope`.
    #[must_use]
    pub fn tally(&self, scope: &Scope) -> Tally {
        let mut tally = Tally::default();
        for second in scope.seconds() {
            tally.seconds += 1;
            if let Some(why) = self.invalid.get(&second) {
                *tally.invalid.entry(*why).or_default() += 1;
            }
        }
        tally
    }
}

fn merged(tables: &Tables) -> Option<Percentiles> {
    let mut sum = Histogram::new(DIGITS_SECOND);
    for lateness in tables.lateness.values() {
        sum.add(lateness);
    }
    Percentiles::of(&sum)
}

/// Whether the account is long enough to tell how busy a thread was.
fn is_whole(generator: &Generator) -> bool {
    match generator.length {
        // Version 1 of the journal tells no more than the sum over its threads.
        Duration::ZERO => generator.cpu_limit >= WHOLE.as_secs_f64(),
        length => length >= WHOLE,
    }
}

/// The busiest thread's share of a core; `None` of the rest of a run.
#[must_use]
pub fn busy(generator: &Generator) -> Option<f64> {
    let mean = || {
        let limit = generator.cpu_limit;
        if limit > 0.0 { generator.cpu / limit } else { 0.0 }
    };
    let busiest = generator.threads.iter().map(|thread| thread.busy).reduce(f64::max);
    is_whole(generator).then(|| busiest.unwrap_or_else(mean))
}

/// The highest share of the second in which a thread had a core or waited for one; `None` of the
/// rest of a run.
#[must_use]
pub fn wanted(generator: &Generator) -> Option<f64> {
    let length = generator.length.as_secs_f64();
    let waited = |waited: Option<Duration>| waited.map_or(0.0, |waited| waited.as_secs_f64());
    let threads = generator.threads.iter();
    let wanted = threads.map(|thread| thread.busy + waited(thread.waited) / length);
    let busy = busy(generator)?;
    Some(wanted.filter(|share| share.is_finite()).fold(busy, f64::max))
}

#[cfg(test)]
mod tests;
