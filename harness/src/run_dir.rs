//! Where a run is kept, and what it is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use rehearsal_reports::journal::RUN_FILE;

use crate::clock::wall_now;

/// Why there is no directory for the run.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// Another run is there.
    #[error("`{}` already holds a run, and no run is ever overwritten; name another directory", .0.display())]
    Taken(PathBuf),
    /// It cannot be made or written.
    #[error("cannot write the run directory `{}`: {source}; make room, or name another with --out", path.display())]
    Unwritable {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A new run's id: its wall-clock second and four random digits. Sorts by time.
#[must_use]
pub fn new_id() -> String {
    let random: u16 = rand::random();
    let stamp = Timestamp::try_from(wall_now()).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{}-{random:04x}", stamp.strftime("%Y%m%dT%H%M%SZ"))
}

/// Makes the directory of the run `id` of the scenario `name`: `out` if given, else one under
/// `runs/`.
pub fn create(out: Option<&Path>, name: &str, id: &str) -> Result<PathBuf, RunDirError> {
    let path = out.map_or_else(|| PathBuf::from("runs").join(slug(name)).join(id), Path::to_owned);
    if path.join(RUN_FILE).exists() {
        return Err(RunDirError::Taken(path));
    }
    fs::create_dir_all(&path)
        .map_err(|source| RunDirError::Unwritable { path: path.clone(), source })?;
    Ok(path)
}

/// Points `runs/<name>/latest` to the run whose directory is `path`.
pub fn point_latest(path: &Path) {
    let (Some(shelf), Some(id)) = (path.parent(), path.file_name()) else { return };
    // A convenience: a file system without links is no reason not to run.
    let latest = shelf.join("latest");
    drop(fs::remove_file(&latest));
    drop(std::os::unix::fs::symlink(id, &latest));
}

/// Takes away the directory `path` of a run that never was, and those above it that were made for
/// it under `runs/`. What holds a file stays.
pub fn discard(path: &Path) {
    for path in path.ancestors().take(3) {
        let made = path.file_name().is_some_and(|name| name == "runs");
        if fs::remove_dir(path).is_err() || made || !path.starts_with("runs") {
            return;
        }
    }
}

/// `Kill one WAS!` as a file name: `kill-one-was`. Letters of all scripts stay.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_lowercase();
    if slug.is_empty() { "scenario".to_owned() } else { slug }
}

/// A seed for a run that names none: printed, so that the run can be repeated. Short enough to
/// be typed.
#[must_use]
pub fn new_seed() -> u64 {
    let since = wall_now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (u64::from(since.subsec_nanos()) ^ u64::from(rand::random::<u32>())) % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        assert_eq!(slug("Kill one WAS, twice!"), "kill-one-was-twice");
        assert_eq!(slug("가용성 점검"), "가용성-점검");
        assert_eq!(slug("../.."), "scenario");
    }

    #[test]
    fn a_run_that_never_was_leaves_no_directory_and_one_with_a_file_does() {
        let directory = tempfile::tempdir().expect("a directory");
        let out = directory.path().join("out");
        let made = create(Some(&out), "x", "y").expect("made");
        discard(&made);
        assert!(!out.exists() && directory.path().exists());
        let made = create(Some(&out), "x", "y").expect("made");
        fs::write(made.join("log"), "why").expect("written");
        discard(&made);
        assert!(out.join("log").exists());
    }

    #[test]
    fn a_run_is_never_overwritten() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(RUN_FILE), "{}").expect("written");
        assert!(matches!(create(Some(directory.path()), "x", "y"), Err(RunDirError::Taken(_))));
    }
}
