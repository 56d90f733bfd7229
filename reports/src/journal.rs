//! The journal on disk: appended, framed, checksummed, readable after a crash.
//!
//! A run directory holds `run.json` (what was planned) and `journal` (what happened). Each line of
//! the journal is one record:
//!
//! ```text
//! 9e3779b1 {"record":"probe","target":0,"due":50000,...}
//! ^ CRC-32 (IEEE) of the JSON that follows, in 8 hex digits
//! ```
//!
//! A reader takes lines up to the first that is torn or damaged and says how much it left unread;
//! a writer that dies in mid-line costs that line and nothing else.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::record::{Begin, Record};
use crate::run::{Run, SCHEMA, SCHEMA_OLDEST};

/// The file of the records inside a run directory.
pub const JOURNAL_FILE: &str = "journal";

/// The file of what was planned inside a run directory.
pub const RUN_FILE: &str = "run.json";

/// Why a run directory cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file could not be read or written.
    #[error("cannot {verb} `{path}`: {source}")]
    Io {
        /// What was tried: `write`, `read`.
        verb: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory is not a run directory.
    #[error(
        "`{0}` is not a run directory: it has no readable `{RUN_FILE}`; name one that `rehearsal run` made (they are under `runs/` unless `--out` said otherwise)"
    )]
    NotARun(PathBuf, #[source] Option<serde_json::Error>),
    /// The directory was written by another version.
    #[error(
        "`{path}` has journal version {found}, and this program reads versions {SCHEMA_OLDEST} to {SCHEMA}: use the version of rehearsal that made it"
    )]
    Version {
        /// The run directory.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { verb, path, source }
}

/// Appends records to the journal of a run.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl JournalWriter {
    /// Writes `run.json` into `directory`, which exists and holds no run, and opens the journal.
    pub fn create(directory: &Path, run: &Run) -> Result<Self, JournalError> {
        let path = directory.join(RUN_FILE);
        let text = serde_json::to_string_pretty(run).expect("a run serialises");
        let draft = directory.join(".run.json.draft");
        write_durably(&draft, text.as_bytes()).map_err(failed("write", &path))?;
        fs::rename(&draft, &path).map_err(failed("write", &path))?;

        let path = directory.join(JOURNAL_FILE);
        let file = File::options().append(true).create_new(true).open(&path);
        let file = BufWriter::new(file.map_err(failed("write", &path))?);
        let mut journal = Self { path, file };
        journal.append(&Record::Begin(Begin { schema: SCHEMA, run: run.id.clone() }))?;
        journal.sync()?;
        Ok(journal)
    }

    /// Appends `record`; it reaches the file with the next [`flush`](Self::flush).
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let json = serde_json::to_string(record).expect("a record serialises");
        let crc = crc32fast::hash(json.as_bytes());
        writeln!(self.file, "{crc:08x} {json}").map_err(failed("write", &self.path))
    }

    /// Hands what was appended to the kernel: it survives the end of this process.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.file.flush().map_err(failed("write", &self.path))
    }

    /// Hands what was appended to the disk: it survives the end of this machine.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.file.get_ref().sync_data().map_err(failed("write", &self.path))
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A journal, open for reading.
#[derive(Debug)]
pub struct Journal {
    /// What was planned.
    pub run: Run,
    path: PathBuf,
    lines: BufReader<File>,
    read: u64,
    length: u64,
}

impl Journal {
    /// Opens the run in `directory`.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(RUN_FILE);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|_| JournalError::NotARun(directory.to_owned(), None))?;
        let not_a_run = |error| JournalError::NotARun(directory.to_owned(), Some(error));
        let value: serde_json::Value = serde_json::from_str(&text).map_err(not_a_run)?;
        let found = value["schema"].as_u64().unwrap_or(0);
        if !(u64::from(SCHEMA_OLDEST)..=u64::from(SCHEMA)).contains(&found) {
            return Err(JournalError::Version { path: directory.to_owned(), found });
        }
        let run = serde_json::from_value(value).map_err(not_a_run)?;

        let path = directory.join(JOURNAL_FILE);
        let file = File::open(&path).map_err(failed("read", &path))?;
        let length = file.metadata().map_err(failed("read", &path))?.len();
        Ok(Self { run, path, lines: BufReader::new(file), read: 0, length })
    }

    /// The next record; `None` at the end, which is also where the first damaged line begins.
    #[expect(clippy::should_implement_trait, reason = "each step may fail, as with a file")]
    pub fn next(&mut self) -> Result<Option<Record>, JournalError> {
        let mut line = Vec::new();
        let length = self.lines.read_until(b'\n', &mut line).map_err(failed("read", &self.path))?;
        let Some(record) = decode(&line) else {
            return Ok(None);
        };
        self.read += length as u64;
        Ok(Some(record))
    }

    /// The run directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// How many bytes stand behind the last good record: a torn tail. Right after
    /// [`next`](Self::next) returned `None`.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.length.saturating_sub(self.read)
    }
}

/// The record of one line; `None` when the line is torn or damaged.
fn decode(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, json) = line.split_once(' ')?;
    let crc = u32::from_str_radix(crc, 16).ok()?;
    (crc == crc32fast::hash(json.as_bytes())).then(|| serde_json::from_str(json).ok())?
}
