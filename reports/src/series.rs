//! Requests and latencies of whole phases, by series: the tables behind every percentile.
//!
//! A run's size here is phases times series, however many requests it made.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::AddAssign;

use crate::histogram::{DIGITS_PHASE, Histogram};
use crate::outcome::{Cause, Outcome};
use crate::record::{Counters, Interval, Latency};

/// Requests by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered as expected.
    pub ok: u64,
    /// Certainly not served.
    pub failed: u64,
    /// Perhaps acted upon, never answered in full.
    pub unknown: u64,
    /// Not sent for want of the generator's own means; part of no total.
    pub own: u64,
}

impl Counts {
    /// Requests that say something about the system.
    #[must_use]
    pub fn total(self) -> u64 {
        self.ok + self.failed + self.unknown
    }

    /// Requests that failed or whose outcome is unknown.
    #[must_use]
    pub fn not_ok(self) -> u64 {
        self.failed + self.unknown
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.own += other.own;
    }
}

impl From<&Counters> for Counts {
    fn from(counters: &Counters) -> Self {
        let Counters { ok, failed, unknown, own, .. } = *counters;
        Self { ok, failed, unknown, own }
    }
}

/// Whose latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    phase: usize,
    series: usize,
    outcome: Outcome,
    latency: Latency,
}

/// Requests of one cause, in one phase and series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseCount {
    /// How many.
    pub count: u64,
    /// The first second in which one was due.
    pub first: u32,
    /// The last second in which one was due.
    pub last: u32,
}

/// Sums by phase and series.
#[derive(Clone, Debug, Default)]
pub struct PhaseTables {
    counts: BTreeMap<(usize, usize), Counts>,
    causes: BTreeMap<(usize, usize, Cause), CauseCount>,
    fine: BTreeMap<Key, Histogram>,
    coarse: BTreeMap<Key, Histogram>,
    bytes: u64,
}

impl PhaseTables {
    /// Counts what `counters` counted.
    pub fn add_counters(&mut self, counters: &Counters) {
        *self.counts.entry((counters.phase, counters.series)).or_default() += counters.into();
        self.bytes += counters.bytes;
        for (cause, count) in &counters.causes {
            let new = CauseCount { count: 0, first: counters.second, last: counters.second };
            let key = (counters.phase, counters.series, *cause);
            let sum = self.causes.entry(key).or_insert(new);
            sum.count += count;
            sum.first = sum.first.min(counters.second);
            sum.last = sum.last.max(counters.second);
        }
    }

    /// Adds the latencies of `interval`.
    pub fn add_interval(&mut self, interval: &Interval) {
        let Interval { phase, series, outcome, latency, .. } = *interval;
        let key = Key { phase, series, outcome, latency };
        let sums = if interval.second.is_some() { &mut self.coarse } else { &mut self.fine };
        match sums.entry(key) {
            Entry::Occupied(mut sum) => sum.get_mut().add(&interval.histogram),
            Entry::Vacant(place) => {
                place.insert(interval.histogram.clone());
            }
        }
    }

    /// The requests of these phases and series.
    #[must_use]
    pub fn counts(&self, phases: &[usize], series: &[usize]) -> Counts {
        let mut sum = Counts::default();
        for ((phase, of), counts) in &self.counts {
            if phases.contains(phase) && series.contains(of) {
                sum += *counts;
            }
        }
        sum
    }

    /// The latencies of these phases, series and outcomes. A run that was cut off lacks the 3-digit
    /// record of its last phase: there the seconds, with their 2 digits, know more.
    #[must_use]
    pub fn latency(
        &self,
        phases: &[usize],
        series: &[usize],
        outcomes: &[Outcome],
        latency: Latency,
    ) -> Histogram {
        let mut sum = Histogram::new(DIGITS_PHASE);
        for &phase in phases {
            for &series in series {
                for &outcome in outcomes {
                    let key = Key { phase, series, outcome, latency };
                    let fine = self.fine.get(&key);
                    let coarse = self.coarse.get(&key);
                    let counted = |histogram: &&Histogram| histogram.count();
                    let best = coarse.into_iter().chain(fine).max_by_key(counted);
                    if let Some(histogram) = best {
                        sum.add(histogram);
                    }
                }
            }
        }
        sum
    }

    /// Requests that were not ok, by phase, series and cause.
    pub fn causes(&self) -> impl Iterator<Item = (usize, usize, Cause, CauseCount)> {
        self.causes.iter().map(|(&(phase, series, cause), &count)| (phase, series, cause, count))
    }

    /// Bytes of the answers' bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
