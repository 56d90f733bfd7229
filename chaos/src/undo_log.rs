//! The undo log: what is broken, written before it is broken.
//!
//! One JSON object a line, each on disk before its writer goes on. An intent stands in the log
//! before its act, so that a process that dies at any moment leaves behind at least a record of what
//! it was about to do; the undo compares states, and an intent that never became an act undoes to
//! nothing. A last line cut short by a crash is dropped: its act had not begun.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Undo},
    instance::{Instance, State},
    platform::Anchor,
};

/// The version of the format; a log of another version is refused.
const VERSION: u32 = 1;

/// What is about to be done to an instance, and how it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its place among the intents of this log; the later lines refer to it.
    pub entry: u64,
    /// The fault's place in the plan.
    pub fault: usize,
    /// The act in words: `kill was-1`.
    pub act: String,
    /// The instance's name.
    pub instance: String,
    /// The instance's id on the platform.
    pub id: String,
    /// How the instance was.
    pub before: State,
    /// What must be brought back.
    pub undo: Undo,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Header(Header),
    Intent(Intent),
    Applied { entry: u64, evidence: String },
    UndoBegin { entry: u64 },
    Undone { entry: u64, verified: String },
    Gone { entry: u64 },
    NotRestored { entry: u64, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    version: u32,
    run_id: String,
    anchor: Anchor,
}

/// Why the undo log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum UndoLogError {
    /// The file system refused.
    #[error("cannot {what} the undo log `{}`: {source}", path.display())]
    Io {
        /// What was tried: `write`, `read`, `create`.
        what: &'static str,
        /// The log.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A line other than the last cannot be understood.
    #[error("line {line} of the undo log `{}` is damaged: {why}", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The first line is missing or of another version.
    #[error("`{}` is not an undo log of version {VERSION}: {why}", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
}

/// An undo log that is open for writing. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct UndoLog {
    book: Arc<Mutex<Book>>,
    path: Arc<Path>,
    header: Arc<Header>,
}

#[derive(Debug)]
struct Book {
    file: File,
    pending: Vec<Intent>,
    next: u64,
}

impl UndoLog {
    /// Begins the log of a run. A file that is already there is an error: it may hold faults that
    /// wait to be healed.
    pub fn create(path: &Path, run_id: &str, anchor: Anchor) -> Result<Self, UndoLogError> {
        let failed = |source| UndoLogError::Io { what: "create", path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(failed)?;
        let header = Header { version: VERSION, run_id: run_id.to_owned(), anchor };
        let book = Book { file, pending: Vec::new(), next: 0 };
        let log = Self::with(book, path, header.clone());
        log.book().write(&Line::Header(header)).map_err(failed)?;
        // The file's name is on disk only when its directory is.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = File::open(directory.unwrap_or(Path::new(".")));
        directory.and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(log)
    }

    /// Opens the log that a run left behind.
    pub fn open(path: &Path) -> Result<Self, UndoLogError> {
        let failed = |source| UndoLogError::Io { what: "read", path: path.to_owned(), source };
        let bytes = fs::read(path).map_err(failed)?;
        let (lines, length) = parse(path, &bytes)?;
        let mut lines = lines.into_iter();
        let header = match lines.next() {
            Some(Line::Header(header)) if header.version == VERSION => header,
            Some(Line::Header(header)) => {
                let why = format!("its version is {}", header.version);
                return Err(UndoLogError::NotALog { path: path.to_owned(), why });
            }
            _ => {
                let why = "it has no header".to_owned();
                return Err(UndoLogError::NotALog { path: path.to_owned(), why });
            }
        };
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        let mut book = Book { file, pending: Vec::new(), next: 0 };
        lines.for_each(|line| book.apply(line));
        Ok(Self::with(book, path, header))
    }

    fn with(book: Book, path: &Path, header: Header) -> Self {
        Self { book: Arc::new(Mutex::new(book)), path: path.into(), header: Arc::new(header) }
    }

    /// The run that began this log.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.header.run_id
    }

    /// How to reach what the run has broken.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.header.anchor
    }

    /// Where the log is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was begun and is not known to be healed, in order of its beginning.
    #[must_use]
    pub fn pending(&self) -> Vec<Intent> {
        self.book().pending.clone()
    }

    /// Notes what is about to be done.
    pub(crate) async fn intent(
        &self,
        number: usize,
        fault: &Fault,
        instance: &Instance,
        before: &State,
    ) -> Result<Intent, UndoLogError> {
        let intent = Intent {
            entry: self.book().number(),
            fault: number,
            act: fault.on(&instance.name),
            instance: instance.name.clone(),
            id: instance.id.clone(),
            before: before.clone(),
            undo: fault.undo(),
        };
        self.append(Line::Intent(intent.clone())).await?;
        Ok(intent)
    }

    /// Notes that it was done, and how that is known.
    pub(crate) async fn applied(&self, entry: u64, evidence: &str) -> Result<(), UndoLogError> {
        self.append(Line::Applied { entry, evidence: evidence.to_owned() }).await
    }

    /// Notes that its undo begins.
    pub(crate) async fn undo_begin(&self, entry: u64) -> Result<(), UndoLogError> {
        self.append(Line::UndoBegin { entry }).await
    }

    /// Notes that it is undone, and what was compared to know it.
    pub(crate) async fn undone(&self, entry: u64, verified: &str) -> Result<(), UndoLogError> {
        self.append(Line::Undone { entry, verified: verified.to_owned() }).await
    }

    /// Notes that there is nothing left to undo it on.
    pub(crate) async fn gone(&self, entry: u64) -> Result<(), UndoLogError> {
        self.append(Line::Gone { entry }).await
    }

    /// Notes that it could not be undone. It stays pending.
    pub(crate) async fn not_restored(&self, entry: u64, reason: &str) -> Result<(), UndoLogError> {
        self.append(Line::NotRestored { entry, reason: reason.to_owned() }).await
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line beside the runtime: an fsync can take long, and the load shares our threads.
    async fn append(&self, line: Line) -> Result<(), UndoLogError> {
        let log = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut book = log.book();
            book.write(&line)?;
            book.apply(line);
            Ok(())
        });
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let failed =
            |source| UndoLogError::Io { what: "write", path: self.path.to_path_buf(), source };
        written.map_err(failed)
    }
}

impl Book {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }

    /// What a line changes in the list of what is pending.
    fn apply(&mut self, line: Line) {
        match line {
            Line::Intent(intent) => {
                self.next = self.next.max(intent.entry + 1);
                self.pending.push(intent);
            }
            Line::Undone { entry, .. } | Line::Gone { entry } => {
                self.pending.retain(|intent| intent.entry != entry);
            }
            Line::Header(_)
            | Line::Applied { .. }
            | Line::UndoBegin { .. }
            | Line::NotRestored { .. } => {}
        }
    }
}

/// The whole lines of a log, and how many bytes they fill.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Line>, u64), UndoLogError> {
    let mut lines = Vec::new();
    let mut length = 0;
    let mut texts = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(text) = texts.next() {
        let torn = texts.peek().is_none() && !text.ends_with(b"\n");
        if torn {
            break;
        }
        let line = serde_json::from_slice(text).map_err(|error| UndoLogError::Damaged {
            path: path.to_owned(),
            line: lines.len() + 1,
            why: error.to_string(),
        })?;
        lines.push(line);
        length += text.len() as u64;
    }
    Ok((lines, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::life::Kill,
        platform::{Platform, fake::Fake},
    };

    #[tokio::test]
    async fn what_is_undone_is_no_longer_pending_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", Anchor::Fake).unwrap();
        let first = begin(&log, 0).await;
        let second = begin(&log, 1).await;
        log.applied(second.entry, "event die").await.unwrap();
        log.undo_begin(first.entry).await.unwrap();
        log.undone(first.entry, "equal").await.unwrap();
        log.not_restored(second.entry, "it is exited").await.unwrap();
        assert_eq!(log.pending(), std::slice::from_ref(&second));
        drop(log);

        let again = UndoLog::open(&path).unwrap();
        assert_eq!(again.run_id(), "run-1");
        assert_eq!(again.anchor(), &Anchor::Fake);
        assert_eq!(again.pending(), [second]);
        assert_eq!(begin(&again, 2).await.entry, 2, "numbers are not used again");
    }

    #[tokio::test]
    async fn a_line_cut_short_at_any_byte_is_dropped_and_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", Anchor::Fake).unwrap();
        begin(&log, 0).await;
        let whole = fs::metadata(&path).unwrap().len();
        begin(&log, 1).await;
        let bytes = fs::read(&path).unwrap();
        for cut in usize::try_from(whole).unwrap()..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let log = UndoLog::open(&path).unwrap();
            assert_eq!(log.pending().len(), 1, "cut at {cut}");
            begin(&log, 1).await;
            assert_eq!(UndoLog::open(&path).unwrap().pending().len(), 2, "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn damage_in_the_middle_is_an_error_that_names_the_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", Anchor::Fake).unwrap();
        begin(&log, 0).await;
        begin(&log, 1).await;
        let text = fs::read_to_string(&path).unwrap().replacen("intent", "in!ent", 1);
        fs::write(&path, text).unwrap();
        let error = UndoLog::open(&path).unwrap_err();
        assert!(matches!(error, UndoLogError::Damaged { line: 2, .. }), "{error}");
    }

    #[test]
    fn a_log_is_not_begun_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let first = UndoLog::create(&path, "run-1", Anchor::Fake).unwrap();
        assert!(UndoLog::create(&path, "run-2", Anchor::Fake).is_err());
        drop(first);
    }

    async fn begin(log: &UndoLog, number: usize) -> Intent {
        let instance = Fake::new(&[("was", 1)]).instances().await.unwrap().remove(0);
        let kill = Fault::Kill(Kill::default());
        log.intent(number, &kill, &instance, &instance.state).await.unwrap()
    }
}
