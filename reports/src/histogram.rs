//! Latencies as HDR histograms: 1 microsecond to 10 minutes, in microseconds.
//!
//! Histograms are merged by addition and percentiles are read from the sum; a percentile is never
//! averaged. On disk each is the V2 payload of `HdrHistogram`, deflated and in base64, the same
//! text that an `.hlog` line carries.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::micros;

/// The longest latency that is told apart; longer ones are counted here. Ten minutes is longer
/// than any time limit that a scenario may set.
const LONGEST: Duration = Duration::from_mins(10);

/// Significant decimal digits of the histograms kept each second: within 1 %.
pub const DIGITS_SECOND: u8 = 2;

/// Significant decimal digits of the histograms kept for a whole phase: within 0.1 %.
pub const DIGITS_PHASE: u8 = 3;

/// A distribution of latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// An empty histogram with `digits` significant decimal digits, 1 to 5.
    #[must_use]
    pub fn new(digits: u8) -> Self {
        let histogram = hdrhistogram::Histogram::new_with_bounds(1, micros::of(LONGEST), digits);
        Self(histogram.expect("the bounds are in order and the digits between 1 and 5"))
    }

    /// Counts one latency; below a microsecond as one, beyond ten minutes as ten minutes.
    pub fn record(&mut self, latency: Duration) {
        self.record_micros(micros::of(latency));
    }

    /// The same of a latency in whole microseconds, for what is counted in several histograms.
    pub fn record_micros(&mut self, latency: u64) {
        self.0.saturating_record(latency.max(1));
    }

    /// Adds all that `other` counted. The digits may differ; the coarser one's error stays.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all histograms have the same upper bound");
    }

    /// Forgets all counts and keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many latencies were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The latency that the share `quantile` (0 to 1) of all did not exceed; `None` when empty.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(quantile)))
    }

    /// The longest latency, to the histogram's digits; `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_micros(self.0.max()))
    }

    /// How many latencies were longer than `limit`, to the histogram's digits.
    #[must_use]
    pub fn count_over(&self, limit: Duration) -> u64 {
        self.0.len() - self.0.count_between(0, micros::of(limit))
    }

    /// The payload of an `.hlog` line: V2, deflated, in base64.
    #[must_use]
    pub fn to_payload(&self) -> String {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        written.expect("a histogram always serialises to memory");
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads the payload of an `.hlog` line; `None` when it is not one.
    #[must_use]
    pub fn from_payload(payload: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(payload).ok()?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).ok().map(Self)
    }
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_payload().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = String::deserialize(deserializer)?;
        Self::from_payload(&payload).ok_or_else(|| D::Error::custom("not a V2 histogram payload"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_its_payload() {
        let mut histogram = Histogram::new(DIGITS_PHASE);
        for ms in 1..=1000 {
            histogram.record(Duration::from_millis(ms));
        }
        let back = Histogram::from_payload(&histogram.to_payload()).expect("own payload");
        assert_eq!(back, histogram);
        assert!(histogram.to_payload().starts_with("HISTFAAAA"));
    }

    #[test]
    fn percentiles_of_a_sum_are_those_of_all_values() {
        let (mut fast, mut slow) = (Histogram::new(2), Histogram::new(2));
        (0..99).for_each(|_| fast.record(Duration::from_millis(1)));
        slow.record(Duration::from_secs(2));
        fast.add(&slow);
        assert_eq!(fast.count(), 100);
        assert!(fast.quantile(0.5).is_some_and(|p50| p50 < Duration::from_micros(1100)));
        assert!(fast.quantile(1.0).is_some_and(|p100| p100 >= Duration::from_secs(2)));
    }

    #[test]
    fn what_is_longer_than_ten_minutes_is_still_counted() {
        let mut histogram = Histogram::new(2);
        histogram.record(Duration::from_hours(1));
        assert_eq!(histogram.count(), 1);
        assert_eq!(histogram.count_over(Duration::from_mins(9)), 1);
    }
}
