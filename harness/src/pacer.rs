//! Wakes a thread at given moments, to microseconds.
//!
//! The timers of tokio count in whole milliseconds; a timer of the kernel in the same reactor does
//! not. Nothing spins.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;

/// The shortest time that a timer is set to. Moments that lie closer together are waited for at
/// once, so that a hundred thousand a second do not cost as many timers.
const SHORTEST: Duration = Duration::from_micros(10);

/// Puts the calling thread before others on this machine, where that is allowed: in the lowest
/// real-time class, which no niceness and no container's share can hold up. A measuring thread
/// sleeps most of the time, so it takes little from anybody; a late one would measure itself.
/// Without the right to it nothing changes, and lateness shows in the record either way.
pub fn hurry() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    take_class(policy);
}

/// Gives back what [`hurry`] took: a thread that is busy would take the time of the system that it
/// measures.
pub fn calm() {
    take_class(ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other));
}

fn take_class(policy: ThreadSchedulePolicy) {
    let lowest = ThreadPriority::Min;
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), lowest, policy) {
        tracing::debug!("the class of a measuring thread cannot be set: {error}");
    }
}

/// A timer of the kernel, in the reactor of the runtime that it was made in; for one who waits.
#[derive(Debug)]
pub struct Timer {
    timer: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl Timer {
    /// A timer by `clock`; fails when no descriptor is left.
    pub fn new(clock: Clock) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "an OwnedFd stays open while it is registered, which is all \
            that the unsafe successor of this call asks for"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Self { timer, clock })
    }

    /// Returns at the offset `due`, or at once when it is past. May be dropped while it waits.
    /// Whether it had to wait.
    pub async fn wait_until(&self, due: Duration) -> io::Result<bool> {
        if !self.set(due)? {
            return Ok(false);
        }
        self.timer.readable().await?.clear_ready();
        Ok(true)
    }

    /// Sets the timer to `due`; `false` when that is past.
    fn set(&self, due: Duration) -> io::Result<bool> {
        let ahead = self.clock.ahead(due);
        if ahead.is_zero() {
            return Ok(false);
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ahead = Timespec::try_from(ahead.max(SHORTEST)).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: zero, it_value: ahead };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(true)
    }

    /// Ready when the timer that was last set has gone off.
    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = std::task::ready!(self.timer.poll_read_ready(context));
        ready.map(|mut ready| ready.clear_ready()).into()
    }
}

/// One timer for all who wait on a thread: users who think, who keep a pace, who come and leave.
#[derive(Debug)]
pub struct Pacer {
    timer: Timer,
    waiting: RefCell<BinaryHeap<Reverse<Waiting>>>,
    next: Cell<u64>,
    /// The one that drives the timer, to be told of an earlier moment.
    driver: RefCell<Option<Waker>>,
}

/// Somebody who waits.
#[derive(Debug)]
struct Waiting {
    due: Duration,
    number: u64,
    waker: Waker,
    /// Whether the wait is over: the moment came, or nobody waits any more.
    over: Rc<Cell<bool>>,
}

impl Waiting {
    fn key(&self) -> (Duration, u64) {
        (self.due, self.number)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Pacer {
    /// A pacer by `clock`; fails when no descriptor is left. Nobody is woken unless
    /// [`Pacer::drive`] runs.
    pub fn new(clock: Clock) -> io::Result<Self> {
        Ok(Self {
            timer: Timer::new(clock)?,
            waiting: RefCell::default(),
            next: Cell::new(0),
            driver: RefCell::default(),
        })
    }

    /// Returns at the offset `due`, or at once when it is past. May be dropped while it waits.
    pub async fn wait_until(&self, due: Duration) {
        if !self.timer.clock.ahead(due).is_zero() {
            Wait { pacer: self, due, place: None }.await;
        }
    }

    /// Wakes those who wait; returns only when the timer fails.
    pub async fn drive(&self) -> io::Result<()> {
        loop {
            poll_fn(|context| self.poll_due(context)).await?;
        }
    }

    /// Wakes all who are due and sets the timer to the next one.
    fn poll_due(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.driver.replace(Some(context.waker().clone()));
        loop {
            let clock = self.timer.clock;
            let mut waiting = self.waiting.borrow_mut();
            let over =
                |first: &Reverse<Waiting>| first.0.over.get() || clock.ahead(first.0.due).is_zero();
            while waiting.peek().is_some_and(over) {
                if let Some(Reverse(first)) = waiting.pop()
                    && !first.over.replace(true)
                {
                    first.waker.wake();
                }
            }
            let Some(first) = waiting.peek().map(|first| first.0.due) else {
                return Poll::Pending;
            };
            drop(waiting);
            if self.timer.set(first)? {
                std::task::ready!(self.timer.poll(context))?;
            }
        }
    }
}

/// One wait.
struct Wait<'a> {
    pacer: &'a Pacer,
    due: Duration,
    /// Whether it is over, and who is woken then; `None` before the first poll.
    place: Option<(Rc<Cell<bool>>, Waker)>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some((over, waker)) = &self.place {
            if over.get() {
                return Poll::Ready(());
            }
            // Polled by somebody else's doing, as each request of a user does that a limit stands
            // beside: a place more for each of them would fill the memory.
            if waker.will_wake(context.waker()) {
                return Poll::Pending;
            }
            over.set(true);
        }
        let pacer = self.pacer;
        let number = pacer.next.replace(pacer.next.get() + 1);
        let over = Rc::new(Cell::new(false));
        let waker = context.waker().clone();
        let waiting =
            Waiting { due: self.due, number, waker: waker.clone(), over: Rc::clone(&over) };
        self.place = Some((over, waker));
        let mut heap = pacer.waiting.borrow_mut();
        let first = heap.peek().is_none_or(|first| waiting.due < first.0.due);
        heap.push(Reverse(waiting));
        drop(heap);
        if first && let Some(driver) = &*pacer.driver.borrow() {
            driver.wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some((over, _)) = &self.place {
            over.set(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime;
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn all_who_wait_are_woken_in_order_and_those_who_left_are_not() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        // Time enough for all to have begun to wait.
        let clock = Clock::starting_in(Duration::from_millis(200));
        let woken = Rc::new(RefCell::new(Vec::new()));
        let work = async {
            let pacer = Rc::new(Pacer::new(clock).expect("a timer"));
            let driven = Rc::clone(&pacer);
            let driver = tokio::task::spawn_local(async move { driven.drive().await });
            let wait = |milliseconds: u64| {
                let (pacer, woken) = (Rc::clone(&pacer), Rc::clone(&woken));
                tokio::task::spawn_local(async move {
                    let due = Duration::from_millis(milliseconds);
                    pacer.wait_until(due).await;
                    assert!(pacer.timer.clock.now() >= due, "woken before the time");
                    woken.borrow_mut().push(milliseconds);
                })
            };
            let left = wait(10_000);
            let tasks = [30, 0, 10, 20, 10].map(wait);
            tokio::task::yield_now().await;
            left.abort();
            for task in tasks {
                task.await.expect("woken");
            }
            driver.abort();
        };
        LocalSet::new().block_on(&runtime.expect("a runtime"), work);
        assert_eq!(*woken.borrow(), [0, 10, 10, 20, 30]);
    }

    #[test]
    fn who_is_polled_again_and_again_waits_in_one_place() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let work = async {
            let clock = Clock::starting_in(Duration::ZERO);
            let pacer = Pacer::new(clock).expect("a timer");
            let wait = pacer.wait_until(Duration::from_hours(1));
            let mut wait = std::pin::pin!(wait);
            poll_fn(|context| {
                for _ in 0..1000 {
                    assert!(wait.as_mut().poll(context).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!(pacer.waiting.borrow().len(), 1);
        };
        runtime.expect("a runtime").block_on(work);
    }
}
