//! `rehearsal recover`

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rehearsal_chaos::heal::End;
use rehearsal_chaos::lock::{Lock, LockError, state_dir};
use rehearsal_chaos::recover::{RecoverError, Recovered, recover_locked};
use rehearsal_chaos::registry::{PendingRun, pending_runs};
use rehearsal_reports::verdict::Exit;

use super::{complain, print};
use crate::conduct::UNDO_FILE;
use crate::run::RunError;
use crate::run_dir::new_id;

pub(super) fn main(run_dir: Option<&Path>, all: bool) -> Exit {
    if run_dir.is_none() && !all {
        complain(&Undecided);
        return Exit::Usage;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(recover(run_dir)),
        Err(error) => {
            complain(&error);
            return Exit::Environment;
        }
    };
    outcome.unwrap_or_else(|error| {
        complain(&error);
        error.exit()
    })
}

#[derive(Debug, thiserror::Error)]
#[error("recover what? Name a run directory, or say --all")]
struct Undecided;

#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no undo log: that run broke nothing, or it is not a run directory")]
struct NothingBroken(String);

/// Heals what the run in `run_dir` left, or all runs. What a live run is at work on is left alone.
async fn recover(run_dir: Option<&Path>) -> Result<Exit, RunError> {
    let state = state_dir().ok_or(RunError::Homeless)?;
    let mut wanted = pending_runs(&state, None)?;
    if let Some(directory) = run_dir {
        let Ok(log) = fs::canonicalize(directory.join(UNDO_FILE)) else {
            complain(&NothingBroken(directory.display().to_string()));
            return Ok(if directory.is_dir() { Exit::Pass } else { Exit::Usage });
        };
        wanted.retain(|run| fs::canonicalize(&run.log).is_ok_and(|known| known == log));
    }
    let keys: BTreeSet<String> = wanted.into_iter().map(|run| run.key).collect();
    if keys.is_empty() {
        print("nothing to recover\n");
        return Ok(Exit::Pass);
    }
    let mut exit = Exit::Pass;
    for key in keys {
        let lock = match Lock::acquire(&state, &key, &format!("recover-{}", new_id())) {
            Ok(lock) => lock,
            Err(LockError::Held { run_id, .. }) => {
                print(&format!("run {run_id} is at work on `{key}` and heals what it breaks\n"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for (run, outcome) in recover_locked(&state, &lock).await? {
            exit = exit.worst(tell(&run, outcome));
        }
    }
    Ok(exit)
}

fn tell(run: &PendingRun, outcome: Result<Recovered, RecoverError>) -> Exit {
    let recovered = match outcome {
        Ok(recovered) => recovered,
        Err(error) => {
            complain(&error);
            return Exit::NotRestored;
        }
    };
    if recovered.healed.is_empty() {
        print(&format!("run {}: nothing was left broken\n", run.run_id));
    }
    for (act, healed) in &recovered.healed {
        let words = match &healed.end {
            End::Restored => "undone".to_owned(),
            End::Gone => "its target is gone, removed by somebody else".to_owned(),
            End::NotRestored { reason } => format!("NOT RESTORED: {reason}"),
        };
        print(&format!("run {}: {act}: {words}\n", run.run_id));
    }
    if recovered.complete() { Exit::Pass } else { Exit::NotRestored }
}
