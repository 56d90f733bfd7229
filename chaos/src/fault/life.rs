//! Faults of life: an instance ends, freezes, or is started anew.
//!
//! - written: `{ do: stop, grace: 10s }`, `{ do: kill, signal: SIGTERM }`, `{ do: pause }`,
//!   `{ do: restart, grace: 10s }`
//! - needs: nothing beyond the platform itself
//! - done: by the platform's verb of the same name
//! - proven: by the event (`die`, `pause`) and the state that follows from it, both
//! - undone: by starting or thawing the instance, whichever it needs
//!
//! The engine takes each of these for the will of a person: no restart policy brings back what was
//! stopped or killed so.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    duration,
    fault::Proof,
    instance::{State, Status},
    platform::{Change, Platform, PlatformError},
    signal::Signal,
};

/// The event follows its call by tens of milliseconds; a server that cleans up after SIGTERM may
/// need seconds. What has not happened by then has not happened.
pub(super) const PROOF_LIMIT: Duration = Duration::from_secs(15);

/// Docker's own grace.
const GRACE: Duration = Duration::from_secs(10);

/// The instance is asked to end and may finish its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// How long it may take before it is killed. Docker counts whole seconds and rounds up.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub grace: Duration,
}

/// The instance is ended by a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kill {
    /// Which one.
    pub signal: Signal,
}

/// The instance is frozen. The kernel still accepts its connections, so that clients hang instead
/// of failing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

/// The instance is stopped and started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// How long the stop may take before the instance is killed. Docker counts whole seconds and
    /// rounds up.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Self { grace: GRACE }
    }
}

impl Default for Restart {
    fn default() -> Self {
        Self { grace: GRACE }
    }
}

impl Stop {
    pub(super) async fn act<P: Platform>(
        &self,
        platform: &P,
        id: &str,
    ) -> Result<(), PlatformError> {
        platform.stop(id, self.grace).await
    }
}

impl Kill {
    pub(super) async fn act<P: Platform>(
        &self,
        platform: &P,
        id: &str,
    ) -> Result<(), PlatformError> {
        platform.kill(id, self.signal).await
    }
}

impl Pause {
    pub(super) async fn act<P: Platform>(
        &self,
        platform: &P,
        id: &str,
    ) -> Result<(), PlatformError> {
        platform.pause(id).await
    }
}

impl Restart {
    pub(super) async fn act<P: Platform>(
        &self,
        platform: &P,
        id: &str,
    ) -> Result<(), PlatformError> {
        platform.restart(id, self.grace).await
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with {} of grace", humantime::format_duration(self.grace))
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal {
            Signal::Kill => Ok(()),
            other => write!(f, " with {other}"),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with {} of grace", humantime::format_duration(self.grace))
    }
}

/// It has ended; somebody may have started it again since.
pub(super) fn ended(before: &State, now: &State, told: &[Change]) -> Option<Proof> {
    let anew = now.is_another_life(before);
    let over = matches!(now.status, Status::Exited | Status::Restarting | Status::Missing);
    if over || anew { proof(told, "die", now) } else { None }
}

/// It is frozen.
pub(super) fn frozen(now: &State, told: &[Change]) -> Option<Proof> {
    if now.status == Status::Paused { proof(told, "pause", now) } else { None }
}

/// It has ended and runs again.
pub(super) fn started_anew(before: &State, now: &State, told: &[Change]) -> Option<Proof> {
    let anew = now.status == Status::Running && now.is_another_life(before);
    if anew { proof(told, "die", now) } else { None }
}

/// The first event `action`, and the state it led to, as evidence.
fn proof(told: &[Change], action: &str, now: &State) -> Option<Proof> {
    let change = told.iter().find(|change| change.action == action)?;
    let at = jiff::Timestamp::try_from(change.at).ok()?;
    let exit_code = change.exit_code.map(|code| format!(" with {code}")).unwrap_or_default();
    let evidence = format!("event {action}{exit_code} at {at:.3}, now {now}");
    Some(Proof { evidence, effective: change.at })
}
