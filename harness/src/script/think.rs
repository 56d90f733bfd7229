//! How long a user thinks.

use std::f64::consts::TAU;
use std::time::Duration;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::journey::{DrawnWritten, ThinkWritten};

/// The longest that a user thinks: what a tail draws beyond it would outlast most runs.
const LONGEST: Duration = Duration::from_hours(1);

/// A distribution of think times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Think {
    /// Always the same.
    Fixed(Duration),
    /// Any time between two.
    Uniform(Duration, Duration),
    /// `median · e^(sigma · z)` with a standard normal `z`.
    Lognormal {
        /// Half of the times are shorter.
        median: Duration,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
    /// `-mean · ln(1 - u)` with a uniform `u`.
    Exponential(Duration),
}

/// What is wrong with a think time: the key, what, and what was expected.
pub(super) type Wrong = (&'static str, &'static str, &'static str);

impl Think {
    /// The distribution as written.
    pub(super) fn of(written: &ThinkWritten) -> Result<Self, Wrong> {
        let drawn = match written {
            ThinkWritten::Fixed(length) => return Ok(Self::Fixed(length.0)),
            ThinkWritten::Drawn(drawn) => drawn,
        };
        match drawn {
            DrawnWritten { uniform: Some(both), lognormal: None, exponential: None } => {
                match both.as_slice() {
                    [from, to] if from.0 <= to.0 => Ok(Self::Uniform(from.0, to.0)),
                    _ => Err((
                        "uniform",
                        "not a span of time",
                        "two times, the shorter first: `[1s, 3s]`",
                    )),
                }
            }
            DrawnWritten { uniform: None, lognormal: Some(log), exponential: None } => {
                if (0.0..=3.0).contains(&log.sigma) {
                    return Ok(Self::Lognormal { median: log.median.0, sigma: log.sigma });
                }
                Err(("lognormal", "a spread that nobody has", "`sigma` from 0 to 3"))
            }
            DrawnWritten { uniform: None, lognormal: None, exponential: Some(mean) } => {
                Ok(Self::Exponential(mean.0))
            }
            _ => Err((
                "",
                "a think time is drawn from one distribution",
                "a duration, or one of `uniform`, `lognormal`, `exponential`",
            )),
        }
    }

    /// One think time.
    #[must_use]
    pub fn draw(self, random: &mut Pcg64Mcg) -> Duration {
        let seconds = match self {
            Self::Fixed(length) => return length,
            Self::Uniform(from, to) => {
                let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                return Duration::from_nanos(random.random_range(nanos(from)..=nanos(to)));
            }
            Self::Lognormal { median, sigma } => {
                median.as_secs_f64() * (sigma * normal(random)).exp()
            }
            Self::Exponential(mean) => {
                let uniform: f64 = random.random();
                -mean.as_secs_f64() * (1.0 - uniform).ln()
            }
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }
}

/// A standard normal number, by Box and Muller (1958).
fn normal(random: &mut Pcg64Mcg) -> f64 {
    let (radius, angle): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Ten thousand draws in seconds, in order of length.
    fn draws(think: Think) -> Vec<f64> {
        let mut random = Pcg64Mcg::seed_from_u64(5);
        let mut all: Vec<f64> =
            (0..10_000).map(|_| think.draw(&mut random).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    #[track_caller]
    fn near(found: f64, wanted: f64) {
        assert!((found / wanted - 1.0).abs() < 0.05, "{found} is not near {wanted}");
    }

    #[test]
    fn times_follow_their_distribution() {
        let second = Duration::from_secs(1);
        let uniform = draws(Think::Uniform(second, second * 3));
        assert!(uniform[0] >= 1.0 && uniform[9_999] <= 3.0);
        near(uniform[5_000], 2.0);
        let lognormal = draws(Think::Lognormal { median: second * 2, sigma: 0.5 });
        near(lognormal[5_000], 2.0);
        // The quantile of one deviation: median · e^sigma.
        near(lognormal[8_413], 2.0 * 0.5_f64.exp());
        let exponential = draws(Think::Exponential(second * 2));
        near(exponential.iter().sum::<f64>() / 10_000.0, 2.0);
        near(exponential[5_000], 2.0 * 2.0_f64.ln());
        assert_eq!(Think::Fixed(second).draw(&mut Pcg64Mcg::seed_from_u64(1)), second);
    }
}
