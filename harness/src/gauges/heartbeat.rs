//! Notices when a thread's event loop stands still.

use std::io;
use std::time::Duration;

use crate::clock::Clock;
use crate::pacer::Timer;

/// The time between two beats. Standstills are told when they exceed 100 ms; a beat every half of
/// that misses none of them, and costs a thread nothing that could be measured.
const BEAT: Duration = Duration::from_millis(50);

/// A pulse in the event loop that it watches: as late as a beat comes, so long has the loop looked
/// after nobody.
#[derive(Debug)]
pub struct Heartbeat {
    clock: Clock,
    stalled: Duration,
}

impl Heartbeat {
    /// A heartbeat by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, stalled: Duration::ZERO }
    }

    /// Returns at the offset `due`, or at once when it is past, and beats meanwhile. May be dropped
    /// while it waits.
    pub async fn wait_until(&mut self, timer: &Timer, due: Duration) -> io::Result<()> {
        loop {
            let now = self.clock.now();
            if now >= due {
                return Ok(());
            }
            let beat = due.min(now + BEAT);
            timer.wait_until(beat).await?;
            self.stalled = self.stalled.max(self.clock.now().saturating_sub(beat));
        }
    }

    /// The longest standstill since the last call.
    pub fn take(&mut self) -> Duration {
        std::mem::take(&mut self.stalled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_loop_that_looks_after_nobody_is_noticed() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clock = Clock::starting_in(Duration::ZERO);
        let busy = Duration::from_millis(200);
        let seen = runtime.block_on(async {
            let timer = Timer::new(clock).expect("a timer");
            let mut heartbeat = Heartbeat::new(clock);
            let hog = async {
                let until = clock.now() + busy;
                while clock.now() < until {}
            };
            let due = clock.now() + busy;
            let (waited, ()) = tokio::join!(heartbeat.wait_until(&timer, due), hog);
            waited.expect("a timer");
            [heartbeat.take(), heartbeat.take()]
        });
        assert!(seen[0] + BEAT >= busy, "{seen:?}");
        assert_eq!(seen[1], Duration::ZERO, "it is told once");
    }
}
