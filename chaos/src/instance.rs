//! Instances: the running copies of a service.
//!
//! An instance is what it is (service, number, id) and how it is ([`State`]). Its name comes from the
//! service and its number, never from the platform's own name for it, which differs between versions
//! of compose.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};

/// A running copy of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The service it is a copy of.
    pub service: String,
    /// Which copy, from 1.
    pub index: u32,
    /// Service and number: `was-1`.
    pub name: String,
    /// What the platform knows it by; stays the same when the instance is stopped and started.
    pub id: String,
    /// The hostname it sees itself under, which a service may show as `x-served-by`.
    pub hostname: String,
    /// The image it runs, by name and ID; `None` for a plain process.
    pub image: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its published TCP ports. Ephemeral ones change with each start: list the instances again.
    pub ports: Vec<Port>,
    /// How it was when it was listed.
    pub state: State,
}

impl Instance {
    /// The name of copy `index` of `service`.
    #[must_use]
    pub fn name_of(service: &str, index: u32) -> String {
        format!("{service}-{index}")
    }
}

/// A TCP port that can be reached from outside the instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// Where to connect to.
    pub host: SocketAddr,
    /// The port the instance itself listens on.
    pub container: u16,
}

/// All of an instance that a fault may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whether it runs.
    pub status: Status,
    /// Its first process, as numbered by the platform's machine; `None` when it does not run.
    pub pid: Option<u32>,
    /// When it was last started, in the platform's own form: equal means not restarted since.
    pub started_at: Option<String>,
    /// How often the platform restarted it by itself.
    pub restarts: u32,
    /// What its health check says; `None` when it has none.
    pub health: Option<Health>,
    /// How it ended; `None` while it runs and before its first start.
    pub exit_code: Option<i64>,
    /// The networks it is attached to, by name.
    pub networks: BTreeMap<String, Endpoint>,
    /// What it may use of the machine.
    pub limits: Limits,
}

impl State {
    /// Whether the instance was started again since `before`. Its process tells too, because a
    /// platform's clock may be coarse: a child process counts its start in hundredths of a second.
    #[must_use]
    pub fn is_another_life(&self, before: &Self) -> bool {
        let both = self.pid.zip(before.pid);
        self.started_at != before.started_at || both.is_some_and(|(now, then)| now != then)
    }
}

/// Whether an instance runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It runs.
    Running,
    /// It is frozen: it keeps its sockets and memory and does nothing.
    Paused,
    /// It has ended.
    Exited,
    /// It has ended and the platform is about to start it again.
    Restarting,
    /// It was made and never started.
    Created,
    /// The platform does not know it, or no longer.
    #[default]
    Missing,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited => "exited",
            Self::Restarting => "restarting",
            Self::Created => "created",
            Self::Missing => "missing",
        })
    }
}

/// What an instance's health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// No verdict yet.
    Starting,
    /// The last checks passed.
    Healthy,
    /// The last checks failed.
    Unhealthy,
}

/// An instance's place in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The names under which others find it.
    pub aliases: BTreeSet<String>,
    /// Its address; `None` while it does not run.
    pub address: Option<String>,
    /// Whether the address is configured. Any other may change with each start.
    pub fixed: bool,
}

/// What an instance may use of the machine; 0 is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time, in billionths of a processor.
    pub nano_cpus: i64,
    /// Processor time in each period, in microseconds.
    pub cpu_quota: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of memory and swap together.
    pub memory_swap: i64,
    /// Processes and threads.
    pub pids: i64,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)?;
        if let Some(code) = self.exit_code {
            write!(f, " with {code}")?;
        }
        match self.health {
            Some(Health::Starting) => f.write_str(", health starting"),
            Some(Health::Healthy) => f.write_str(", healthy"),
            Some(Health::Unhealthy) => f.write_str(", unhealthy"),
            None => Ok(()),
        }
    }
}
