//! Time limits of requests on their way, without a timer for each.
//!
//! Nearly every request is answered long before its limit, so what it costs to set one is what
//! counts. A request that has to wait writes its limit into a list; one task per thread sleeps
//! until the earliest limit that it knew when it last looked, and looks again then. Most of those
//! requests are long over by that time, and their place in the list says so. While nothing hangs,
//! the list is read about once per time limit.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;

/// Looks at the list come at most this often, so that many requests that hang are woken together.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The limits of the requests of one thread.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Clock,
    places: RefCell<Places>,
    /// When the next look is due; `Duration::MAX` when none is.
    next: Cell<Duration>,
    /// Told when `next` has moved to an earlier moment, and when the watch is over.
    moved: Rc<Notify>,
    begun: Cell<bool>,
}

#[derive(Debug, Default)]
struct Places {
    list: Vec<Place>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
struct Place {
    limit: Duration,
    passed: bool,
    /// Whom to wake; `None` for a place that is free.
    waker: Option<Waker>,
}

impl Watch {
    pub(super) fn new(clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            clock,
            places: RefCell::default(),
            next: Cell::new(Duration::MAX),
            moved: Rc::default(),
            begun: Cell::new(false),
        })
    }

    /// Makes sure that there is a look at `limit` or before.
    fn look_by(self: &Rc<Self>, limit: Duration) {
        if limit >= self.next.get() {
            return;
        }
        self.next.set(limit);
        self.moved.notify_one();
        if !self.begun.replace(true) {
            let moved = Rc::clone(&self.moved);
            tokio::task::spawn_local(keep_watch(Rc::downgrade(self), moved, self.clock));
        }
    }

    /// Wakes those whose limit has passed.
    fn look(&self) {
        let now = self.clock.now();
        let mut next = Duration::MAX;
        let mut late = Vec::new();
        for place in &mut self.places.borrow_mut().list {
            let Some(waker) = place.waker.as_ref().filter(|_| !place.passed) else { continue };
            if place.limit <= now {
                place.passed = true;
                late.push(waker.clone());
            } else {
                next = next.min(place.limit);
            }
        }
        self.next.set(next.max(now + LOOK_EVERY));
        // Only now that nothing is borrowed: a waker may be the last to hold a task.
        late.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.moved.notify_one();
    }
}

/// Looks when it is time to, as long as there is somebody to look for.
async fn keep_watch(watch: Weak<Watch>, moved: Rc<Notify>, clock: Clock) {
    loop {
        let Some(next) = watch.upgrade().map(|watch| watch.next.get()) else { return };
        let due = async {
            if next == Duration::MAX { pending().await } else { sleep(clock.ahead(next)).await }
        };
        tokio::select! {
            () = due => if let Some(watch) = watch.upgrade() { watch.look() },
            () = moved.notified() => {}
        }
    }
}

/// The limit of one request; it is off when this is dropped.
#[derive(Debug)]
pub(super) struct Alarm<'a> {
    watch: &'a Rc<Watch>,
    place: Option<usize>,
}

impl<'a> Alarm<'a> {
    /// An alarm that is not set.
    pub(super) fn new(watch: &'a Rc<Watch>) -> Self {
        Self { watch, place: None }
    }

    /// Whether `limit` has passed; if not, `waker` will be woken when it does.
    pub(super) fn has_passed(&mut self, limit: Duration, waker: &Waker) -> bool {
        let mut places = self.watch.places.borrow_mut();
        let at = *self.place.get_or_insert_with(|| {
            places.free.pop().unwrap_or_else(|| {
                places.list.push(Place::default());
                places.list.len() - 1
            })
        });
        let place = &mut places.list[at];
        if place.limit != limit || place.waker.is_none() {
            place.limit = limit;
            place.passed = false;
        }
        if !place.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            place.waker = Some(waker.clone());
        }
        let passed = place.passed;
        drop(places);
        self.watch.look_by(limit);
        passed
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        let Some(at) = self.place else { return };
        let mut places = self.watch.places.borrow_mut();
        let waker = places.list[at].waker.take();
        places.free.push(at);
        drop(places);
        // Outside of the borrow: it may be the last to hold a task.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::task::LocalSet;

    use super::*;

    /// Waits for `limit` as a request does that is never answered.
    async fn hang(watch: &Rc<Watch>, limit: Duration) {
        let mut alarm = Alarm::new(watch);
        let passed = |alarm: &mut Alarm<'_>, waker: &Waker| alarm.has_passed(limit, waker);
        poll_fn(|cx| if passed(&mut alarm, cx.waker()) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    #[tokio::test]
    async fn limits_pass_in_their_order_and_not_before_their_time() {
        let clock = Clock::starting_in(Duration::ZERO);
        let watch = Watch::new(clock);
        let ended = RefCell::new(Vec::new());
        let one = async |millis: u64| {
            let limit = Duration::from_millis(millis);
            hang(&watch, limit).await;
            assert!(clock.now() >= limit);
            ended.borrow_mut().push(millis);
        };
        LocalSet::new().run_until(async { tokio::join!(one(300), one(100), one(200)) }).await;
        assert_eq!(*ended.borrow(), [100, 200, 300]);
        assert_eq!(watch.places.borrow().free.len(), 3, "every place is free again");
    }

    #[tokio::test]
    async fn a_place_is_used_again_and_a_limit_can_move() {
        let watch = Watch::new(Clock::starting_in(Duration::ZERO));
        let far = Duration::from_hours(1);
        let work = async {
            for _ in 0..3 {
                let mut alarm = Alarm::new(&watch);
                assert!(!alarm.has_passed(far, Waker::noop()));
            }
            assert_eq!(watch.places.borrow().list.len(), 1);
            hang(&watch, Duration::from_millis(1)).await;
            let mut alarm = Alarm::new(&watch);
            assert!(!alarm.has_passed(far, Waker::noop()), "what passed was another's limit");
        };
        LocalSet::new().run_until(work).await;
    }
}
