//! Objectives: what the run must show, one line each.
//!
//! ```text
//! availability >= 99.9%            time availability >= 99.9%
//! outage <= 1s                     downtime <= 2s
//! p99 <= 300ms in steady           p95 of order/POST /orders <= 200ms in steady, recovery
//! errors <= 0.1%                   failed requests == 0            dropped == 0
//! rate >= 290/s                    request rate >= 870/s
//! detection <= 1s                  failover <= 2s                  recovery <= 10s
//! re-admission <= 5s               fail-back <= 1s
//! ```
//!
//! `pNN of JOURNEY` is the journey as a whole, `pNN of JOURNEY/STEP` one step, and `pNN` alone
//! every request. Latencies are response times of all outcomes. Without `in PHASE` an objective
//! looks at every phase but `warm-up`.

mod parse;
pub mod judge;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::number;
use crate::run::Series;

pub use crate::objective::parse::nearest;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The share of requests that were ok.
    Availability,
    /// The share of time in which the front door answered probes.
    TimeAvailability,
    /// The longest outage at the front door.
    Outage,
    /// All outages at the front door, summed.
    Downtime,
    /// A percentile of the response time, of a journey or step, or of all requests.
    Latency(Rank, Option<Name>),
    /// The share of requests that failed or whose outcome is unknown.
    Errors,
    /// Requests that failed or whose outcome is unknown.
    FailedRequests,
    /// Journeys dropped.
    Dropped,
    /// Ok journeys per second: the unit in which scenarios write their load.
    Rate,
    /// Ok requests per second.
    RequestRate,
    /// The longest time until the system noticed a fault.
    Detection,
    /// The longest time that users suffered from a fault until the system had routed around it.
    Failover,
    /// The longest time from an undo until all was as before.
    Recovery,
    /// The longest time from an instance's start to its first request.
    Readmission,
    /// The longest time that users suffered from an undo.
    FailBack,
}

/// A place in a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The median.
    P50,
    /// 90 in 100.
    P90,
    /// 95 in 100.
    P95,
    /// 99 in 100.
    P99,
    /// 999 in 1000.
    P999,
    /// The longest.
    Max,
}

impl Rank {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::P999, Self::Max];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Max => "max",
        }
    }

    /// The share of all that is no longer.
    #[must_use]
    pub fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
            Self::Max => 1.0,
        }
    }

    /// How many values it takes for one to lie beyond it.
    #[must_use]
    pub fn samples_min(self) -> u64 {
        match self {
            Self::P50 => 2,
            Self::P90 => 10,
            Self::P95 => 20,
            Self::P99 => 100,
            Self::P999 => 1000,
            Self::Max => 1,
        }
    }
}

/// A name as it stands in an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands in the objective's text, in bytes.
    pub span: Range<usize>,
}

/// How a number is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `==`
    Equal,
}

impl Comparison {
    /// All of them with their signs; longer signs first, as they are looked for.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::AtMost, "<="),
        (Self::AtLeast, ">="),
        (Self::Equal, "=="),
        (Self::Below, "<"),
        (Self::Above, ">"),
    ];

    /// Whether `value` keeps to `limit`. The two count as equal when they differ by less than what
    /// the arithmetic of percentages costs.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        let equal = (value - limit).abs() <= 1e-9 * limit.abs().max(value.abs());
        match self {
            Self::AtMost => equal || value < limit,
            Self::Below => !equal && value < limit,
            Self::AtLeast => equal || value > limit,
            Self::Above => !equal && value > limit,
            Self::Equal => equal,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Self::ALL.iter().find(|(one, _)| one == self).map_or("", |(_, sign)| sign);
        f.write_str(sign)
    }
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A share, 0 to 1, written as a percentage.
    Share(f64),
    /// A span of time.
    Span(Duration),
    /// A count.
    Count(u64),
    /// Events per second.
    PerSecond(f64),
}

impl Quantity {
    /// The number alone: a share, seconds, a count, events per second.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Share(value) | Self::PerSecond(value) => value,
            Self::Span(span) => span.as_secs_f64(),
            Self::Count(count) => number::float(count),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{}%", number::trimmed(share * 100.0, 6)),
            Self::Span(span) => f.write_str(&short(*span)),
            Self::Count(count) => write!(f, "{count}"),
            Self::PerSecond(rate) => write!(f, "{}/s", number::trimmed(*rate, 6)),
        }
    }
}

/// A span as one would type it: `300ms`, `1.5s`, `2m`.
fn short(span: Duration) -> String {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    match micros {
        0 => "0s".to_owned(),
        _ if micros.is_multiple_of(60_000_000) => format!("{}m", micros / 60_000_000),
        1_000_000.. => format!("{}s", number::trimmed(span.as_secs_f64(), 6)),
        1_000.. => format!("{}ms", number::trimmed(span.as_secs_f64() * 1e3, 3)),
        _ => format!("{micros}us"),
    }
}

/// What the run must show.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub limit: Quantity,
    /// In which phases; empty for all but `warm-up`.
    pub phases: Vec<Name>,
}

impl Objective {
    /// Checks that the phases and series that the objective names exist: an objective that matches
    /// nothing would always be met. `series` are those of the whole journeys and of their steps.
    pub fn check_names(
        &self,
        phases: &[impl AsRef<str>],
        series: &[Series],
    ) -> Result<(), ObjectiveError> {
        let phases: Vec<&str> = phases.iter().map(AsRef::as_ref).collect();
        for name in &self.phases {
            if !phases.contains(&name.text.as_str()) {
                return Err(unknown("phase", name, &phases));
            }
        }
        if let Metric::Latency(_, Some(name)) = &self.metric {
            let known: Vec<String> = series.iter().map(ToString::to_string).collect();
            if !known.contains(&name.text) {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(unknown("journey or step", name, &known));
            }
        }
        Ok(())
    }
}

fn unknown(kind: &'static str, name: &Name, known: &[&str]) -> ObjectiveError {
    let nearest = nearest(&name.text, known.iter().copied()).map(str::to_owned);
    let known = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    let problem = Problem::UnknownName { kind, found: name.text.clone(), nearest, known };
    ObjectiveError { span: name.span.clone(), problem }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(rank, Some(name)) => write!(f, "{} of {}", rank.word(), name.text),
            Self::Latency(rank, None) => f.write_str(rank.word()),
            _ => f.write_str(parse::word(self)),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, self.comparison, self.limit)?;
        for (place, phase) in self.phases.iter().enumerate() {
            let before = if place == 0 { " in " } else { ", " };
            write!(f, "{before}{}", phase.text)?;
        }
        Ok(())
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Objective {
    fn schema_name() -> Cow<'static, str> {
        "Objective".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "objective",
            "description": "What the run must show, such as `outage <= 1s` or `p99 <= 300ms in steady`.",
            "examples": [
                "availability >= 99.9%",
                "outage <= 1s",
                "p99 <= 300ms in steady",
                "failed requests == 0",
                "failover <= 2s"
            ]
        })
    }
}

/// Why a text is not an objective, or one that matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ObjectiveError {
    /// Where in the objective's text the problem lies, in bytes.
    pub span: Range<usize>,
    /// What it is.
    pub problem: Problem,
}

/// What is wrong with an objective.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It measures nothing that is known.
    #[error("`{found}` is nothing that is measured{}; known are {known}", did_you_mean(.nearest.as_deref()))]
    UnknownMetric {
        /// What stands there.
        found: String,
        /// The nearest known word.
        nearest: Option<String>,
        /// All known words.
        known: String,
    },
    /// There is no comparison, or one that does not exist.
    #[error("expected a comparison: `<=`, `<`, `>=`, `>` or `==`, as in `outage <= 1s`")]
    NoComparison,
    /// The limit is not one of the metric's kind.
    #[error("`{found}` is not {expected}")]
    BadLimit {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Words follow that belong to nothing.
    #[error("expected `in PHASE` or nothing after the limit, found `{found}`")]
    Trailing {
        /// The words.
        found: String,
    },
    /// A name is missing after `of`, `in` or a comma.
    #[error("expected the name of a {expected}")]
    NoName {
        /// What should be named.
        expected: &'static str,
    },
    /// A name that the scenario does not know.
    #[error("there is no {kind} `{found}`{}; known are {known}", did_you_mean(.nearest.as_deref()))]
    UnknownName {
        /// What it should name.
        kind: &'static str,
        /// The name.
        found: String,
        /// The nearest known name.
        nearest: Option<String>,
        /// All known names.
        known: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(": did you mean `{nearest}`?"))
}
