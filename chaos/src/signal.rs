//! The signals that end a process.
//!
//! Others, such as `SIGHUP`, are no part of a kill: the engine notes every signal it sends as a stop
//! by hand, and would then no longer restart the container by its policy.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A signal that ends a process, at once or after it has put its house in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Signal {
    /// The kernel ends the process; nothing is cleaned up.
    #[default]
    #[serde(rename = "SIGKILL", alias = "KILL")]
    Kill,
    /// The polite request that a deployment sends first.
    #[serde(rename = "SIGTERM", alias = "TERM")]
    Term,
    /// What a terminal sends on Ctrl-C; some servers take it for a fast shutdown.
    #[serde(rename = "SIGINT", alias = "INT")]
    Int,
    /// Some servers take it for a graceful shutdown, a JVM for a thread dump.
    #[serde(rename = "SIGQUIT", alias = "QUIT")]
    Quit,
    /// What a failed assertion raises.
    #[serde(rename = "SIGABRT", alias = "ABRT")]
    Abrt,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "SIGKILL",
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Abrt => "SIGABRT",
        })
    }
}
