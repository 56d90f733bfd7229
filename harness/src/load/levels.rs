//! The number of users of a closed model over time, and from it each user's own spans.
//!
//! Between two levels the number changes by one at a time, evenly, as k6 does: on the way from `a`
//! to `b > a` in `T`, user `a + i - 1` begins at `i T / (b - a)`; on the way down the last one who
//! came leaves first.

use std::ops::Range;
use std::time::Duration;

use super::Stage;

/// A moment at which the number of users changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    at: Duration,
    level: u32,
}

/// The number of users over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    changes: Vec<Change>,
    end: Duration,
    /// The level to reach and the time to reach it in, leg by leg.
    legs: Vec<(u32, Duration)>,
}

impl Levels {
    /// Always `vus`, from `span.start` to `span.end`.
    #[must_use]
    pub fn constant(vus: u32, span: Range<Duration>) -> Self {
        let legs = vec![(vus, Duration::ZERO), (vus, span.end.saturating_sub(span.start))];
        Self { changes: vec![Change { at: span.start, level: vus }], end: span.end, legs }
    }

    /// From `start` users on through `stages`, from the offset `begin` on.
    #[must_use]
    pub fn ramping(start: u32, stages: &[Stage<u32>], begin: Duration) -> Self {
        let mut changes = vec![Change { at: begin, level: start }];
        let (mut at, mut level) = (begin, start);
        let mut legs = vec![(start, Duration::ZERO)];
        for stage in stages {
            legs.push((stage.target, stage.duration));
            let count = level.abs_diff(stage.target);
            for i in 1..=count {
                let level = if stage.target > level { level + i } else { level - i };
                let at = at + mul_div(stage.duration, i, count);
                changes.push(Change { at, level });
            }
            at += stage.duration;
            level = stage.target;
        }
        Self { changes, end: at, legs }
    }

    /// The most users at once.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.changes.iter().map(|change| change.level).max().unwrap_or(0)
    }

    /// The number of users to reach and the time to reach it in, leg by leg, from nobody on.
    #[must_use]
    pub fn legs(&self) -> &[(u32, Duration)] {
        &self.legs
    }

    /// When user `number`, counted from 0, is there; spans that follow each other are one.
    #[must_use]
    pub fn spans(&self, number: u32) -> Vec<Range<Duration>> {
        let mut spans = Vec::new();
        let mut since = None;
        for change in &self.changes {
            match (since, change.level > number) {
                (None, true) => since = Some(change.at),
                (Some(begin), false) => {
                    spans.push(begin..change.at);
                    since = None;
                }
                _ => {}
            }
        }
        spans.extend(since.map(|begin| begin..self.end));
        spans.retain(|span| span.start < span.end);
        spans
    }
}

/// `duration * i / count`, exact to the nanosecond.
fn mul_div(duration: Duration, i: u32, count: u32) -> Duration {
    let nanos = duration.as_nanos() * u128::from(i) / u128::from(count.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(span: Range<u64>) -> Range<Duration> {
        Duration::from_secs(span.start)..Duration::from_secs(span.end)
    }

    fn stage(seconds: u64, target: u32) -> Stage<u32> {
        Stage { duration: Duration::from_secs(seconds), target }
    }

    #[test]
    fn users_come_one_by_one_and_the_last_leaves_first() {
        let levels = Levels::ramping(1, &[stage(4, 5), stage(2, 5), stage(8, 1)], Duration::ZERO);
        assert_eq!(levels.most(), 5);
        assert_eq!(levels.spans(0), [seconds(0..14)]);
        assert_eq!(levels.spans(1), [seconds(1..14)]);
        assert_eq!(levels.spans(4), [seconds(4..8)]);
        assert_eq!(levels.spans(5), []);
    }

    #[test]
    fn a_user_may_leave_and_come_again_and_a_jump_takes_no_time() {
        let stages = [stage(0, 2), stage(3, 2), stage(0, 0), stage(2, 0), stage(0, 1), stage(5, 1)];
        let levels = Levels::ramping(0, &stages, Duration::from_secs(10));
        assert_eq!(levels.spans(0), [seconds(10..13), seconds(15..20)]);
        assert_eq!(levels.spans(1), [seconds(10..13)]);
    }

    #[test]
    fn a_constant_number_is_there_all_the_time() {
        let levels = Levels::constant(2, seconds(3..9));
        assert_eq!((levels.spans(1), levels.spans(2)), (vec![seconds(3..9)], vec![]));
    }
}
