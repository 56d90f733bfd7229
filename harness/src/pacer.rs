//! Wakes a thread at given moments, to microseconds.
//!
//! The timers of tokio count in whole milliseconds; a timer of the kernel in the same reactor does
//! not. Nothing spins.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;

/// Puts the calling thread before others on this machine, where that is allowed: in the lowest
/// real-time class, which no niceness and no container's share can hold up. A measuring thread
/// sleeps most of the time, so it takes little from anybody; a late one would measure itself.
/// Without the right to it nothing changes, and lateness shows in the record either way.
pub fn hurry() {
    let lowest = ThreadPriority::Min;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), lowest, policy) {
        tracing::debug!("measuring threads have no priority: {error}");
    }
}

/// A timer of the kernel, in the reactor of the runtime that it was made in.
#[derive(Debug)]
pub struct Pacer {
    timer: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl Pacer {
    /// A pacer by `clock`; fails when no descriptor is left.
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
    pub async fn wait_until(&self, due: Duration) -> io::Result<()> {
        let ahead = self.clock.ahead(due);
        if ahead.is_zero() {
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ahead = Timespec::try_from(ahead).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: zero, it_value: ahead };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        self.timer.readable().await?.clear_ready();
        Ok(())
    }
}
