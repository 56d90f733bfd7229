//! Whether the run itself was sound, second by second.
//!
//! A second is not valid when over 1 % of its sends were over 20 ms late, or when journeys were
//! dropped while our own CPU was over 90 % busy. Drops in any other second are the system's doing:
//! it held on to the users that should have come back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::scope::Scope;
use crate::number;
use crate::record::Generator;
use crate::tables::Tables;

/// The share of late sends above which a second says more about us than about the system.
const LATE_SHARE_MAX: f64 = 0.01;

/// The share of the CPU at hand above which drops are our own doing.
const CPU_SHARE_MAX: f64 = 0.9;

/// The share of seconds that are not valid above which an objective cannot be judged.
pub const INVALID_SHARE_MAX: f64 = 0.02;

/// Why a second is not valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Invalid {
    /// This share of its sends was late.
    Late(f64),
    /// This many journeys were dropped while our own CPU was busy.
    Starved(u64),
}

/// How sound the run was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validity {
    /// The seconds that are not valid.
    pub invalid: BTreeMap<u32, Invalid>,
    /// First steps sent.
    pub sends: u64,
    /// Of those, sent late.
    pub late: u64,
    /// The highest 99th percentile of the send lateness in any second.
    pub lateness_p99: Duration,
    /// The longest send lateness.
    pub lateness_max: Duration,
    /// The highest share of the CPU at hand that we used in any second.
    pub cpu_peak: f64,
    /// The mean of that share.
    pub cpu_mean: f64,
    /// Requests that could not be sent for want of ports or descriptors.
    pub own_errors: u64,
    /// Journeys dropped through our own doing.
    pub dropped_own: u64,
}

impl Validity {
    /// Judges each second of `tables`.
    #[must_use]
    pub fn of(tables: &Tables) -> Self {
        let mut validity = Self::default();
        let mut drops: BTreeMap<u32, u64> = BTreeMap::new();
        for row in tables.seconds.iter().filter(|row| row.dropped() > 0) {
            *drops.entry(row.second).or_default() += row.dropped();
        }
        for (second, generator) in &tables.generator {
            let dropped = drops.get(second).copied().unwrap_or(0).max(generator.dropped);
            validity.add(generator, dropped);
        }
        let seconds = tables.generator.len().max(1) as u64;
        validity.cpu_mean /= number::float(seconds);
        for (second, why) in &validity.invalid {
            if matches!(why, Invalid::Starved(_)) {
                validity.dropped_own += drops.get(second).copied().unwrap_or(0);
            }
        }
        validity
    }

    fn add(&mut self, generator: &Generator, dropped: u64) {
        self.sends += generator.sends;
        self.late += generator.late;
        self.own_errors += generator.own_errors;
        self.lateness_p99 = self.lateness_p99.max(generator.lateness_p99);
        self.lateness_max = self.lateness_max.max(generator.lateness_max);
        let cpu = if generator.cpu_limit > 0.0 { generator.cpu / generator.cpu_limit } else { 0.0 };
        self.cpu_peak = self.cpu_peak.max(cpu);
        self.cpu_mean += cpu;

        let late = number::share(generator.late, generator.sends).unwrap_or(0.0);
        if dropped > 0 && cpu > CPU_SHARE_MAX {
            self.invalid.insert(generator.second, Invalid::Starved(dropped));
        } else if late > LATE_SHARE_MAX {
            self.invalid.insert(generator.second, Invalid::Late(late));
        }
    }

    /// Whether journeys dropped in `second` were dropped through our own doing.
    #[must_use]
    pub fn starved(&self, second: u32) -> bool {
        matches!(self.invalid.get(&second), Some(Invalid::Starved(_)))
    }

    /// The share of the seconds of `scope` that are not valid.
    #[must_use]
    pub fn invalid_share(&self, scope: &Scope) -> f64 {
        let (mut all, mut invalid) = (0, 0);
        for second in scope.seconds() {
            all += 1;
            invalid += u64::from(self.invalid.contains_key(&second));
        }
        number::share(invalid, all).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seconds::Second;

    #[test]
    fn over_one_percent_of_late_sends_spoil_a_second_and_one_percent_does_not() {
        assert_eq!(judged(second(0, 100, 2, 0.1), 0), Some(Invalid::Late(0.02)));
        assert_eq!(judged(second(0, 100, 1, 0.1), 0), None);
        assert_eq!(judged(second(0, 0, 0, 0.1), 0), None);
    }

    #[test]
    fn drops_are_ours_only_while_our_own_cpu_is_busy() {
        assert_eq!(judged(second(0, 100, 0, 1.81), 7), Some(Invalid::Starved(7)));
        assert_eq!(judged(second(0, 100, 0, 1.79), 7), None);
    }

    #[test]
    fn a_scope_counts_its_own_seconds_only() {
        let invalid = [(1, Invalid::Late(0.5)), (7, Invalid::Late(0.5))].into();
        let validity = Validity { invalid, ..Validity::default() };
        let spans = vec![Duration::from_secs(5)..Duration::from_secs(9)];
        let share = validity.invalid_share(&Scope { phases: vec![0], spans });
        assert!((share - 0.25).abs() < 1e-9);
    }

    fn judged(generator: Generator, dropped: u64) -> Option<Invalid> {
        let row = Second { drops: [(0, dropped)].into(), ..Second::default() };
        let generator = [(0, generator)].into();
        let tables = Tables { generator, seconds: vec![row], ..Tables::default() };
        Validity::of(&tables).invalid.get(&0).copied()
    }

    fn second(second: u32, sends: u64, late: u64, cpu: f64) -> Generator {
        Generator {
            second,
            sends,
            late,
            cpu,
            cpu_limit: 2.0,
            lateness_p99: Duration::ZERO,
            lateness_max: Duration::ZERO,
            in_flight: 0,
            dropped: 0,
            own_errors: 0,
            descriptors: 0,
        }
    }
}
