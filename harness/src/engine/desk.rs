//! What the tasks of one load thread share.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;
use tokio::sync::Notify;

use super::Brief;
use super::pool::Pool;
use super::user::User;
use crate::pacer::Pacer;
use crate::plan::profile::Drive;
use crate::recorder::Recorder;
use crate::script::header_value;

/// A thread's part of the load.
#[derive(Debug)]
pub(super) struct Share {
    /// Which thread this is.
    pub(super) place: usize,
    /// Of how many.
    pub(super) of: usize,
    /// Its requests on their way.
    pub(super) in_flight: Arc<AtomicU64>,
    /// Iterations begun by the profiles whose users share a number of them, over all threads.
    pub(super) shared: Arc<[AtomicU64]>,
}

impl Share {
    /// This thread's part of `count` things that are dealt out one by one.
    pub(super) fn part_of(&self, count: u32) -> u32 {
        let (place, of, count) = (self.place, self.of, count as usize);
        let part = count / of + usize::from(place < count % of);
        u32::try_from(part).unwrap_or(u32::MAX)
    }
}

/// What a thread's tasks share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) brief: Brief,
    pub(crate) authority: HeaderValue,
    /// Wakes users who think and users who keep a pace.
    pub(crate) pacer: Pacer,
    pub(super) share: Share,
    /// Users for arrivals.
    pub(super) pool: RefCell<Pool<User>>,
    /// Journeys of arrivals on their way, by profile.
    pub(super) walking: Vec<Cell<u32>>,
    /// Tells the journeys of a profile that their time is over.
    pub(super) cut: Vec<Notify>,
    /// Whether the run was stopped: nothing new begins.
    pub(super) stopped: Cell<bool>,
    recorder: RefCell<Recorder>,
}

impl Desk {
    pub(super) fn new(brief: &Brief, share: Share) -> io::Result<Self> {
        let plan = &brief.plan;
        let first = plan.users.bound + u32::try_from(share.place).unwrap_or(0);
        let numbers = first.min(plan.users.count())..plan.users.count();
        let mut pool = Pool::new(numbers.step_by(share.of), plan.users.written);
        for profile in &plan.profiles {
            if let Drive::Open(open) = &profile.drive {
                pool.prepare(share.part_of(open.pre_allocated), |number| User::new(number, brief));
            }
        }
        Ok(Self {
            authority: header_value(&brief.endpoint.authority()),
            pacer: Pacer::new(brief.clock)?,
            pool: RefCell::new(pool),
            walking: plan.profiles.iter().map(|_| Cell::new(0)).collect(),
            cut: plan.profiles.iter().map(|_| Notify::new()).collect(),
            recorder: RefCell::new(Recorder::new(plan.phases.clone())),
            stopped: Cell::new(false),
            share,
            brief: brief.clone(),
        })
    }

    /// The thread's memory; never held across an await.
    pub(crate) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    /// A request is on its way, until what is returned is dropped.
    pub(crate) fn on_the_way(&self) -> OnTheWay<'_> {
        self.share.in_flight.fetch_add(1, Ordering::Relaxed);
        OnTheWay(&self.share.in_flight)
    }
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct OnTheWay<'a>(&'a AtomicU64);

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
