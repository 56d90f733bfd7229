//! One run at a time for each system under test.
//!
//! The kernel holds the lock for as long as its holder lives, so that a dead run blocks nobody. The
//! file behind it stays and names the last holder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// The exclusive right to break one system, until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
    key: String,
}

/// Why the right is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error("the run `{run_id}` is already at work on `{key}`; wait for its end, or stop it")]
    Held {
        /// The system.
        key: String,
        /// The run that has it.
        run_id: String,
    },
    /// The lock could not be written.
    #[error("cannot lock `{}`: {source}", path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of the system `key` (see [`Anchor::key`](crate::platform::Anchor::key)) for
    /// the run `run_id`.
    pub fn acquire(state_dir: &Path, key: &str, run_id: &str) -> Result<Self, LockError> {
        let path = state_dir.join("locks").join(key);
        let failed = |source| LockError::Io { path: path.clone(), source };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = match Flock::lock(file.map_err(failed)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut run_id = String::new();
                file.read_to_string(&mut run_id).map_err(failed)?;
                return Err(LockError::Held { key: key.to_owned(), run_id });
            }
            Err((_, error)) => return Err(failed(error.into())),
        };
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        file.write_all(run_id.as_bytes()).map_err(failed)?;
        Ok(Self { _file: file, key: key.to_owned() })
    }

    /// The system that is locked.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Where locks and the list of unfinished runs are kept: `$REHEARSAL_STATE`, else `rehearsal` in
/// `$XDG_STATE_HOME`, else in `~/.local/state`. `None` when there is no home either.
#[must_use]
pub fn state_dir() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(own) = variable("REHEARSAL_STATE") {
        return Some(own.into());
    }
    let shared = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&variable("HOME")?).join(".local/state")));
    shared.map(|directory| directory.join("rehearsal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_refused_with_its_holder_and_free_again_when_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::acquire(directory.path(), "docker-shop", "a-long-run-id").unwrap();
        let refused = Lock::acquire(directory.path(), "docker-shop", "second").unwrap_err();
        assert!(matches!(&refused, LockError::Held { run_id, .. } if run_id == "a-long-run-id"));
        let other = Lock::acquire(directory.path(), "docker-other", "third");
        assert!(other.is_ok(), "another system is free");

        drop(first);
        let second = Lock::acquire(directory.path(), "docker-shop", "second").unwrap();
        let refused = Lock::acquire(directory.path(), "docker-shop", "fourth").unwrap_err();
        assert!(matches!(&refused, LockError::Held { run_id, .. } if run_id == "second"));
        drop(second);
    }
}
