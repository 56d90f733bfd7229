//! The run's clock: the only file of this package that asks for the time.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// Counts from the epoch of a run, which may lie ahead.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    wall: SystemTime,
}

impl Clock {
    /// A clock whose epoch is `ahead` of now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn starting_in(ahead: Duration) -> Self {
        Self { epoch: Instant::now() + ahead, wall: SystemTime::now() + ahead }
    }

    /// The time since the epoch; zero before it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.epoch)
    }

    /// How long it is until the offset `due`; zero when it is past.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn ahead(&self, due: Duration) -> Duration {
        (self.epoch + due).saturating_duration_since(Instant::now())
    }

    /// The offset of a wall-clock time; zero before the epoch. Good as long as nobody sets the
    /// wall clock during the run.
    #[must_use]
    pub fn offset_of(&self, wall: SystemTime) -> Duration {
        wall.duration_since(self.wall).unwrap_or(Duration::ZERO)
    }

    /// The wall-clock time of the epoch in UTC: RFC 3339 with microseconds.
    #[must_use]
    pub fn epoch_text(&self) -> String {
        let stamp = Timestamp::try_from(self.wall).unwrap_or(Timestamp::UNIX_EPOCH);
        format!("{stamp:.6}")
    }
}

/// The wall-clock time of now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}
