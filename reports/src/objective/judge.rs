//! Reading a number off the analysis and comparing it with its limit.

use std::fmt;
use std::time::Duration;

use crate::analysis::Analysis;
use crate::analysis::availability::{self, Requests};
use crate::analysis::failover::Failover;
use crate::analysis::marks::Proof;
use crate::analysis::outage::{Outage, Probing};
use crate::analysis::scope::Scope;
use crate::analysis::validity::{INVALID_SHARE_MAX, Tally};
use crate::number;
use crate::objective::{Metric, Objective, Quantity, Rank};
use crate::outcome::Outcome;
use crate::record::Latency;
use crate::run::Run;
use crate::series::Counts;
use crate::tables::Tables;

/// What a run showed for an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it had to show.
    pub objective: Objective,
    /// What it showed.
    pub measured: Measured,
    /// How the two compare.
    pub reading: Reading,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measured {
    /// This.
    Exactly(Quantity),
    /// A span, known to a resolution.
    Span(Duration, Duration),
    /// It never came about while the record lasted, which went on for this long.
    Never(Duration),
    /// Nothing.
    Nothing,
}

impl Measured {
    /// The number alone, in the unit of the objective's limit.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Exactly(quantity) => Some(quantity.value()),
            Self::Span(span, _) => Some(span.as_secs_f64()),
            Self::Never(_) | Self::Nothing => None,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Exactly(Quantity::Share(share)) => number::percent(*share),
            Self::Exactly(Quantity::Span(span)) => number::duration(*span),
            Self::Exactly(Quantity::Count(count)) => number::count(*count),
            Self::Exactly(Quantity::PerSecond(rate)) => format!("{rate:.1}/s"),
            Self::Span(span, resolution) => number::span(*span, *resolution),
            Self::Never(waited) => format!("> {}", number::duration(*waited)),
            Self::Nothing => "–".to_owned(),
        };
        f.write_str(&text)
    }
}

/// How a measured number compares with its limit.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// It keeps to it.
    Met,
    /// It does not.
    Missed,
    /// The record cannot tell.
    Inconclusive(Doubt),
}

/// Why the record cannot tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Too many of these seconds say more about the generator than about the system.
    InvalidSeconds(Tally),
    /// This share of the probes was sent too late to say anything.
    LateProbes(f64),
    /// A fault that nothing proves: its name and what was seen.
    NotProven(String, String),
    /// The run was cut off.
    CutOff,
    /// Too few values: this many, and it takes so many.
    TooFew(u64, u64),
    /// The record ended before it could be told.
    TooShort,
    /// Nothing of the kind was recorded in these phases.
    NothingRecorded,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSeconds(tally) => {
                let reasons = tally.invalid.iter();
                let reasons = reasons.map(|(why, count)| format!("{count} s: {}", why.words()));
                write!(
                    f,
                    "{} of the seconds are not valid ({})",
                    number::percent(tally.share()),
                    reasons.collect::<Vec<_>>().join("; ")
                )
            }
            Self::LateProbes(share) => {
                write!(f, "{} of the probes were sent too late to count", number::percent(*share))
            }
            Self::NotProven(fault, why) => {
                write!(f, "nothing proves that fault `{fault}` happened ({why})")
            }
            Self::CutOff => f.write_str("the record was cut off"),
            Self::TooFew(have, need) => {
                let (have, need) = (number::count(*have), number::count(*need));
                write!(f, "too few values: {have}, and it takes {need}")
            }
            Self::TooShort => f.write_str("the record ended too soon to tell"),
            Self::NothingRecorded => {
                f.write_str("nothing of the kind was recorded in these phases")
            }
        }
    }
}

/// All that a reading may lean on.
#[derive(Clone, Copy)]
struct Evidence<'a> {
    run: &'a Run,
    tables: &'a Tables,
    analysis: &'a Analysis,
    scope: &'a Scope,
}

/// Judges one objective. Phases that it names and the run does not have are not looked at.
#[must_use]
pub fn judge(objective: &Objective, run: &Run, tables: &Tables, analysis: &Analysis) -> Finding {
    let scope = scope(objective, run, analysis);
    let evidence = Evidence { run, tables, analysis, scope: &scope };
    let (measured, reading) = match measure(objective, evidence) {
        Ok(measured) => (measured, read(objective, measured, evidence)),
        Err(doubt) => (Measured::Nothing, Reading::Inconclusive(doubt)),
    };
    Finding { objective: objective.clone(), measured, reading }
}

fn scope(objective: &Objective, run: &Run, analysis: &Analysis) -> Scope {
    if objective.phases.is_empty() {
        return analysis.scope.clone();
    }
    let named = |name: &str| objective.phases.iter().any(|phase| phase.text == name);
    let phases = run.phases.iter().enumerate().filter(|(_, phase)| named(&phase.name));
    let phases: Vec<usize> = phases.map(|(place, _)| place).collect();
    Scope::new(run, &phases, analysis.load_end)
}

fn read(objective: &Objective, measured: Measured, evidence: Evidence<'_>) -> Reading {
    let Evidence { run, tables, analysis, scope } = evidence;
    let tally = analysis.validity.tally(scope);
    if !tally.is_sound() {
        return Reading::Inconclusive(Doubt::InvalidSeconds(tally));
    }
    let held = match measured {
        Measured::Never(waited) if waited.as_secs_f64() < objective.limit.value() => {
            return Reading::Inconclusive(Doubt::TooShort);
        }
        Measured::Never(_) => false,
        _ => measured
            .value()
            .is_some_and(|value| objective.comparison.holds(value, objective.limit.value())),
    };
    if !held {
        return Reading::Missed;
    }
    // A missed objective stays missed whatever else is doubtful; a met one needs a sound record.
    let doubtful = unproven(run, analysis).find(|(begin, ..)| scope.contains(*begin));
    if let Some((_, fault, why)) = doubtful {
        return Reading::Inconclusive(Doubt::NotProven(fault, why));
    }
    if tables.end.is_none() {
        return Reading::Inconclusive(Doubt::CutOff);
    }
    Reading::Met
}

/// Faults whose time came and that nothing proves: when, which, and what was seen.
pub fn unproven<'a>(
    run: &'a Run,
    analysis: &'a Analysis,
) -> impl Iterator<Item = (Duration, String, String)> + 'a {
    run.faults.iter().zip(&analysis.failovers).filter_map(|(fault, failover)| {
        let why = match &failover.marks.proof {
            Proof::Proven(_) => return None,
            Proof::NotBegun if fault.begin >= analysis.load_end => return None,
            Proof::NotBegun => "it was never called".to_owned(),
            Proof::Silent => "no effect was seen".to_owned(),
            Proof::Unproven(why) => why.clone(),
        };
        Some((fault.begin, fault.name.clone(), why))
    })
}

fn measure(objective: &Objective, evidence: Evidence<'_>) -> Result<Measured, Doubt> {
    let Evidence { run, tables, analysis, scope } = evidence;
    let requests = || Requests::of(run, tables, &analysis.validity, scope);
    let exactly = |quantity| Ok(Measured::Exactly(quantity));
    let share = |share: Option<f64>| share.map(Quantity::Share).ok_or(Doubt::NothingRecorded);
    let faults = |measure: Measure| worst(evidence, measure);
    match &objective.metric {
        Metric::Availability => exactly(share(requests().availability())?),
        Metric::Errors => {
            let counts = some(requests().counts)?;
            exactly(share(number::share(counts.not_ok(), counts.total()))?)
        }
        Metric::FailedRequests => exactly(Quantity::Count(some(requests().counts)?.not_ok())),
        Metric::Dropped => exactly(Quantity::Count(requests().dropped)),
        Metric::TimeAvailability => exactly(share(availability::time(front(analysis)?, scope))?),
        Metric::Outage => Ok(longest(front(analysis)?, run, scope)),
        Metric::Downtime => {
            let front = front(analysis)?;
            let resolution = front.within(scope).map(|outage| outage.resolution).sum();
            Ok(Measured::Span(front.downtime(scope), run.prober.period.max(resolution)))
        }
        Metric::Latency(rank, of) => {
            let of = of.as_ref().map(|name| name.text.as_str());
            latency(*rank, of, evidence)
        }
        Metric::Rate => exactly(rate(tables, scope, &run.journeys())?),
        Metric::RequestRate => exactly(rate(tables, scope, &run.steps())?),
        Metric::Detection => faults(|one: &Failover, _| match one.detection {
            Some(detection) => Ok(Measured::Exactly(Quantity::Span(detection))),
            None => Err(Doubt::NothingRecorded),
        }),
        Metric::Failover => faults(|one, end| {
            or_never(one.failover, effect(one), one.marks.undo_began.unwrap_or(end))
        }),
        Metric::Recovery => faults(|one, end| {
            or_never(one.recovery, one.marks.undo_began.or_else(|| effect(one)), end)
        }),
        Metric::Readmission => faults(|one, end| or_never(one.readmission, one.marks.up, end)),
        Metric::FailBack => faults(|one, end| or_never(one.failback, one.marks.undo_began, end)),
    }
}

fn effect(failover: &Failover) -> Option<Duration> {
    failover.marks.effective.or(failover.marks.began)
}

/// What was measured, or else how long it was waited for.
fn or_never(
    measured: Option<Duration>,
    from: Option<Duration>,
    end: Duration,
) -> Result<Measured, Doubt> {
    if let Some(span) = measured {
        return Ok(Measured::Exactly(Quantity::Span(span)));
    }
    let from = from.ok_or(Doubt::NothingRecorded)?;
    Ok(Measured::Never(end.saturating_sub(from)))
}

/// Reads a number off what one fault did, in a run whose load ended at the given moment.
type Measure = fn(&Failover, Duration) -> Result<Measured, Doubt>;

/// The worst of what `measure` finds for the faults that began in the scope.
fn worst(evidence: Evidence<'_>, measure: Measure) -> Result<Measured, Doubt> {
    let Evidence { run, analysis, scope, .. } = evidence;
    let mut worst: Option<Measured> = None;
    for (fault, failover) in run.faults.iter().zip(&analysis.failovers) {
        if !scope.contains(failover.marks.began.unwrap_or(fault.begin)) {
            continue;
        }
        let new = measure(failover, analysis.load_end)?;
        let value = |measured: Measured| measured.value().unwrap_or(f64::INFINITY);
        if worst.is_none_or(|worst| value(new) > value(worst)) {
            worst = Some(new);
        }
    }
    worst.ok_or(Doubt::NothingRecorded)
}

fn some(counts: Counts) -> Result<Counts, Doubt> {
    if counts.total() > 0 { Ok(counts) } else { Err(Doubt::NothingRecorded) }
}

/// What the probes of the front door say, where they are to be trusted.
fn front(analysis: &Analysis) -> Result<&Probing, Doubt> {
    let front = analysis.probing.first().filter(|front| front.probes > 0);
    let front = front.ok_or(Doubt::NothingRecorded)?;
    let late = number::share(front.excluded, front.probes).unwrap_or(0.0);
    if late > INVALID_SHARE_MAX {
        return Err(Doubt::LateProbes(late));
    }
    Ok(front)
}

fn longest(front: &Probing, run: &Run, scope: &Scope) -> Measured {
    let longest = front.within(scope).max_by_key(|outage| outage.length);
    let told = |outage: &Outage| Measured::Span(outage.length, outage.resolution);
    longest.map_or(Measured::Span(Duration::ZERO, run.prober.period), told)
}

fn latency(rank: Rank, of: Option<&str>, evidence: Evidence<'_>) -> Result<Measured, Doubt> {
    let Evidence { run, tables, scope, .. } = evidence;
    let series = match of {
        Some(name) => {
            let named = |place: &usize| run.series[*place].to_string() == name;
            (0..run.series.len()).filter(named).collect()
        }
        None => run.steps(),
    };
    let sum = tables.phases.latency(&scope.phases, &series, &Outcome::ALL, Latency::Response);
    if sum.is_empty() {
        return Err(Doubt::NothingRecorded);
    }
    if sum.count() < rank.samples_min() {
        return Err(Doubt::TooFew(sum.count(), rank.samples_min()));
    }
    let value = if rank == Rank::Max { sum.max() } else { sum.quantile(rank.quantile()) };
    let value = value.ok_or(Doubt::NothingRecorded)?;
    Ok(Measured::Exactly(Quantity::Span(value)))
}

/// Ok requests or journeys due in the scope, per second of the scope.
fn rate(tables: &Tables, scope: &Scope, series: &[usize]) -> Result<Quantity, Doubt> {
    let length = scope.length().as_secs_f64();
    let ok = tables.phases.counts(&scope.phases, series).ok;
    if length > 0.0 {
        Ok(Quantity::PerSecond(number::float(ok) / length))
    } else {
        Err(Doubt::NothingRecorded)
    }
}
