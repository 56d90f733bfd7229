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

use std::sync::Arc;
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

/// A leg and what lies before it.
#[derive(Clone, Copy, Debug)]
struct Placed {
    leg: Leg,
    /// When it begins.
    begin: Duration,
    /// Arrivals expected before it.
    before: f64,
}

/// The rate of a profile over its time.
#[derive(Clone, Debug)]
pub struct Line {
    legs: Vec<Placed>,
    total: f64,
}

impl Line {
    /// The line of `legs`, which begins at the offset `begin`.
    #[must_use]
    pub fn new(begin: Duration, legs: &[Leg]) -> Self {
        let (mut begin, mut total) = (begin, 0.0);
        let place = |leg: &Leg| {
            let placed = Placed { leg: *leg, begin, before: total };
            begin += leg.length;
            total += leg.arrivals();
            placed
        };
        let legs = legs.iter().map(place).collect();
        Self { legs, total }
    }

    /// How many arrivals are expected on it.
    #[must_use]
    pub fn arrivals(&self) -> f64 {
        self.total
    }

    /// When the integral of the rate reaches `expected`; `None` when it never does.
    #[must_use]
    pub fn moment(&self, expected: f64) -> Option<Duration> {
        if expected >= self.total {
            return None;
        }
        let after = self.legs.partition_point(|placed| placed.before <= expected);
        let placed = self.legs[..after].iter().rev().find(|placed| placed.leg.arrivals() > 0.0)?;
        let within = placed.leg.moment(expected - placed.before);
        Some(placed.begin + Duration::from_secs_f64(within))
    }
}

/// Where due times come from.
#[derive(Clone, Debug)]
enum Source {
    /// The line of a rate, evenly spaced.
    Uniform(Line),
    /// The same, as independent users come; the sum of the gaps so far, in expected arrivals.
    Poisson(Line, f64),
    /// A record.
    Recorded(Arc<[Duration]>),
}

/// The due times of one load thread's part of a profile, in order, each with its number among all
/// arrivals of the profile.
#[derive(Clone, Debug)]
pub struct Arrivals {
    source: Source,
    random: Pcg64Mcg,
    /// The number of the arrival to come, among those of all threads.
    next: u64,
    /// Of how many threads this is one: of so many arrivals it takes the first.
    step: u64,
}

impl Arrivals {
    /// All arrivals on `line`.
    #[must_use]
    pub fn on(line: Line, spacing: Spacing, seed: u64) -> Self {
        let source = match spacing {
            Spacing::Uniform => Source::Uniform(line),
            Spacing::Poisson => Source::Poisson(line, 0.0),
        };
        Self { source, random: Pcg64Mcg::seed_from_u64(seed), next: 0, step: 1 }
    }

    /// All arrivals of a record, whose offsets are in order.
    #[must_use]
    pub fn recorded(offsets: Arc<[Duration]>) -> Self {
        let source = Source::Recorded(offsets);
        Self { source, random: Pcg64Mcg::seed_from_u64(0), next: 0, step: 1 }
    }

    /// Only those of thread `place` of `of`: arrival `i` belongs to thread `i mod of`.
    #[must_use]
    pub fn share(mut self, place: usize, of: usize) -> Self {
        self.skip_gaps(place as u64);
        (self.next, self.step) = (place as u64, of as u64);
        self
    }

    /// Draws the gaps of arrivals that other threads take, so that all threads know one process.
    fn skip_gaps(&mut self, count: u64) {
        if let Source::Poisson(_, gaps) = &mut self.source {
            for _ in 0..count {
                *gaps += gap(&mut self.random);
            }
        }
    }
}

/// An exponential gap of mean one.
fn gap(random: &mut Pcg64Mcg) -> f64 {
    let uniform: f64 = random.random();
    -(1.0 - uniform).ln()
}

impl Iterator for Arrivals {
    type Item = (Duration, u64);

    fn next(&mut self) -> Option<(Duration, u64)> {
        let number = self.next;
        let due = match &mut self.source {
            #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 arrivals")]
            Source::Uniform(line) => line.moment(number as f64)?,
            Source::Poisson(line, gaps) => {
                *gaps += gap(&mut self.random);
                line.moment(*gaps)?
            }
            Source::Recorded(offsets) => *offsets.get(usize::try_from(number).ok()?)?,
        };
        self.next += self.step;
        self.skip_gaps(self.step - 1);
        Some((due, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rate: f64, seconds: u64) -> Line {
        let leg = Leg { length: Duration::from_secs(seconds), from: rate, to: rate };
        Line::new(Duration::ZERO, &[leg])
    }

    fn due(arrivals: Arrivals) -> Vec<Duration> {
        arrivals.map(|(due, _)| due).collect()
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced() {
        let due = due(Arrivals::on(flat(3.0, 3600), Spacing::Uniform, 0));
        assert_eq!(due.len(), 10_800);
        for (i, due) in (0_u32..).zip(&due) {
            let exact = Duration::from_secs(1) * i / 3;
            assert!(due.abs_diff(exact) < Duration::from_nanos(2), "{i}: {due:?} {exact:?}");
        }
    }

    /// Against exact fractions: arrival `i` at `count` in `per` nanoseconds is due at
    /// `i * per / count`. A thousand million arrivals each, looked at in a million places that are
    /// drawn from a seed, and at both ends.
    #[test]
    fn no_due_time_drifts_over_a_thousand_million_arrivals() {
        const ARRIVALS: u64 = 1_000_000_000;
        let mut random = Pcg64Mcg::seed_from_u64(11);
        for (count, per) in [(1_u64, 1_000_000_000_u64), (20_000, 1_000_000_000), (7, 3_000_000)] {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let rate = count as f64 * 1e9 / per as f64;
            let seconds = ARRIVALS / count * per / 1_000_000_000 + 2 * per;
            let line = flat(rate, seconds);
            let mut check = |i: u64| {
                #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
                let due = line.moment(i as f64).expect("on the line").as_nanos();
                let exact = u128::from(i) * u128::from(per) / u128::from(count);
                // A 53-bit mantissa holds 10^9 s to 0.1 us.
                assert!(due.abs_diff(exact) <= 1 + exact / (1 << 51), "{i}: {due} {exact}");
            };
            (0..1000).for_each(&mut check);
            (ARRIVALS - 1000..ARRIVALS).for_each(&mut check);
            (0..300_000).for_each(|_| check(random.random_range(0..ARRIVALS)));
        }
    }

    #[test]
    fn a_ramp_holds_the_area_under_its_line() {
        let up = Leg { length: Duration::from_secs(10), from: 0.0, to: 100.0 };
        let flat = Leg { length: Duration::from_secs(5), from: 100.0, to: 100.0 };
        let down = Leg { length: Duration::from_secs(10), from: 100.0, to: 0.0 };
        let line = Line::new(Duration::ZERO, &[up, flat, down]);
        let due = due(Arrivals::on(line, Spacing::Uniform, 0));
        let by = |second| due.iter().filter(|due| due.as_secs() < second).count();
        assert_eq!((by(10), by(15), due.len()), (500, 1000, 1500));
        assert_eq!(by(5), 125);
        assert!(due.is_sorted());
    }

    #[test]
    fn stages_of_no_length_jump_as_spikes_and_stairs_do() {
        let leg = |seconds, from, to| Leg { length: Duration::from_secs(seconds), from, to };
        let legs = [leg(2, 10.0, 10.0), leg(0, 10.0, 50.0), leg(1, 50.0, 50.0), leg(0, 50.0, 0.0)];
        let line = Line::new(Duration::from_secs(5), &legs);
        let due = due(Arrivals::on(line, Spacing::Uniform, 0));
        let within =
            |from, to| due.iter().filter(|due| (from..to).contains(&due.as_secs())).count();
        assert_eq!((within(5, 7), within(7, 8), due.len()), (20, 50, 70));
        assert_eq!(due[0], Duration::from_secs(5));
    }

    #[test]
    fn poisson_arrivals_come_from_the_seed_at_the_right_rate() {
        let arrivals = |seed| due(Arrivals::on(flat(1000.0, 60), Spacing::Poisson, seed));
        let due = arrivals(7);
        assert_eq!(due, arrivals(7));
        assert_ne!(due, arrivals(8));
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
    fn threads_share_one_process_without_loss_or_overlap() {
        for spacing in [Spacing::Uniform, Spacing::Poisson] {
            let all = Arrivals::on(flat(100.0, 10), spacing, 3);
            let mut shared: Vec<_> = (0..3).flat_map(|it| all.clone().share(it, 3)).collect();
            shared.sort();
            assert_eq!(shared, all.collect::<Vec<_>>(), "{spacing:?}");
        }
    }

    #[test]
    fn a_record_is_replayed_as_it_is() {
        let offsets: Vec<Duration> = [1, 1, 5].map(Duration::from_millis).to_vec();
        assert_eq!(due(Arrivals::recorded(offsets.clone().into())), offsets);
    }

    #[test]
    fn a_rate_of_zero_has_no_arrivals() {
        assert_eq!(Arrivals::on(flat(0.0, 10), Spacing::Uniform, 0).count(), 0);
    }
}
