//! What happened in a run besides requests: phases, faults, containers, notes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::micros;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, from the run's epoch; what happened before the epoch stands at zero.
    #[serde(with = "micros")]
    pub at: Duration,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of events. `fault` is the place of the fault in [`crate::run::Run::faults`],
/// `instance` a name such as `was-1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The phase of this name began.
    PhaseBegan {
        /// Its name.
        phase: String,
    },
    /// The call that injects the fault into one instance begins.
    InjectBegan {
        /// Which fault.
        fault: usize,
        /// Into which instance.
        instance: String,
        /// Requests that were on their way at that moment.
        in_flight: u64,
    },
    /// The fault is in effect, and this is the proof.
    Injected {
        /// Which fault.
        fault: usize,
        /// In which instance.
        instance: String,
        /// What proves it: an event, a state, a counter, with its moment.
        evidence: String,
    },
    /// The fault could not be injected, or nothing proves that it was.
    NotInjected {
        /// Which fault.
        fault: usize,
        /// In which instance.
        instance: String,
        /// What was tried and what was seen.
        reason: String,
    },
    /// The call that undoes the fault begins.
    UndoBegan {
        /// Which fault.
        fault: usize,
        /// In which instance.
        instance: String,
    },
    /// The instance runs again.
    InstanceUp {
        /// Which fault it had.
        fault: usize,
        /// Which instance.
        instance: String,
    },
    /// The instance calls itself healthy again (its health check, or its ready endpoint).
    InstanceHealthy {
        /// Which fault it had.
        fault: usize,
        /// Which instance.
        instance: String,
    },
    /// The fault is undone and the instance's state equals the state before.
    Restored {
        /// Which fault.
        fault: usize,
        /// Which instance.
        instance: String,
    },
    /// The fault could not be undone, or the state differs from the state before.
    NotRestored {
        /// Which fault.
        fault: usize,
        /// Which instance.
        instance: String,
        /// What differs and what to do by hand.
        reason: String,
    },
    /// The platform told of a change in an instance (`die`, `start`, `health_status: healthy`).
    Platform {
        /// Which instance.
        instance: String,
        /// The platform's own word for it.
        action: String,
    },
    /// Load and prober have ended; requests on their way are still awaited.
    LoadEnded,
    /// Somebody asked the run to stop early.
    Interrupted {
        /// By which signal.
        signal: String,
    },
    /// Anything else worth keeping, as a sentence.
    Note {
        /// The sentence.
        text: String,
    },
}
