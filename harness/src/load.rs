//! Load profiles as written, and the due times that follow from them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::rate::Rate;

pub mod arrivals;

/// One load profile, with k6's executor names and option names. A rate counts journeys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "executor", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[serde(deny_unknown_fields)]
pub enum LoadWritten {
    /// Journeys begin at a fixed rate, whatever the system does.
    ConstantArrivalRate {
        /// How many journeys begin: `300/s`, or a number per `timeUnit`.
        rate: Rate,
        /// What a bare number in `rate` counts per; 1s by default.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        time_unit: Option<Duration>,
        /// The journey that users make.
        journey: String,
        /// How arrivals are spaced.
        #[serde(default)]
        arrival: Spacing,
        /// Journeys on their way at once at most; more are dropped and counted. By default the
        /// rate times the total time limit.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
    /// Journeys begin at a rate that moves from stage to stage.
    RampingArrivalRate {
        /// The rate at the begin; 0 by default.
        #[serde(default)]
        start_rate: Option<Rate>,
        /// What a bare number in a rate counts per; 1s by default.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        time_unit: Option<Duration>,
        /// The legs: the rate moves evenly to each target. Together as long as the phases.
        stages: Vec<Stage>,
        /// The journey that users make.
        journey: String,
        /// How arrivals are spaced.
        #[serde(default)]
        arrival: Spacing,
        /// Journeys on their way at once at most; more are dropped and counted. By default the
        /// highest rate times the total time limit.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
}

/// One leg of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// How long it takes.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub duration: Duration,
    /// The rate at its end.
    pub target: Rate,
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Evenly, as k6 does.
    #[default]
    Uniform,
    /// As independent users come: exponential gaps, drawn from the seed.
    Poisson,
}

impl LoadWritten {
    /// The journey that users make.
    #[must_use]
    pub fn journey(&self) -> &str {
        match self {
            Self::ConstantArrivalRate { journey, .. }
            | Self::RampingArrivalRate { journey, .. } => journey,
        }
    }

    /// The bound on journeys on their way, where one is written.
    #[must_use]
    pub fn max_vus(&self) -> Option<u32> {
        match self {
            Self::ConstantArrivalRate { max_vus, .. }
            | Self::RampingArrivalRate { max_vus, .. } => *max_vus,
        }
    }

    /// How arrivals are spaced.
    #[must_use]
    pub fn spacing(&self) -> Spacing {
        match self {
            Self::ConstantArrivalRate { arrival, .. }
            | Self::RampingArrivalRate { arrival, .. } => *arrival,
        }
    }

    fn unit(&self) -> Duration {
        match self {
            Self::ConstantArrivalRate { time_unit, .. }
            | Self::RampingArrivalRate { time_unit, .. } => {
                time_unit.unwrap_or(Duration::from_secs(1))
            }
        }
    }

    /// The rate as legs of a line, over a run of `length`; what is constant is one flat leg.
    #[must_use]
    pub fn legs(&self, length: Duration) -> Vec<arrivals::Leg> {
        let unit = self.unit();
        match self {
            Self::ConstantArrivalRate { rate, .. } => {
                let rate = rate.per_second(unit);
                vec![arrivals::Leg { length, from: rate, to: rate }]
            }
            Self::RampingArrivalRate { start_rate, stages, .. } => {
                let mut from = start_rate.map_or(0.0, |rate| rate.per_second(unit));
                let mut leg = |stage: &Stage| {
                    let to = stage.target.per_second(unit);
                    let leg = arrivals::Leg { length: stage.duration, from, to };
                    from = to;
                    leg
                };
                stages.iter().map(&mut leg).collect()
            }
        }
    }
}
