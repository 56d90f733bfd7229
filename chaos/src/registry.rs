//! The list of runs whose undo logs may hold something to heal.
//!
//! A run is entered before its first fault and leaves when all is undone. Who comes next finds it
//! here, wherever its run directory is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A run that has not left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRun {
    /// The system it breaks.
    pub key: String,
    /// The run.
    pub run_id: String,
    /// Its undo log.
    pub log: PathBuf,
    pointer: PathBuf,
}

/// The list could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{}`: {source}", path.display())]
pub struct RegistryError {
    path: PathBuf,
    source: io::Error,
}

/// Enters a run that is about to break the system `key`.
pub fn enter(
    state_dir: &Path,
    key: &str,
    run_id: &str,
    log: &Path,
) -> Result<PendingRun, RegistryError> {
    let directory = unfinished(state_dir).join(key);
    let pointer = directory.join(run_id);
    let failed = |source| RegistryError { path: pointer.clone(), source };
    fs::create_dir_all(&directory).map_err(failed)?;
    let log = std::path::absolute(log).map_err(failed)?;
    fs::write(&pointer, log.as_os_str().as_encoded_bytes()).map_err(failed)?;
    fs::File::open(&pointer).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::File::open(&directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(PendingRun { key: key.to_owned(), run_id: run_id.to_owned(), log, pointer })
}

/// The runs that have not left: those of the system `key`, or all. The run that asks is among them
/// once it has entered.
pub fn pending_runs(state_dir: &Path, key: Option<&str>) -> Result<Vec<PendingRun>, RegistryError> {
    let root = unfinished(state_dir);
    let keys = match key {
        Some(key) => vec![key.to_owned()],
        None => names(&root)?,
    };
    let mut runs = Vec::new();
    for key in keys {
        let directory = root.join(&key);
        for run_id in names(&directory)? {
            let pointer = directory.join(&run_id);
            let read = fs::read_to_string(&pointer);
            let log = read.map_err(|source| RegistryError { path: pointer.clone(), source })?;
            runs.push(PendingRun { key: key.clone(), run_id, log: log.into(), pointer });
        }
    }
    Ok(runs)
}

impl PendingRun {
    /// Takes the run off the list: all is undone.
    pub fn leave(self) -> Result<(), RegistryError> {
        match fs::remove_file(&self.pointer) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(RegistryError { path: self.pointer, source })
            }
            _ => Ok(()),
        }
    }
}

fn unfinished(state_dir: &Path) -> PathBuf {
    state_dir.join("unfinished")
}

/// The names in a directory, in order; none when there is no such directory.
fn names(directory: &Path) -> Result<Vec<String>, RegistryError> {
    let failed = |source| RegistryError { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_until_it_leaves() {
        let state = tempfile::tempdir().unwrap();
        let entered =
            enter(state.path(), "docker-shop", "run-1", Path::new("/runs/1/undo")).unwrap();
        enter(state.path(), "docker-other", "run-2", Path::new("/runs/2/undo")).unwrap();

        let found = pending_runs(state.path(), Some("docker-shop")).unwrap();
        assert_eq!(found, [entered]);
        assert_eq!(pending_runs(state.path(), None).unwrap().len(), 2);

        for run in found {
            run.leave().unwrap();
        }
        assert_eq!(pending_runs(state.path(), Some("docker-shop")).unwrap(), []);
    }

    #[test]
    fn nobody_is_pending_where_nobody_has_been() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(pending_runs(state.path(), None).unwrap(), []);
    }
}
