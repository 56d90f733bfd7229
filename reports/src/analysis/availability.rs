//! Availability, by several definitions from one record. Each contract picks its own, and each
//! gives another number for the same run.
//!
//! - Request ratio: ok / (ok + failed + unknown + lost). A journey that was dropped because the
//!   system held on to its users loses as many requests as a journey makes on average.
//! - Time: 1 - downtime / time, where downtime is the prober's at the front door.
//! - Error minutes (Amazon S3 SLA): 1 - the mean of the error rates of all 5-minute slots.
//! - Error-rate minutes (Google Cloud SLAs): downtime is only what lasts whole minutes in a row
//!   with an error rate above a threshold.
//! - Loss of connectivity (Google Compute Engine SLA): outages of a minute and more.
//! - The longest gap between two ok answers (the usual measure of database failovers).
//! - User uptime (Hauer et al., Meaningful Availability, NSDI 2020) needs every user's every
//!   request, which the record holds only for requests that were not ok.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::outage::{Outage, Probing};
use crate::analysis::scope::Scope;
use crate::analysis::validity::Validity;
use crate::number;
use crate::run::Run;
use crate::series::Counts;
use crate::tables::Tables;

/// Seconds of a 365-day year, of which a yearly error budget is a share.
const YEAR: f64 = 365.0 * 24.0 * 3600.0;

/// The yearly availabilities whose budgets are told.
pub const YEARLY_TARGETS: [f64; 3] = [0.999, 0.9995, 0.9999];

/// What became of the requests of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Those that were made.
    pub counts: Counts,
    /// Those that were not made because the system held on to the users.
    pub lost: u64,
    /// Journeys dropped, whoever's doing it was.
    pub dropped: u64,
}

impl Requests {
    /// The requests of the phases of `scope`.
    #[must_use]
    pub fn of(run: &Run, tables: &Tables, validity: &Validity, scope: &Scope) -> Self {
        let counts = tables.phases.counts(&scope.phases, &run.steps());
        let mut dropped = 0;
        let mut lost_by_journey: BTreeMap<usize, u64> = BTreeMap::new();
        for row in tables.seconds.iter().filter(|row| scope.phases.contains(&row.phase)) {
            dropped += row.dropped();
            if !validity.starved(row.second) {
                for (journey, drops) in &row.drops {
                    *lost_by_journey.entry(*journey).or_default() += drops;
                }
            }
        }
        let lost = lost_by_journey
            .iter()
            .map(|(journey, drops)| drops * requests_per_journey(run, tables, *journey));
        Self { counts, lost: lost.sum(), dropped }
    }

    /// The share that was ok; `None` when there were none.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        number::share(self.counts.ok, self.counts.total() + self.lost)
    }
}

/// How many requests a journey makes, on average over the run: at least one.
fn requests_per_journey(run: &Run, tables: &Tables, journey: usize) -> u64 {
    let phases: Vec<usize> = (0..run.phases.len()).collect();
    let steps: Vec<usize> = run.steps_of(journey);
    let requests = tables.phases.counts(&phases, &steps).total();
    let journeys = tables.phases.counts(&phases, &[journey]).total();
    let rounded = (requests + journeys / 2).checked_div(journeys);
    rounded.unwrap_or(steps.len() as u64).max(1)
}

/// A definition of availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// The share of requests that were ok.
    Requests,
    /// The share of time in which the front door answered probes.
    Time,
    /// Amazon S3: error rates of 5-minute slots, averaged.
    ErrorSlots,
    /// Google Cloud Functions: over 10 % errors, a minute at least.
    ErrorMinute,
    /// Google Media CDN: over 5 % errors, five minutes in a row at least.
    ErrorFiveMinutes,
    /// Google Compute Engine load balancing: no connectivity for a minute at least.
    Connectivity,
    /// The longest gap between two ok answers.
    Gap,
    /// Meaningful Availability: the mean of the users' uptimes.
    UserUptime,
}

/// What a definition makes of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// This share.
    Share(f64),
    /// This share, from slots that are shorter than the definition's.
    Scaled(f64, Duration),
    /// This span, known to this resolution.
    Span(Duration, Duration),
    /// The run is too short: the definition needs this long.
    TooShort(Duration),
    /// The record does not hold what it needs.
    NotRecorded,
}

/// The whole scope under each definition.
#[must_use]
pub fn readings(
    run: &Run,
    tables: &Tables,
    requests: &Requests,
    front: Option<&Probing>,
    scope: &Scope,
) -> Vec<(Definition, Value)> {
    let share = |share: Option<f64>| share.map_or(Value::NotRecorded, Value::Share);
    let minutes = |count: usize, above: f64| error_minutes(tables, scope, count, above);
    vec![
        (Definition::Requests, share(requests.availability())),
        (Definition::Time, share(front.and_then(|front| time(front, scope)))),
        (Definition::ErrorSlots, error_slots(tables, scope)),
        (Definition::ErrorMinute, minutes(1, 0.10)),
        (Definition::ErrorFiveMinutes, minutes(5, 0.05)),
        (Definition::Connectivity, connectivity(front, scope)),
        (Definition::Gap, gap(run, tables, scope)),
        (Definition::UserUptime, Value::NotRecorded),
    ]
}

/// The share of `scope` in which the target answered; `None` when it was never probed in it.
#[must_use]
pub fn time(front: &Probing, scope: &Scope) -> Option<f64> {
    let length = scope.length();
    let probed = front.probes > front.excluded && length > Duration::ZERO;
    probed.then(|| 1.0 - front.downtime(scope).as_secs_f64() / length.as_secs_f64())
}

/// Error rates of consecutive slots of `length` seconds from the begin of the scope; slots without
/// requests have no rate.
fn slot_rates(tables: &Tables, scope: &Scope, length: usize) -> Vec<Option<f64>> {
    let seconds: Vec<u32> = scope.seconds().collect();
    let mut slots = vec![Counts::default(); seconds.len().div_ceil(length)];
    for row in tables.seconds.iter().filter(|row| scope.phases.contains(&row.phase)) {
        if let Ok(place) = seconds.binary_search(&row.second) {
            slots[place / length] += row.requests;
        }
    }
    slots.iter().map(|slot| number::share(slot.not_ok(), slot.total())).collect()
}

fn error_slots(tables: &Tables, scope: &Scope) -> Value {
    const SLOT: usize = 300;
    let rates: Vec<f64> = slot_rates(tables, scope, SLOT).into_iter().flatten().collect();
    if rates.is_empty() {
        return Value::NotRecorded;
    }
    let mean = rates.iter().sum::<f64>() / number::float(rates.len() as u64);
    let length = scope.length();
    if length < Duration::from_secs(SLOT as u64) {
        return Value::Scaled(1.0 - mean, length);
    }
    Value::Share(1.0 - mean)
}

/// Minutes with an error rate above `above`, when `run_length` of them come in a row, are downtime;
/// the part of a minute at the end is not counted.
fn error_minutes(tables: &Tables, scope: &Scope, run_length: usize, above: f64) -> Value {
    let whole = scope.seconds().count() / 60;
    if whole < run_length {
        return Value::TooShort(Duration::from_secs(60 * run_length as u64));
    }
    let rates = slot_rates(tables, scope, 60);
    let bad: Vec<bool> =
        rates[..whole].iter().map(|rate| rate.is_some_and(|rate| rate > above)).collect();
    let runs = bad.chunk_by(|a, b| a == b).filter(|run| run[0] && run.len() >= run_length);
    let down: usize = runs.map(<[bool]>::len).sum();
    Value::Share(1.0 - number::float(down as u64) / number::float(whole as u64))
}

fn connectivity(front: Option<&Probing>, scope: &Scope) -> Value {
    const SHORTEST: Duration = Duration::from_mins(1);
    let Some(front) = front.filter(|front| front.probes > front.excluded) else {
        return Value::NotRecorded;
    };
    if scope.length() < SHORTEST {
        return Value::TooShort(SHORTEST);
    }
    let counted = |outage: &&Outage| outage.length >= SHORTEST;
    let part = |outage: &Outage| scope.overlap(outage.begin, outage.begin + outage.length);
    let down: Duration = front.outages.iter().filter(counted).map(part).sum();
    Value::Share(1.0 - down.as_secs_f64() / scope.length().as_secs_f64())
}

/// The longest gap between good probes at the front door. Without probes, the one between answers
/// of the load: of those only the first and the last of each second are recorded, so that a gap
/// may be up to two seconds longer than it looks.
fn gap(run: &Run, tables: &Tables, scope: &Scope) -> Value {
    let good = tables.probes.iter().take(1).flatten();
    let good = good.filter(|probe| probe.valid && probe.cause.is_none());
    let mut spans: Vec<(Duration, Duration)> = good.map(|probe| (probe.done, probe.done)).collect();
    let mut resolution = run.prober.period;
    if spans.is_empty() {
        spans = tables.served.iter().map(|served| (served.first, served.last)).collect();
        resolution = Duration::from_secs(2);
    }
    if spans.len() < 2 {
        return Value::NotRecorded;
    }
    spans.sort_unstable();
    let mut longest = Duration::ZERO;
    let mut last = spans[0].1;
    for (first, until) in spans {
        if scope.contains(last) || scope.contains(first) {
            longest = longest.max(first.saturating_sub(last));
        }
        last = last.max(until);
    }
    Value::Span(longest, resolution)
}

/// Which share of a yearly error budget `downtime` burns, for each of [`YEARLY_TARGETS`].
#[must_use]
pub fn budget_shares(downtime: Duration) -> [f64; 3] {
    YEARLY_TARGETS.map(|target| downtime.as_secs_f64() / ((1.0 - target) * YEAR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seconds::Second;

    #[test]
    fn twelve_seconds_burn_what_a_calculator_says() {
        let shares = budget_shares(Duration::from_secs(12));
        let told = shares.map(number::percent);
        assert_eq!(told, ["0.038 %", "0.076 %", "0.381 %"]);
    }

    #[test]
    fn ten_bad_seconds_at_the_end_are_no_downtime_by_the_minute() {
        let tables = Tables { seconds: ten_bad_seconds_in_three_minutes(), ..Tables::default() };
        let spans = vec![Duration::ZERO..Duration::from_mins(3)];
        let scope = Scope { phases: vec![0], spans };
        assert_eq!(error_minutes(&tables, &scope, 1, 0.10), Value::Share(1.0 - 1.0 / 3.0));
        assert_eq!(error_minutes(&tables, &scope, 1, 0.20), Value::Share(1.0));
        let needed = Duration::from_mins(5);
        assert_eq!(error_minutes(&tables, &scope, 5, 0.05), Value::TooShort(needed));
        let Value::Scaled(share, _) = error_slots(&tables, &scope) else {
            panic!("three minutes are less than a slot of five");
        };
        assert!((share - 170.0 / 180.0).abs() < 1e-9);
    }

    fn ten_bad_seconds_in_three_minutes() -> Vec<Second> {
        let row = |second| {
            let (ok, failed) = if second < 170 { (10, 0) } else { (0, 10) };
            let requests = Counts { ok, failed, ..Counts::default() };
            Second { second, requests, ..Second::default() }
        };
        (0..180).map(row).collect()
    }
}
