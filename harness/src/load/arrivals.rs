//! Due times: pure arithmetic from the epoch.
//!
//! The rate is a line of legs; its integral, the expected number of arrivals by a moment, rises
//! from leg to leg. Arrival `i` is due when the integral reaches `i` (uniform spacing), or the sum
//! of `i` exponential gaps of mean one (Poisson spacing; the time change that makes any Poisson
//! process from the one of rate one, Çinlar 1975, theorem 4.7.1). Each due time is computed from
//! the epoch anew, so rounding never adds up.
//!
//! ```text
//! rate                         within a leg from rate a to rate b of length T:
//!   |      ____ b              N(t) = a t + (b - a) t² / 2T
//!   | a __/    |               t(N) = 2N / (a + sqrt(a² + 2 (b - a) N / T))
//!   +---------- t
//! ```

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Spacing;

/// A stretch of time over which the rate moves evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// How long it is.
    pub length: Duration,
    /// Arrivals a second at its begin.
    pub from: f64,
    /// Arrivals a second at its end.
    pub to: f64,
}

impl Leg {
    /// How many arrivals are expected in it.
    #[must_use]
    pub fn arrivals(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.length.as_secs_f64()
    }

    /// The moment in this leg, in seconds, by which `arrivals` are expected.
    fn moment(&self, arrivals: f64) -> f64 {
        let slope = (self.to - self.from) / self.length.as_secs_f64();
        let root = (self.from * self.from + 2.0 * slope * arrivals).max(0.0).sqrt();
        let sum = self.from + root;
        if sum > 0.0 { 2.0 * arrivals / sum } else { 0.0 }
    }
}

/// The due times of one load profile, in order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    legs: Vec<Leg>,
    spacing: Spacing,
    random: Pcg64Mcg,
    /// The place of the next arrival.
    next: u64,
    /// The sum of the gaps before the next arrival, in expected arrivals.
    gaps: f64,
    /// The current leg, when it begins, and how many arrivals are expected before it.
    leg: usize,
    leg_begin: Duration,
    leg_before: f64,
}

impl Arrivals {
    /// The arrivals of a profile whose rate follows `legs`.
    #[must_use]
    pub fn new(legs: Vec<Leg>, spacing: Spacing, seed: u64) -> Self {
        Self {
            legs,
            spacing,
            random: Pcg64Mcg::seed_from_u64(seed),
            next: 0,
            gaps: 0.0,
            leg: 0,
            leg_begin: Duration::ZERO,
            leg_before: 0.0,
        }
    }

    /// How many arrivals are expected before the next one.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 arrivals")]
    fn expected(&mut self) -> f64 {
        match self.spacing {
            Spacing::Uniform => self.next as f64,
            Spacing::Poisson => {
                let uniform: f64 = self.random.random();
                self.gaps -= (1.0 - uniform).ln();
                self.gaps
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let expected = self.expected();
        self.next += 1;
        loop {
            let leg = self.legs.get(self.leg)?;
            let within = expected - self.leg_before;
            if within < leg.arrivals() {
                return Some(self.leg_begin + Duration::from_secs_f64(leg.moment(within)));
            }
            self.leg_before += leg.arrivals();
            self.leg_begin += leg.length;
            self.leg += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rate: f64, seconds: u64) -> Vec<Leg> {
        vec![Leg { length: Duration::from_secs(seconds), from: rate, to: rate }]
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced_and_does_not_drift() {
        let due: Vec<Duration> = Arrivals::new(flat(3.0, 3600), Spacing::Uniform, 0).collect();
        assert_eq!(due.len(), 10_800);
        for (i, due) in (0_u32..).zip(&due) {
            let exact = Duration::from_secs(1) * i / 3;
            assert!(due.abs_diff(exact) < Duration::from_nanos(2), "{i}: {due:?} {exact:?}");
        }
    }

    #[test]
    fn a_ramp_holds_the_area_under_its_line() {
        let up = Leg { length: Duration::from_secs(10), from: 0.0, to: 100.0 };
        let flat = Leg { length: Duration::from_secs(5), from: 100.0, to: 100.0 };
        let down = Leg { length: Duration::from_secs(10), from: 100.0, to: 0.0 };
        let due: Vec<Duration> = Arrivals::new(vec![up, flat, down], Spacing::Uniform, 0).collect();
        let by = |second| due.iter().filter(|due| due.as_secs() < second).count();
        assert_eq!((by(10), by(15), due.len()), (500, 1000, 1500));
        assert_eq!(by(5), 125);
        assert!(due.is_sorted());
    }

    #[test]
    fn poisson_arrivals_come_from_the_seed_at_the_right_rate() {
        let arrivals = |seed| Arrivals::new(flat(1000.0, 60), Spacing::Poisson, seed);
        let due: Vec<Duration> = arrivals(7).collect();
        assert_eq!(due, arrivals(7).collect::<Vec<_>>());
        assert_ne!(due, arrivals(8).collect::<Vec<_>>());
        // 60,000 expected with standard deviation 245; the seeds are fixed, so this cannot flake.
        assert!(due.len().abs_diff(60_000) < 4 * 245, "{}", due.len());
        let gaps =
            due.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64() * 1000.0);
        let squares: f64 = gaps.map(|gap| (gap - 1.0) * (gap - 1.0)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let variance = squares / due.len() as f64;
        assert!((variance - 1.0).abs() < 0.05, "exponential gaps have variance 1, not {variance}");
    }

    #[test]
    fn a_rate_of_zero_has_no_arrivals() {
        assert_eq!(Arrivals::new(flat(0.0, 10), Spacing::Uniform, 0).count(), 0);
    }
}
