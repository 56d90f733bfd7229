//! Recovery: heals what a dead run has left behind, from its undo log alone.
//!
//! The caller holds the [`Lock`] of the system, or the run may not be as dead as it seems. A second
//! recovery finds nothing to do.

use std::path::{Path, PathBuf};

use crate::{
    heal::{End, Healed, restore},
    lock::Lock,
    platform::{Anchor, Platform, PlatformError, docker::Docker, processes},
    registry::{PendingRun, RegistryError, pending_runs},
    undo_log::{Intent, UndoLog, UndoLogError},
};

/// What came of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what could not be restored must be said"]
pub struct Recovered {
    /// The run whose faults they were.
    pub run_id: String,
    /// Each act that was pending, in words, and what came of its undo. The last act comes first.
    pub healed: Vec<(String, Healed)>,
}

/// Why there was no recovery.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The undo log cannot be used.
    #[error(transparent)]
    Log(#[from] UndoLogError),
    /// The system cannot be reached.
    #[error("cannot heal what the log `{}` names: {source}", log.display())]
    Platform {
        /// The log.
        log: PathBuf,
        /// The reason.
        source: PlatformError,
    },
    /// The run's platform lived in its memory.
    #[error("the log `{}` belongs to a fake platform, which cannot be reached again", log.display())]
    Unreachable {
        /// The log.
        log: PathBuf,
    },
    /// The list of unfinished runs cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Recovered {
    /// Whether nothing is left to heal.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.healed.iter().all(|(_, healed)| !matches!(healed.end, End::NotRestored { .. }))
    }
}

/// Heals what is pending in the undo log at `path`.
pub async fn recover(path: &Path) -> Result<Recovered, RecoverError> {
    let log = UndoLog::open(path)?;
    let nothing = Recovered { run_id: log.run_id().to_owned(), healed: Vec::new() };
    if log.pending().is_empty() {
        return Ok(nothing);
    }
    let unreached = |source| RecoverError::Platform { log: path.to_owned(), source };
    match log.anchor() {
        Anchor::Docker { host, project } => {
            let docker = Docker::connect_to(host, project).await.map_err(unreached)?;
            Ok(heal_pending(&docker, &log).await)
        }
        Anchor::Processes { boot, .. } => end_processes(boot, &log).await.map_err(unreached),
        Anchor::Fake => Err(RecoverError::Unreachable { log: path.to_owned() }),
    }
}

/// Heals what is pending in `log` on a platform that is already there. The last fault is undone
/// first: each then finds the state that it left behind.
pub async fn heal_pending<P: Platform>(platform: &P, log: &UndoLog) -> Recovered {
    let mut healed = Vec::new();
    for intent in log.pending().into_iter().rev() {
        let outcome = restore(platform, log, &intent, &mut |_| ()).await;
        healed.push((intent.act, outcome));
    }
    Recovered { run_id: log.run_id().to_owned(), healed }
}

/// Heals what dead runs have left of the system that `lock` holds, and takes those runs off the
/// list that are healed.
pub async fn recover_locked(
    state_dir: &Path,
    lock: &Lock,
) -> Result<Vec<(PendingRun, Result<Recovered, RecoverError>)>, RegistryError> {
    let mut outcomes = Vec::new();
    for run in pending_runs(state_dir, Some(lock.key()))? {
        let outcome = recover(&run.log).await;
        if outcome.as_ref().is_ok_and(Recovered::complete) {
            run.clone().leave()?;
        }
        outcomes.push((run, outcome));
    }
    Ok(outcomes)
}

/// Ends the processes that a dead run has left frozen; all others have ended with it.
async fn end_processes(boot: &str, log: &UndoLog) -> Result<Recovered, PlatformError> {
    let mut healed = Vec::new();
    for intent in log.pending().into_iter().rev() {
        let outcome = end_process(boot, log, &intent).await?;
        healed.push((intent.act, outcome));
    }
    Ok(Recovered { run_id: log.run_id().to_owned(), healed })
}

async fn end_process(boot: &str, log: &UndoLog, intent: &Intent) -> Result<Healed, PlatformError> {
    let ended = processes::end_left_behind(boot, &intent.before).await?;
    let name = &intent.instance;
    let step = if ended {
        format!("ended {name}, which its run had left behind")
    } else {
        format!("{name} has ended with its run")
    };
    if let Err(error) = log.undone(intent.entry, &step).await {
        tracing::error!("{error}");
    }
    Ok(Healed { steps: vec![step], end: End::Restored })
}
