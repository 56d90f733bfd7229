//! Think time as written.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;

/// A duration as a value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Length(
    /// The duration.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub Duration,
);

/// How long a user thinks: always the same, or drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ThinkWritten {
    /// So long.
    Fixed(Length),
    /// Drawn from the seed each time.
    Drawn(DrawnWritten),
}

/// Exactly one of these distributions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrawnWritten {
    /// Any time between two, all alike.
    pub uniform: Option<Vec<Length>>,
    /// As people read and type: mostly near the median, now and then much longer.
    pub lognormal: Option<LognormalWritten>,
    /// As independent events come, with this mean.
    pub exponential: Option<Length>,
}

/// A lognormal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LognormalWritten {
    /// Half of the times are shorter.
    pub median: Length,
    /// The standard deviation of the logarithm, 0 to 3; at 0.5, one time in twenty is more than
    /// 2.3 times the median.
    pub sigma: f64,
}
