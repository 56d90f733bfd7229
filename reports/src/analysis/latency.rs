//! Percentiles by phase and series. They are read from merged histograms, never averaged, and what
//! was not ok stands beside what was, so that fast errors cannot pass for speed.

use std::time::Duration;

use crate::histogram::Histogram;
use crate::outcome::Outcome;
use crate::record::Latency;
use crate::run::Run;
use crate::series::PhaseTables;

/// The percentiles that are always told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// How many requests or journeys.
    pub count: u64,
    /// Half were no longer than this.
    pub p50: Duration,
    /// 90 in 100 were no longer than this.
    pub p90: Duration,
    /// 95 in 100 were no longer than this.
    pub p95: Duration,
    /// 99 in 100 were no longer than this.
    pub p99: Duration,
    /// 999 in 1000 were no longer than this.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Percentiles {
    /// The percentiles of `histogram`; `None` when it is empty.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self {
            count: histogram.count(),
            p50: histogram.quantile(0.5)?,
            p90: histogram.quantile(0.9)?,
            p95: histogram.quantile(0.95)?,
            p99: histogram.quantile(0.99)?,
            p999: histogram.quantile(0.999)?,
            max: histogram.max()?,
        })
    }
}

/// Which outcomes a distribution holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcomes {
    /// Every request, so that the numbers cannot improve when the system dies.
    All,
    /// What was answered as expected.
    Ok,
    /// What failed or was left unknown.
    NotOk,
}

impl Outcomes {
    /// All three, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::All, Self::Ok, Self::NotOk];

    /// The outcomes it stands for.
    #[must_use]
    pub fn outcomes(self) -> &'static [Outcome] {
        match self {
            Self::All => &Outcome::ALL,
            Self::Ok => &[Outcome::Ok],
            Self::NotOk => &[Outcome::Failed, Outcome::Unknown],
        }
    }
}

/// One line of the latency tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// The phase, by place; `None` for all phases that count.
    pub phase: Option<usize>,
    /// The series, by place; `None` for all requests.
    pub series: Option<usize>,
    /// Which latency.
    pub latency: Latency,
    /// Of which outcomes.
    pub outcomes: Outcomes,
    /// The percentiles.
    pub percentiles: Percentiles,
}

/// All lines that have something to say, by phase, series, kind and outcomes.
#[must_use]
pub fn rows(run: &Run, tables: &PhaseTables) -> Vec<LatencyRow> {
    let phases = std::iter::once(None).chain((0..run.phases.len()).map(Some));
    let mut rows = Vec::new();
    for phase in phases {
        let within = phase.map_or_else(|| run.scope(), |phase| vec![phase]);
        for series in std::iter::once(None).chain((0..run.series.len()).map(Some)) {
            let of = series.map_or_else(|| run.steps(), |series| vec![series]);
            for latency in [Latency::Response, Latency::Service, Latency::Connect] {
                for outcomes in Outcomes::ALL {
                    let sum = tables.latency(&within, &of, outcomes.outcomes(), latency);
                    rows.extend(Percentiles::of(&sum).map(|percentiles| LatencyRow {
                        phase,
                        series,
                        latency,
                        outcomes,
                        percentiles,
                    }));
                }
            }
        }
    }
    rows
}
