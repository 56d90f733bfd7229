//! One load thread: a runtime of its own, users of its own, a recorder of its own.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rehearsal_reports::record::Record;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::timeout;

use super::Brief;
#[cfg(feature = "goose")]
use super::by_goose;
use super::desk::{Desk, Share};
use super::{closed, open};
use crate::gauges::Heartbeat;
use crate::pacer::{Timer, calm, hurry};
use crate::plan::profile::{Drive, Profile};
use crate::scenario::EngineWritten;
use crate::scribe;

/// How long journeys on their way may still take when the run was stopped early.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// The share of a core above which a load thread is busy and gives its priority back.
const BUSY: f64 = 0.4;

/// What a load thread has to say at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Failures that were too many to keep.
    pub failures_left_out: u64,
    /// Why the thread could not do its work.
    pub broken: Option<String>,
}

impl Account {
    /// Both together.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            failures_left_out: self.failures_left_out + other.failures_left_out,
            broken: self.broken.or(other.broken),
        }
    }
}

/// Does the work of one load thread, to the end of the run.
pub(super) fn run(brief: &Brief, share: Share) -> Account {
    let closed = |profile: &Profile| matches!(profile.drive, Drive::Closed(_));
    if !brief.plan.profiles.iter().any(closed) {
        hurry();
    }
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let worked = runtime.and_then(|runtime| runtime.block_on(work(brief, share)));
    worked.unwrap_or_else(|error| Account { failures_left_out: 0, broken: Some(error.to_string()) })
}

async fn work(brief: &Brief, share: Share) -> io::Result<Account> {
    let desk = Rc::new(Desk::new(brief, share)?);
    let over = Rc::new(Notify::new());
    let accounts = spawn_local(account_each_second(Rc::clone(&desk), Rc::clone(&over)));
    let mut profiles: JoinSet<io::Result<()>> = JoinSet::new();
    profiles.spawn_local(open::arrive(Rc::clone(&desk)));
    for (place, profile) in brief.plan.profiles.iter().enumerate() {
        if matches!(profile.drive, Drive::Open(_)) {
            profiles.spawn_local(open::see_off(Rc::clone(&desk), place));
        }
    }
    match brief.plan.engine {
        EngineWritten::Native => closed::enter(&desk, &mut profiles),
        #[cfg(feature = "goose")]
        EngineWritten::Goose => drop(profiles.spawn_local(by_goose::attack(Rc::clone(&desk), 0))),
        #[cfg(not(feature = "goose"))]
        EngineWritten::Goose => {}
    }
    let mut stop = brief.stop.clone();
    let all = async {
        while let Some(ended) = profiles.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        outcome = all => outcome?,
        outcome = desk.pacer.drive() => outcome?,
        () = stop.asked() => {
            desk.stopped.set(true);
            drop(timeout(STOP_GRACE, quiet(&desk)).await);
        }
    }
    drop(profiles);

    over.notify_one();
    accounts.await.map_err(io::Error::other)??;
    let failures_left_out = desk.recorder().failures_left_out();
    Ok(Account { failures_left_out, broken: None })
}

/// Returns when no request is on its way.
async fn quiet(desk: &Desk) {
    while desk.share.in_flight.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Hands the recorder's memory to the scribe each second, and the rest of it at the end.
async fn account_each_second(desk: Rc<Desk>, over: Rc<Notify>) -> io::Result<()> {
    let clock = desk.brief.clock;
    let timer = Timer::new(clock)?;
    let mut heartbeat = Heartbeat::new(clock);
    let mut waiting: Vec<Record> = Vec::new();
    let mut since = (clock.now(), thread_cpu());
    for second in 0_u32.. {
        let due = Duration::from_secs(u64::from(second) + 1);
        let last = tokio::select! {
            waited = heartbeat.wait_until(&timer, due) => { waited?; false }
            () = over.notified() => true,
        };
        let now = (clock.now(), thread_cpu());
        let spent = (now.1.saturating_sub(since.1), now.0.saturating_sub(since.0));
        if spent.0 > spent.1.mul_f64(BUSY) {
            calm();
        }
        let gauge = desk.recorder().take_gauge();
        let in_flight = desk.share.in_flight.load(Ordering::Relaxed);
        let stalled = heartbeat.take();
        desk.brief.post.account(scribe::Account::of(second, gauge, spent, in_flight, stalled));
        since = now;
        waiting.append(&mut desk.recorder().take(last));
        if last {
            desk.brief.post.send(scribe::Letter::Records(waiting));
            return Ok(());
        }
        waiting = desk.brief.post.records(waiting).err().unwrap_or_default();
        if desk.share.place == 0 {
            desk.brief.post.second_over(second);
        }
    }
    Ok(())
}

/// CPU time of this thread so far.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
