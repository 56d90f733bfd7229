//! One load thread: a runtime of its own, users of its own, a recorder of its own.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::HeaderValue;
use nix::time::{ClockId, clock_gettime};
use rehearsal_reports::record::Record;
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use super::Brief;
use super::iteration;
use super::user::User;
use crate::gauges::Heartbeat;
use crate::load::arrivals::Arrivals;
use crate::pacer::{Pacer, hurry};
use crate::recorder::Recorder;
use crate::scribe;
use crate::script::header_value;

/// How long journeys on their way may still take when the run was stopped early.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A thread's part of the load.
#[derive(Debug)]
pub(super) struct Share {
    /// Which thread this is.
    pub(super) place: usize,
    /// Of how many.
    pub(super) of: usize,
    /// Its requests on their way.
    pub(super) in_flight: Arc<AtomicU64>,
}

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

/// What a thread's tasks share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) brief: Brief,
    pub(super) authority: HeaderValue,
    recorder: RefCell<Recorder>,
    in_flight: Arc<AtomicU64>,
    idle: RefCell<VecDeque<User>>,
    /// Journeys on their way, by profile.
    walking: RefCell<Vec<u32>>,
}

impl Desk {
    /// The thread's memory; never held across an await.
    pub(super) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    /// One request more, or one less, is on its way.
    pub(super) fn on_the_way(&self, change: i64) {
        if change > 0 {
            self.in_flight.fetch_add(1, Ordering::Relaxed);
        } else {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Does the work of one load thread, to the end of the run.
pub(super) fn run(brief: &Brief, share: Share) -> Account {
    hurry();
    let worked = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| LocalSet::new().block_on(&runtime, work(brief.clone(), share)));
    worked.unwrap_or_else(|error| Account { failures_left_out: 0, broken: Some(error.to_string()) })
}

async fn work(brief: Brief, share: Share) -> io::Result<Account> {
    let plan = Arc::clone(&brief.plan);
    let mine = |number: &u32| *number as usize % share.of == share.place;
    let users = (0..plan.users).filter(mine).map(|number| User::new(number, &brief));
    let desk = Rc::new(Desk {
        authority: header_value(&brief.endpoint.authority()),
        recorder: RefCell::new(Recorder::new(plan.phases.clone())),
        in_flight: Arc::clone(&share.in_flight),
        idle: RefCell::new(users.collect()),
        walking: RefCell::new(vec![0; plan.profiles.len()]),
        brief,
    });
    let over = Rc::new(tokio::sync::Notify::new());
    let accounts = tokio::task::spawn_local(account_each_second(
        Rc::clone(&desk),
        Rc::clone(&over),
        share.place,
    ));

    let mut journeys = JoinSet::new();
    let mut stop = desk.brief.stop.clone();
    let stopped = tokio::select! {
        outcome = begin_journeys(&desk, &share, &mut journeys) => { outcome?; false }
        () = stop.asked() => true,
    };
    // Every request has time limits of its own, so that the rest ends by itself.
    let rest = async { while journeys.join_next().await.is_some() {} };
    if stopped {
        drop(timeout(STOP_GRACE, rest).await);
    } else {
        tokio::select! { () = rest => {} () = stop.asked() => {} }
    }
    journeys.shutdown().await;

    over.notify_one();
    accounts.await.map_err(io::Error::other)??;
    let failures_left_out = desk.recorder().failures_left_out();
    Ok(Account { failures_left_out, broken: None })
}

/// Begins every journey of this thread when it is due.
async fn begin_journeys(
    desk: &Rc<Desk>,
    share: &Share,
    journeys: &mut JoinSet<()>,
) -> io::Result<()> {
    let plan = &desk.brief.plan;
    let pacer = Pacer::new(desk.brief.clock)?;
    let profiles = plan.profiles.iter().map(|profile| {
        let arrivals = Arrivals::new(profile.legs.clone(), profile.spacing, profile.seed);
        arrivals.skip(share.place).step_by(share.of).peekable()
    });
    let mut profiles: Vec<_> = profiles.collect();
    loop {
        let next = profiles.iter_mut().enumerate();
        let next = next.filter_map(|(place, arrivals)| Some((*arrivals.peek()?, place))).min();
        let Some((due, place)) = next else {
            return pacer.wait_until(plan.length()).await;
        };
        profiles[place].next();
        pacer.wait_until(due).await?;
        begin(desk, share, (place, due), journeys);
        while journeys.try_join_next().is_some() {}
    }
}

/// Begins the journey of profile `place` that is due at `due`, if a user is idle.
fn begin(
    desk: &Rc<Desk>,
    share: &Share,
    (place, due): (usize, Duration),
    journeys: &mut JoinSet<()>,
) {
    let plan = &desk.brief.plan;
    let profile = &plan.profiles[place];
    let series = plan.scripts[profile.script].series;
    let most = profile.max_vus as usize / share.of
        + usize::from(share.place < profile.max_vus as usize % share.of);
    let room = (desk.walking.borrow()[place] as usize) < most;
    let user = if room { desk.idle.borrow_mut().pop_front() } else { None };
    let Some(mut user) = user else {
        desk.recorder().dropped(series, due);
        return;
    };
    desk.walking.borrow_mut()[place] += 1;
    let desk = Rc::clone(desk);
    let script = profile.script;
    journeys.spawn_local(async move {
        let late = desk.brief.clock.now().saturating_sub(due);
        desk.recorder().begun(series, due, late);
        iteration::walk(&mut user, script, due, &desk).await;
        user.iterations += 1;
        desk.idle.borrow_mut().push_back(user);
        desk.walking.borrow_mut()[place] -= 1;
    });
}

/// Hands the recorder's memory to the scribe each second, and the rest of it at the end.
async fn account_each_second(
    desk: Rc<Desk>,
    over: Rc<tokio::sync::Notify>,
    place: usize,
) -> io::Result<()> {
    let clock = desk.brief.clock;
    let pacer = Pacer::new(clock)?;
    let mut heartbeat = Heartbeat::new(clock);
    let mut waiting: Vec<Record> = Vec::new();
    let mut since = (clock.now(), thread_cpu());
    for second in 0_u32.. {
        let due = Duration::from_secs(u64::from(second) + 1);
        let last = tokio::select! {
            waited = heartbeat.wait_until(&pacer, due) => { waited?; false }
            () = over.notified() => true,
        };
        let now = (clock.now(), thread_cpu());
        let spent = (now.1.saturating_sub(since.1), now.0.saturating_sub(since.0));
        let gauge = desk.recorder().take_gauge();
        let in_flight = desk.in_flight.load(Ordering::Relaxed);
        let stalled = heartbeat.take();
        desk.brief.post.account(scribe::Account::of(second, gauge, spent, in_flight, stalled));
        since = now;
        waiting.append(&mut desk.recorder().take(last));
        if last {
            desk.brief.post.send(scribe::Letter::Records(waiting));
            return Ok(());
        }
        waiting = desk.brief.post.records(waiting).err().unwrap_or_default();
        if place == 0 {
            desk.brief.post.send(scribe::Letter::SecondOver(second));
        }
    }
    Ok(())
}

/// CPU time of this thread so far.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
