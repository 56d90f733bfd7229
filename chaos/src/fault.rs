//! Faults: what can be broken, as written in a scenario.
//!
//! A closed enum over the families, one file each. A new fault is a struct in its family's file and
//! a variant here; the compiler then names each place that must know it.

pub mod life;

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    instance::State,
    platform::{Change, Platform, PlatformError},
};

use life::{Kill, Pause, Restart, Stop};

/// What is done to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Fault {
    /// Ask it to end, and kill it when it does not.
    Stop(Stop),
    /// End it by a signal.
    Kill(Kill),
    /// Freeze it: it keeps its connections and answers nothing.
    Pause(Pause),
    /// Stop it and start it again at once.
    Restart(Restart),
}

/// What an undo must bring back. Written into the undo log, and done by comparing the instance with
/// its state before: no more than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The instance must run, whether it has ended or is frozen.
    Run,
}

/// That a fault happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What was seen, in words: an event, a state.
    pub evidence: String,
    /// From when on, by the platform's clock.
    pub effective: std::time::SystemTime,
}

impl Fault {
    /// Whether the fault lasts until it is undone. One that has none is over when it is proven, so
    /// that a duration means nothing for it.
    #[must_use]
    pub fn has_undo(&self) -> bool {
        !matches!(self, Self::Restart(_))
    }

    /// What must be brought back if anything of the fault was done.
    #[must_use]
    pub(crate) fn undo(&self) -> Undo {
        match self {
            Self::Stop(_) | Self::Kill(_) | Self::Pause(_) | Self::Restart(_) => Undo::Run,
        }
    }

    /// How long the proof may take after the act has returned.
    pub(crate) fn proof_limit(&self) -> Duration {
        match self {
            Self::Stop(_) | Self::Kill(_) | Self::Pause(_) | Self::Restart(_) => life::PROOF_LIMIT,
        }
    }

    /// Does it to the instance `id`.
    pub(crate) async fn act<P: Platform>(
        &self,
        platform: &P,
        id: &str,
    ) -> Result<(), PlatformError> {
        match self {
            Self::Stop(stop) => stop.act(platform, id).await,
            Self::Kill(kill) => kill.act(platform, id).await,
            Self::Pause(pause) => pause.act(platform, id).await,
            Self::Restart(restart) => restart.act(platform, id).await,
        }
    }

    /// The proof that it was done, from the states before and now and from what the platform has
    /// told of this instance in between.
    pub(crate) fn proven(&self, before: &State, now: &State, told: &[Change]) -> Option<Proof> {
        match self {
            Self::Stop(_) | Self::Kill(_) => life::ended(before, now, told),
            Self::Pause(_) => life::frozen(now, told),
            Self::Restart(_) => life::started_anew(before, now, told),
        }
    }

    /// The fault as done to an instance, in words: `kill was-1`.
    #[must_use]
    pub fn on(&self, instance: &str) -> String {
        match self {
            Self::Stop(stop) => format!("stop {instance} {stop}"),
            Self::Kill(kill) => format!("kill {instance}{kill}"),
            Self::Pause(_) => format!("pause {instance}"),
            Self::Restart(restart) => format!("restart {instance} {restart}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop(_) => "stop",
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Restart(_) => "restart",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_reads_as_it_is_written() {
        assert_eq!(read(r#"{ "do": "kill" }"#), "kill was-1");
        assert_eq!(read(r#"{ "do": "kill", "signal": "TERM" }"#), "kill was-1 with SIGTERM");
        assert_eq!(read(r#"{ "do": "stop" }"#), "stop was-1 with 10s of grace");
        assert_eq!(
            read(r#"{ "do": "stop", "grace": "1500ms" }"#),
            "stop was-1 with 1s 500ms of grace"
        );
        assert_eq!(read(r#"{ "do": "pause" }"#), "pause was-1");
        assert_eq!(read(r#"{ "do": "restart", "grace": "2s" }"#), "restart was-1 with 2s of grace");
    }

    #[test]
    fn what_no_fault_knows_is_an_error() {
        for wrong in [
            r#"{ "do": "explode" }"#,
            r#"{ "do": "pause", "grace": "1s" }"#,
            r#"{ "do": "stop", "grace": "soon" }"#,
            r#"{ "do": "stop", "grace": 3 }"#,
            r#"{ "do": "kill", "signal": "SIGHUP" }"#,
        ] {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fault_survives_being_written() {
        let fault = Fault::Stop(Stop { grace: Duration::from_millis(2500) });
        let written = serde_json::to_string(&fault).unwrap();
        assert_eq!(written, r#"{"do":"stop","grace":"2s 500ms"}"#);
        assert_eq!(serde_json::from_str::<Fault>(&written).unwrap(), fault);
    }

    #[test]
    fn the_schema_names_each_fault_and_what_belongs_to_it() {
        let schema = schemars::schema_for!(Fault).to_value();
        let variants = schema["oneOf"].as_array().unwrap();
        let stop = &variants[0]["properties"];
        assert_eq!(variants.len(), 4);
        assert_eq!(stop["do"]["const"], "stop");
        assert_eq!(stop["grace"]["format"], "duration");
    }

    fn read(written: &str) -> String {
        serde_json::from_str::<Fault>(written).unwrap().on("was-1")
    }
}
