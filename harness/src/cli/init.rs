//! `rehearsal init`

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rehearsal_reports::verdict::Exit;

use super::{complain, print};

/// The scenario to begin with.
const STARTER: &str = include_str!("init.yaml");

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("`{0}` is there already, and is left as it is; name another file")]
    Taken(String),
    #[error("cannot write `{0}`: {1}")]
    Unwritable(String, io::Error),
}

pub(super) fn main(file: &Path) -> Exit {
    let path = file.display().to_string();
    let written = File::create_new(file).and_then(|mut file| file.write_all(STARTER.as_bytes()));
    match written {
        Ok(()) => {
            print(&format!("wrote {path}; look at `rehearsal plan {path}`, then run it\n"));
            Exit::Pass
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            complain(&InitError::Taken(path));
            Exit::Usage
        }
        Err(error) => {
            complain(&InitError::Unwritable(path, error));
            Exit::Environment
        }
    }
}
