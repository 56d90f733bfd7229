//! One row per second: what was offered, what became of it, how long it took.
//!
//! A second that a phase mark cuts has a row on either side. Rows of a second keep coming until the
//! longest time limit has passed, so the latencies of old seconds are kept packed, and unpacked
//! again for the few that come late: memory grows by some hundred bytes a second.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::histogram::{DIGITS_SECOND, Histogram};
use crate::record::{Arrivals, Counters, Interval, Latency};
use crate::series::Counts;

/// How many seconds are kept unpacked: a little more than the usual time limit of a request.
const UNPACKED: usize = 64;

/// One second of one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// The second, counted from the epoch.
    pub second: u32,
    /// The phase, by place.
    pub phase: usize,
    /// Requests due in it.
    pub requests: Counts,
    /// Whole journeys whose first request was due in it.
    pub journeys: Counts,
    /// Journeys due: the load offered.
    pub due: u64,
    /// Journeys begun.
    pub begun: u64,
    /// Journeys dropped, by journey (the place of its whole-journey series).
    pub drops: BTreeMap<usize, u64>,
    /// Median response time of its requests, whatever their outcome.
    pub p50: Option<Duration>,
    /// 99th percentile of the same.
    pub p99: Option<Duration>,
    /// Longest of the same.
    pub max: Option<Duration>,
}

impl Second {
    /// Journeys dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }
}

type Key = (u32, usize);

/// Gathers the rows.
#[derive(Clone, Debug, Default)]
pub struct Seconds {
    rows: BTreeMap<Key, Second>,
    unpacked: BTreeMap<Key, Histogram>,
    packed: BTreeMap<Key, String>,
}

impl Seconds {
    /// Counts what `counters` counted; `whole` when they are those of a whole journey.
    pub fn add_counters(&mut self, counters: &Counters, whole: bool) {
        let row = self.row(counters.second, counters.phase);
        let sum = if whole { &mut row.journeys } else { &mut row.requests };
        *sum += counters.into();
    }

    /// Counts arrivals.
    pub fn add_arrivals(&mut self, arrivals: &Arrivals) {
        let row = self.row(arrivals.second, arrivals.phase);
        row.due += arrivals.due;
        row.begun += arrivals.begun;
        if arrivals.dropped > 0 {
            *row.drops.entry(arrivals.series).or_default() += arrivals.dropped;
        }
    }

    /// Adds the latencies of one step in one second.
    pub fn add_interval(&mut self, interval: &Interval) {
        let (Some(second), Latency::Response) = (interval.second, interval.latency) else {
            return;
        };
        let key = (second, interval.phase);
        let new = || Histogram::new(DIGITS_SECOND);
        self.unpacked.entry(key).or_insert_with(new).add(&interval.histogram);
        while self.unpacked.len() > UNPACKED {
            self.pack_oldest();
        }
    }

    fn row(&mut self, second: u32, phase: usize) -> &mut Second {
        let new = || Second { second, phase, ..Second::default() };
        self.rows.entry((second, phase)).or_insert_with(new)
    }

    fn pack_oldest(&mut self) {
        let Some((key, mut histogram)) = self.unpacked.pop_first() else {
            return;
        };
        let before = self.packed.get(&key).and_then(|text| Histogram::from_payload(text));
        if let Some(before) = before {
            histogram.add(&before);
        }
        self.packed.insert(key, histogram.to_payload());
    }

    /// The rows in order of time.
    #[must_use]
    pub fn finish(mut self) -> Vec<Second> {
        while !self.unpacked.is_empty() {
            self.pack_oldest();
        }
        for (key, payload) in std::mem::take(&mut self.packed) {
            let row = self.row(key.0, key.1);
            let Some(histogram) = Histogram::from_payload(&payload) else {
                continue;
            };
            row.p50 = histogram.quantile(0.5);
            row.p99 = histogram.quantile(0.99);
            row.max = histogram.max();
        }
        self.rows.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn a_second_that_comes_again_long_afterwards_is_summed() {
        let mut seconds = Seconds::default();
        for second in (0..100).chain([3]) {
            let mut histogram = Histogram::new(DIGITS_SECOND);
            histogram.record(Duration::from_millis(if second == 3 { 20 } else { 10 }));
            let (outcome, latency) = (Outcome::Ok, Latency::Response);
            let second = Some(second);
            let interval = Interval { second, phase: 0, series: 0, outcome, latency, histogram };
            seconds.add_interval(&interval);
        }
        let rows = seconds.finish();
        assert_eq!(rows.len(), 100);
        assert!(rows[3].p50.is_some_and(|p50| p50 >= Duration::from_millis(20)));
        assert!(rows[4].p99.is_some_and(|p99| p99 < Duration::from_millis(11)));
    }
}
