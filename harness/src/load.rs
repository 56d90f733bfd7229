//! Load profiles as written, with k6's executor names and option names.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::rate::Rate;

pub mod arrivals;
pub mod levels;
pub mod mix;

/// How long iterations may go on after their profile has ended, when nothing is written (k6's).
pub const GRACEFUL_STOP: Duration = Duration::from_secs(30);

/// One load profile: how users come, what they do, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadWritten {
    /// Its name in the report and for `startAfter`; by default the executor's.
    pub name: Option<String>,
    /// How users come.
    #[serde(flatten)]
    pub executor: Executor,
    /// The journey that users make.
    pub journey: Option<String>,
    /// Several journeys: `[a, b]` in turn, or `{a: 3, b: 1}` by weight.
    pub journeys: Option<JourneysWritten>,
    /// When it begins, from the begin of the run; 0s by default.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub start_time: Option<Duration>,
    /// The profile after whose end it begins; `startTime` then counts from there.
    pub start_after: Option<String>,
    /// How long iterations on their way may go on after its end; 30s by default, as in k6.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub graceful_stop: Option<Duration>,
}

/// The journeys of one profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum JourneysWritten {
    /// One after the other, arrival by arrival.
    InTurn(Vec<String>),
    /// By weight, drawn from the seed.
    Weighted(IndexMap<String, f64>),
}

/// How users come: an open model (arrival rates, a replay), in which nobody waits for the system,
/// or a closed one (VUs), in which each user begins again when it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "executor", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Executor {
    /// Journeys begin at a fixed rate, whatever the system does.
    ConstantArrivalRate {
        /// How many journeys begin: `300/s`, or a number per `timeUnit`.
        rate: Rate,
        /// What a bare number in `rate` counts per; 1s by default.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        time_unit: Option<Duration>,
        /// How long; by default to the end of the run.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        duration: Option<Duration>,
        /// How arrivals are spaced.
        #[serde(default)]
        arrival: Spacing,
        /// Users that are made before the run begins; the others when they are needed.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: Option<u32>,
        /// Journeys on their way at once at most; more are dropped and counted. By default the
        /// rate times the total time limit, as far as descriptors and 10,000 go.
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
        /// The legs: the rate moves evenly to each target; a stage of `0s` jumps there. Together
        /// as long as the phases.
        stages: Vec<Stage<Rate>>,
        /// How arrivals are spaced.
        #[serde(default)]
        arrival: Spacing,
        /// Users that are made before the run begins; the others when they are needed.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: Option<u32>,
        /// Journeys on their way at once at most; more are dropped and counted. By default the
        /// highest rate times the total time limit, as far as descriptors and 10,000 go.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
    /// Journeys begin at recorded moments.
    Replay {
        /// A CSV file without a header, relative to the scenario file: seconds from the begin of
        /// the profile, and optionally the journey's name.
        file: PathBuf,
        /// How much faster than recorded; 1 by default.
        speed: Option<f64>,
        /// Users that are made before the run begins; the others when they are needed.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: Option<u32>,
        /// Journeys on their way at once at most; more are dropped and counted. 10,000 by default,
        /// as far as descriptors go.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
    /// So many users, each of whom begins again as soon as it is done.
    ConstantVus {
        /// How many users; 1 by default.
        vus: Option<u32>,
        /// How long; by default to the end of the run.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        duration: Option<Duration>,
        /// The least time from one begin of a user's journey to the next.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        pacing: Option<Duration>,
    },
    /// A number of users that moves from stage to stage.
    RampingVus {
        /// Users at the begin; 0 by default.
        #[serde(rename = "startVUs", default)]
        start_vus: u32,
        /// The legs: the number moves evenly to each target; a stage of `0s` jumps there. Together
        /// as long as the phases.
        stages: Vec<Stage<u32>>,
        /// How long the journey of a user who is to leave may go on; 30s by default, as in k6.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        graceful_ramp_down: Option<Duration>,
        /// The least time from one begin of a user's journey to the next.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        pacing: Option<Duration>,
    },
    /// Each user makes so many journeys.
    PerVuIterations {
        /// How many users; 1 by default.
        vus: Option<u32>,
        /// Journeys of each user; 1 by default.
        iterations: Option<u64>,
        /// How long at most; by default to the end of the run.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        max_duration: Option<Duration>,
        /// The least time from one begin of a user's journey to the next.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        pacing: Option<Duration>,
    },
    /// All users together make so many journeys.
    SharedIterations {
        /// How many users; 1 by default.
        vus: Option<u32>,
        /// Journeys of all together; 1 by default.
        iterations: Option<u64>,
        /// How long at most; by default to the end of the run.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        max_duration: Option<Duration>,
        /// The least time from one begin of a user's journey to the next.
        #[serde(default, with = "duration::option")]
        #[schemars(with = "Option<duration::Text>")]
        pacing: Option<Duration>,
    },
}

/// One leg of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct Stage<T> {
    /// How long it takes; `0s` is a jump.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub duration: Duration,
    /// The rate, or the number of users, at its end.
    pub target: T,
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
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.executor.word())
    }
}

impl Executor {
    /// Its name in the file.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Self::RampingArrivalRate { .. } => "ramping-arrival-rate",
            Self::Replay { .. } => "replay",
            Self::ConstantVus { .. } => "constant-vus",
            Self::RampingVus { .. } => "ramping-vus",
            Self::PerVuIterations { .. } => "per-vu-iterations",
            Self::SharedIterations { .. } => "shared-iterations",
        }
    }

    /// How long it was written to last: its duration, or the sum of its stages; and the key that
    /// says so.
    #[must_use]
    pub fn length(&self) -> Option<(&'static str, Duration)> {
        match self {
            Self::ConstantArrivalRate { duration, .. } | Self::ConstantVus { duration, .. } => {
                duration.map(|duration| ("duration", duration))
            }
            Self::PerVuIterations { max_duration, .. }
            | Self::SharedIterations { max_duration, .. } => {
                max_duration.map(|duration| ("maxDuration", duration))
            }
            Self::RampingArrivalRate { stages, .. } => Some(("stages", sum(stages))),
            Self::RampingVus { stages, .. } => Some(("stages", sum(stages))),
            Self::Replay { .. } => None,
        }
    }

    /// The bound on journeys on their way, where one is written.
    #[must_use]
    pub fn max_vus(&self) -> Option<u32> {
        match self {
            Self::ConstantArrivalRate { max_vus, .. }
            | Self::RampingArrivalRate { max_vus, .. }
            | Self::Replay { max_vus, .. } => *max_vus,
            _ => None,
        }
    }

    /// Users made beforehand, where a number is written.
    #[must_use]
    pub fn pre_allocated_vus(&self) -> Option<u32> {
        match self {
            Self::ConstantArrivalRate { pre_allocated_vus, .. }
            | Self::RampingArrivalRate { pre_allocated_vus, .. }
            | Self::Replay { pre_allocated_vus, .. } => *pre_allocated_vus,
            _ => None,
        }
    }

    /// The pace of each user in a closed model.
    #[must_use]
    pub fn pacing(&self) -> Option<Duration> {
        match self {
            Self::ConstantVus { pacing, .. }
            | Self::RampingVus { pacing, .. }
            | Self::PerVuIterations { pacing, .. }
            | Self::SharedIterations { pacing, .. } => *pacing,
            _ => None,
        }
    }

    /// The rate of an open model as legs of a line, over a profile of `length`; what is constant
    /// is one flat leg. Nothing for the others.
    #[must_use]
    pub fn legs(&self, length: Duration) -> Vec<arrivals::Leg> {
        let unit = |unit: &Option<Duration>| unit.unwrap_or(Duration::from_secs(1));
        match self {
            Self::ConstantArrivalRate { rate, time_unit, .. } => {
                let rate = rate.per_second(unit(time_unit));
                vec![arrivals::Leg { length, from: rate, to: rate }]
            }
            Self::RampingArrivalRate { start_rate, time_unit, stages, .. } => {
                let unit = unit(time_unit);
                let mut from = start_rate.map_or(0.0, |rate| rate.per_second(unit));
                let mut leg = |stage: &Stage<Rate>| {
                    let to = stage.target.per_second(unit);
                    let leg = arrivals::Leg { length: stage.duration, from, to };
                    from = to;
                    leg
                };
                stages.iter().map(&mut leg).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn sum<T>(stages: &[Stage<T>]) -> Duration {
    stages.iter().map(|stage| stage.duration).sum()
}
