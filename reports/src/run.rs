//! What is known about a run before its first request: `run.json`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::micros;

/// The version of `run.json` and of the journal. A reader refuses versions it does not know.
pub const SCHEMA: u32 = 2;

/// The oldest version that is still read. What it lacks of a later one is left at its default.
pub const SCHEMA_OLDEST: u32 = 1;

/// The phase that no objective looks at unless it names it: caches fill, compilers warm up.
pub const WARM_UP: &str = "warm-up";

/// A run, as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of this format, [`SCHEMA`].
    pub schema: u32,
    /// Unique, sortable by time: `20261123T235018Z-4f3a`.
    pub id: String,
    /// The scenario's name.
    pub name: String,
    /// Wall-clock time of the epoch, RFC 3339 in UTC with microseconds.
    pub started: String,
    /// The version of Rehearsal.
    pub version: String,
    /// The command line that began the run.
    pub command: Vec<String>,
    /// The seed from which every random choice follows.
    pub seed: u64,
    /// The path of the scenario file as it was given.
    pub scenario_file: String,
    /// The scenario file's text, secrets not filled in.
    pub scenario: String,
    /// Where the load went, such as `http://127.0.0.1:8080`.
    pub target: String,
    /// Why we believe that the target is the system meant; `None` when nothing proves it.
    pub identity: Option<String>,
    /// The phases in order, without gaps, from the epoch on.
    pub phases: Vec<Phase>,
    /// The series of latencies; intervals and counters name them by place.
    pub series: Vec<Series>,
    /// One sentence per load profile.
    pub load: Vec<String>,
    /// How requests travelled, a sentence per setting.
    #[serde(default)]
    pub transport: Vec<String>,
    /// Who made the load: `native`, or the engine that stood in for it.
    #[serde(default = "native")]
    pub load_engine: String,
    /// How many users there are at most.
    pub users: u64,
    /// The prober's settings.
    pub prober: Prober,
    /// The instances of the system as found before the first request.
    pub instances: Vec<Instance>,
    /// The faults in order of their time.
    pub faults: Vec<PlannedFault>,
    /// The objectives as written.
    pub objectives: Vec<String>,
    /// The machine that made the load.
    pub machine: Machine,
}

/// A span of the run with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name in the scenario; `warm-up` is left out of objectives that name no phase.
    pub name: String,
    /// Where it begins.
    #[serde(with = "micros")]
    pub begin: Duration,
    /// Where it ends; the next one begins there.
    #[serde(with = "micros")]
    pub end: Duration,
}

/// What a latency is the latency of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The journey's name.
    pub journey: String,
    /// The step's name, such as `GET /whoami`; `None` for the journey as a whole, from its first
    /// due time to its last byte.
    pub step: Option<String>,
}

/// How the prober works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prober {
    /// The time between two probes of one target.
    #[serde(with = "micros")]
    pub period: Duration,
    /// How long a probe waits at most.
    #[serde(with = "micros")]
    pub timeout: Duration,
    /// What is probed; probes name them by place. The first is the front door.
    pub targets: Vec<ProbeTarget>,
}

/// One thing that is probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeTarget {
    /// `front`, or an instance's name.
    pub name: String,
    /// The address probed, such as `http://127.0.0.1:8080/health`.
    pub url: String,
}

/// A running copy of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Service and index: `was-1`.
    pub name: String,
    /// The service: `was`.
    pub service: String,
    /// The platform's own name for it: a container id, or a process id.
    pub id: String,
    /// What the instance may call itself in its answers (`x-served-by`), besides its name.
    pub hostname: String,
    /// The image and its digest; `None` for a process.
    pub image: Option<String>,
}

/// A fault, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Its name: as written, or such as `kill was-1`.
    pub name: String,
    /// What is done, such as `kill`.
    pub action: String,
    /// The names of the instances it is done to.
    pub instances: Vec<String>,
    /// When the call that injects it is due.
    #[serde(with = "micros")]
    pub begin: Duration,
    /// When the call that undoes it is due; `None` for a fault that ends by itself (`restart`).
    #[serde(with = "micros::option")]
    pub end: Option<Duration>,
    /// Whether this stands for planned work (a deploy, a maintenance) and not for an accident.
    pub planned: bool,
}

/// The machine that makes the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name.
    pub hostname: String,
    /// Cores that the generator may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The container engine and its API version; `None` without one.
    pub engine: Option<String>,
}

fn native() -> String {
    "native".to_owned()
}

impl Run {
    /// The place of the phase in which `offset` falls; after the end, the last one.
    #[must_use]
    pub fn phase_at(&self, offset: Duration) -> usize {
        let after = self.phases.iter().position(|phase| offset < phase.end);
        after.unwrap_or(self.phases.len().saturating_sub(1))
    }

    /// The wall-clock time of `offset`, in UTC, to the millisecond: `23:51:03.041`; empty when the
    /// run's begin is not a time.
    #[must_use]
    pub fn clock(&self, offset: Duration) -> String {
        let started = self.started.parse::<Timestamp>().ok();
        let moment = started.and_then(|started| started.checked_add(offset).ok());
        moment.map_or(String::new(), |moment| moment.strftime("%H:%M:%S.%3f").to_string())
    }

    /// The phases that count where nothing else is said: all but `warm-up`.
    #[must_use]
    pub fn scope(&self) -> Vec<usize> {
        let counts = |(_, phase): &(usize, &Phase)| phase.name != WARM_UP;
        self.phases.iter().enumerate().filter(counts).map(|(place, _)| place).collect()
    }

    /// The series of single requests.
    #[must_use]
    pub fn steps(&self) -> Vec<usize> {
        let step = |(_, series): &(usize, &Series)| series.step.is_some();
        self.series.iter().enumerate().filter(step).map(|(place, _)| place).collect()
    }

    /// The series of the requests of the journey whose whole is `journey`.
    #[must_use]
    pub fn steps_of(&self, journey: usize) -> Vec<usize> {
        let name = self.series.get(journey).map(|series| &series.journey);
        let of = |place: &usize| Some(&self.series[*place].journey) == name;
        self.steps().into_iter().filter(of).collect()
    }

    /// The series of whole journeys.
    #[must_use]
    pub fn journeys(&self) -> Vec<usize> {
        let whole = |(_, series): &(usize, &Series)| series.step.is_none();
        self.series.iter().enumerate().filter(whole).map(|(place, _)| place).collect()
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{}/{step}", self.journey),
            None => f.write_str(&self.journey),
        }
    }
}
