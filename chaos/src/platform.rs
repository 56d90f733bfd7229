//! Platforms: where instances run, and the few verbs that change them.
//!
//! One trait, and three that implement it: Docker, child processes, and a fake for tests. Every call
//! has a time limit of its own, because a platform that hangs must not keep a fault from being healed.

mod fanout;
mod proc;
pub mod docker;
pub mod processes;
pub mod fake;

use std::{
    future::Future,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    instance::{Instance, State},
    signal::Signal,
};

/// Changes that wait for a slow reader before the platform holds back or drops more of them. A fault
/// makes a handful; hundreds mean that the reader is gone in all but name.
const CHANGES_WAITING: usize = 1024;

/// Where instances run.
///
/// The verbs are named by what they do to one instance, whose `id` is [`Instance::id`]. They return
/// when the platform says so, which proves nothing yet.
pub trait Platform: Send + Sync + 'static {
    /// How another process reaches this platform after ours has died.
    fn anchor(&self) -> Anchor;

    /// The platform and its version: `Docker 20.10.24, API 1.41`.
    fn describe(&self) -> impl Future<Output = Result<String, PlatformError>> + Send;

    /// All instances, by service and number. None at all is an error.
    fn instances(&self) -> impl Future<Output = Result<Vec<Instance>, PlatformError>> + Send;

    /// How the instance is now; one that is gone is [`Missing`](crate::instance::Status::Missing).
    fn inspect(&self, id: &str) -> impl Future<Output = Result<State, PlatformError>> + Send;

    /// Asks the instance to end, and kills it when `grace` is over.
    fn stop(
        &self,
        id: &str,
        grace: Duration,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Sends the instance a signal.
    fn kill(
        &self,
        id: &str,
        signal: Signal,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Freezes the instance.
    fn pause(&self, id: &str) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Thaws the instance.
    fn resume(&self, id: &str) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Starts the instance, which has ended.
    fn start(&self, id: &str) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Stops the instance as [`stop`](Self::stop) does and starts it again.
    fn restart(
        &self,
        id: &str,
        grace: Duration,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// What happens to the instances from this call on, until the receiver is dropped.
    fn changes(&self)
    -> impl Future<Output = Result<mpsc::Receiver<Change>, PlatformError>> + Send;
}

/// Something that happened to an instance, as the platform tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The instance's id.
    pub id: String,
    /// The platform's word for it: `die`, `start`, `pause`, `health_status: healthy`.
    pub action: String,
    /// How the instance ended, for `die`.
    pub exit_code: Option<i64>,
    /// When, by the platform's clock.
    pub at: SystemTime,
}

/// How to reach a platform again; written into the undo log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "platform", rename_all = "kebab-case")]
pub enum Anchor {
    /// A compose project on a Docker engine.
    Docker {
        /// The engine, as `DOCKER_HOST` would name it.
        host: String,
        /// The project.
        project: String,
    },
    /// Children of a process.
    Processes {
        /// The process that started them.
        owner: u32,
        /// The boot of the machine; process numbers mean nothing after the next one.
        boot: String,
    },
    /// The fake of the tests, which nothing can reach again.
    Fake,
}

impl Anchor {
    /// A word for the system behind this anchor, fit for a file name: two runs with the same key
    /// would break each other's system.
    #[must_use]
    pub fn key(&self) -> String {
        let key = match self {
            Self::Docker { host, project } if host == docker::DEFAULT_HOST => {
                format!("docker-{project}")
            }
            Self::Docker { host, project } => format!("docker-{project}-{host}"),
            Self::Processes { owner, .. } => format!("processes-{owner}"),
            Self::Fake => "fake".to_owned(),
        };
        key.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-")
    }
}

/// Why a platform did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// No engine answers.
    #[error(
        "cannot reach the Docker engine at `{host}`: {why}; start it, or name another one in DOCKER_HOST"
    )]
    Unreachable {
        /// Where it should be.
        host: String,
        /// What was seen.
        why: String,
    },
    /// The engine is there and not for us.
    #[error(
        "no permission to use the Docker engine at `{host}`; join the group `docker`, or run as a user who may"
    )]
    NoPermission {
        /// Where it is.
        host: String,
    },
    /// The host is written in a form that cannot be used.
    #[error(
        "cannot use DOCKER_HOST `{host}`: {why}; forms that work are unix:///PATH and tcp://HOST:PORT"
    )]
    HostForm {
        /// As written.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing carries the label of the project.
    #[error(
        "the engine at `{host}` has no containers of the compose project `{project}`; bring it up, or check its name with `docker ps -a`"
    )]
    NoProject {
        /// The engine.
        host: String,
        /// The project.
        project: String,
    },
    /// The instance is no part of the system under test.
    #[error("`{id}` does not belong to {system}, and nothing else may be touched")]
    Foreign {
        /// What was asked for.
        id: String,
        /// What may be touched.
        system: String,
    },
    /// The platform took too long.
    #[error("{call} took over {}; nothing is known of its outcome", humantime::format_duration(*limit))]
    TimedOut {
        /// Which call, on what.
        call: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The platform answered with an error.
    #[error("{call} failed: {why}")]
    Refused {
        /// Which call, on what.
        call: String,
        /// The platform's words.
        why: String,
    },
    /// A process could not be started.
    #[error("cannot start `{name}` from `{}`: {why}", program.display())]
    NotStarted {
        /// Which instance.
        name: String,
        /// What was run.
        program: PathBuf,
        /// What was seen.
        why: String,
    },
    /// A process started and did not become ready.
    #[error("`{name}` did not become ready: {why}; the end of its log `{}`:\n{tail}", log.display())]
    NotReady {
        /// Which instance.
        name: String,
        /// What was seen.
        why: String,
        /// Where all of its words are.
        log: PathBuf,
        /// The last of them.
        tail: String,
    },
}

/// Runs `call` under a time limit; `name` says what it is in the error.
async fn within<T>(
    name: &str,
    limit: Duration,
    call: impl Future<Output = Result<T, PlatformError>>,
) -> Result<T, PlatformError> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(PlatformError::TimedOut { call: name.to_owned(), limit }))
}
