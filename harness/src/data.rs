//! Data for journeys: the rows of CSV files, and who gets which.
//!
//! A table lies in one arena that all threads share; a row is a range of it. A journey draws one
//! row of each table that it names when it begins. Which row that is follows from the user, its
//! iteration and the seed alone, but for `unique`: there each row is dealt once over the whole run,
//! to whoever asks first.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A table of the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataWritten {
    /// The CSV file, relative to the scenario file; its first line names the columns.
    pub csv: PathBuf,
    /// Which row a journey gets.
    #[serde(default)]
    pub mode: Mode,
    /// What comes after the last row; by default `recycle`, and `stop` for `unique`.
    pub on_end: Option<OnEnd>,
    /// What stands between two columns; one character, a comma by default.
    pub delimiter: Option<String>,
}

/// Which row a journey gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The rows in their order: user `n` begins with row `n` and goes on by one each iteration.
    #[default]
    Sequential,
    /// Any row, drawn from the seed.
    Random,
    /// Each row once over the whole run.
    Unique,
    /// User `n` has row `n`, in every iteration.
    PerUser,
}

/// What comes after the last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnEnd {
    /// The first row again.
    Recycle,
    /// No journey any more that needs a row: it fails, and says so.
    Stop,
}

/// A table, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in the scenario.
    pub name: String,
    /// Its file as written.
    pub file: PathBuf,
    /// Which row a journey gets.
    pub mode: Mode,
    /// What comes after the last row.
    pub on_end: OnEnd,
    /// Its columns.
    pub columns: Vec<String>,
    /// All cells, one after the other.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the CSV that is expected.
    #[error("`{path}`, line {line}: {message}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// The delimiter is not one character.
    #[error("`{0}` is not one character of ASCII")]
    Delimiter(String),
    /// `unique` and `recycle` exclude each other.
    #[error("each row once, and then again: `unique` has no `recycle`")]
    UniqueAgain,
}

impl DataError {
    /// The key of the scenario that is to blame.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Wrong { .. } => "csv",
            Self::Delimiter(_) => "delimiter",
            Self::UniqueAgain => "on-end",
        }
    }

    /// What was expected there.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "a file, relative to the scenario file",
            Self::Wrong { .. } => {
                "a CSV file in UTF-8 with a line of names and one of values at least"
            }
            Self::Delimiter(_) => "such as `;`",
            Self::UniqueAgain => "`stop`, or `mode: sequential`",
        }
    }
}

impl Table {
    /// Reads the table `name`, whose file is relative to `directory`.
    pub fn read(name: &str, written: &DataWritten, directory: &Path) -> Result<Self, DataError> {
        let on_end = match (written.mode, written.on_end) {
            (Mode::Unique, Some(OnEnd::Recycle)) => return Err(DataError::UniqueAgain),
            (Mode::Unique, None) => OnEnd::Stop,
            (_, on_end) => on_end.unwrap_or(OnEnd::Recycle),
        };
        let delimiter = match written.delimiter.as_deref() {
            None => b',',
            Some("\\t") => b'\t',
            Some(text) => match text.as_bytes() {
                [one] if one.is_ascii() => *one,
                _ => return Err(DataError::Delimiter(text.to_owned())),
            },
        };
        let path = directory.join(&written.csv);
        let bytes = fs::read(&path)
            .map_err(|source| DataError::Unreadable { path: path.clone(), source })?;
        let mut table = Self {
            name: name.to_owned(),
            file: written.csv.clone(),
            mode: written.mode,
            on_end,
            columns: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
        };
        table.fill(&bytes, delimiter).map_err(|(line, message)| DataError::Wrong {
            path,
            line,
            message,
        })?;
        Ok(table)
    }

    /// Reads the rows; the line and what is wrong with it otherwise.
    fn fill(&mut self, bytes: &[u8], delimiter: u8) -> Result<(), (u64, String)> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(csv::Trim::Headers)
            .from_reader(bytes);
        let names = reader.headers().map_err(|error| at_line(&error))?.clone();
        let mut known = BTreeSet::new();
        for name in &names {
            if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                || name.is_empty()
            {
                let words = "holds more than letters, digits, `_` and `-`";
                return Err((1, format!("the column name `{name}` {words}")));
            }
            if !known.insert(name) {
                return Err((1, format!("the column `{name}` stands there twice")));
            }
        }
        self.columns = names.iter().map(str::to_owned).collect();
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| at_line(&error))? {
            for cell in &row {
                self.text.push_str(cell);
                let end = u32::try_from(self.text.len());
                let line = reader.position().line();
                self.ends.push(end.map_err(|_| (line, "more than 4 GiB of cells".to_owned()))?);
            }
        }
        if self.ends.is_empty() {
            return Err((1, "there is no row".to_owned()));
        }
        Ok(())
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ends.len() / self.columns.len().max(1)
    }

    /// A cell, by row and column from 0.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.columns.len() + column;
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[begin..self.ends[at] as usize]
    }

    /// The row for this user and iteration, both from 0; `None` when the data is used up. `dealt`
    /// counts the rows that the run has dealt of a `unique` table.
    #[must_use]
    pub fn draw(
        &self,
        (user, iteration): (u64, u64),
        dealt: &AtomicU64,
        random: &mut Pcg64Mcg,
    ) -> Option<usize> {
        let rows = self.rows() as u64;
        let turn = match self.mode {
            Mode::Sequential if self.on_end == OnEnd::Stop && iteration >= rows => return None,
            Mode::Sequential => user.wrapping_add(iteration) % rows,
            Mode::Random => random.random_range(0..rows),
            Mode::Unique => dealt.fetch_add(1, Ordering::Relaxed),
            Mode::PerUser if self.on_end == OnEnd::Recycle => user % rows,
            Mode::PerUser => user,
        };
        usize::try_from(turn).ok().filter(|row| *row < self.rows())
    }

    /// The table in a sentence: `people: 120 rows of people.csv, unique`.
    #[must_use]
    pub fn words(&self) -> String {
        let mode = match self.mode {
            Mode::Sequential => "sequential",
            Mode::Random => "random",
            Mode::Unique => "unique",
            Mode::PerUser => "per-user",
        };
        let (name, rows, file) = (&self.name, self.rows(), self.file.display());
        let rows = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        format!("{name}: {rows} of {file}, {mode}")
    }
}

fn at_line(error: &csv::Error) -> (u64, String) {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    (line, message)
}

/// What has been dealt in a run, over all threads.
#[derive(Debug, Default)]
pub struct Dealt {
    /// How often `{{ counter }}` was filled in.
    pub counter: AtomicU64,
    /// Rows of each table.
    pub rows: Vec<AtomicU64>,
}

impl Dealt {
    /// Nothing of so many tables.
    #[must_use]
    pub fn new(tables: usize) -> Self {
        Self { counter: AtomicU64::new(0), rows: (0..tables).map(|_| AtomicU64::new(0)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn table(text: &str, mode: Mode, on_end: OnEnd) -> Table {
        let mut table = Table {
            name: "people".to_owned(),
            file: "people.csv".into(),
            mode,
            on_end,
            columns: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
        };
        table.fill(text.as_bytes(), b',').expect("a table");
        table
    }

    const PEOPLE: &str = "name,city\nAnn,\"Aachen, old\"\nBob,\nC\u{e9}line,\"two\nlines\"\n";

    /// The rows of four iterations of each of three users.
    fn drawn(mode: Mode, on_end: OnEnd) -> Vec<Vec<Option<usize>>> {
        let table = table(PEOPLE, mode, on_end);
        let dealt = AtomicU64::new(0);
        let user = |user| {
            let mut random = Pcg64Mcg::seed_from_u64(user);
            (0..4).map(|turn| table.draw((user, turn), &dealt, &mut random)).collect()
        };
        (0..3).map(user).collect()
    }

    #[test]
    fn cells_are_those_of_the_file() {
        let table = table(PEOPLE, Mode::Sequential, OnEnd::Recycle);
        assert_eq!((table.rows(), table.columns.len()), (3, 2));
        let cells: Vec<&str> = (0..6).map(|at| table.cell(at / 2, at % 2)).collect();
        assert_eq!(cells, ["Ann", "Aachen, old", "Bob", "", "C\u{e9}line", "two\nlines"]);
        assert_eq!(table.words(), "people: 3 rows of people.csv, sequential");
    }

    #[test]
    fn each_mode_deals_its_rows() {
        let some = |rows: [usize; 4]| rows.map(Some).to_vec();
        let sequential = [some([0, 1, 2, 0]), some([1, 2, 0, 1]), some([2, 0, 1, 2])];
        assert_eq!(drawn(Mode::Sequential, OnEnd::Recycle), sequential);
        let stopped = vec![Some(0), Some(1), Some(2), None];
        assert_eq!(drawn(Mode::Sequential, OnEnd::Stop)[0], stopped);
        assert_eq!(drawn(Mode::PerUser, OnEnd::Recycle)[2], some([2; 4]));
        let unique: Vec<Option<usize>> = drawn(Mode::Unique, OnEnd::Stop).concat();
        assert_eq!(unique[..4], [Some(0), Some(1), Some(2), None]);
        assert!(unique[4..].iter().all(Option::is_none));
        assert_eq!(drawn(Mode::Random, OnEnd::Recycle), drawn(Mode::Random, OnEnd::Recycle));
        assert!(drawn(Mode::Random, OnEnd::Recycle).concat().iter().all(Option::is_some));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        let mut blank = table(PEOPLE, Mode::Random, OnEnd::Stop);
        let mut wrong = |bytes: &[u8]| blank.fill(bytes, b',').expect_err("an error");
        assert_eq!(wrong(b"a,b\n1,2\n3\n"), (3, "1 cells, where the first line has 2".to_owned()));
        assert_eq!(wrong(b"a,a\n1,2\n").1, "the column `a` stands there twice");
        assert_eq!(wrong(b"a,b\n1,\xff\n"), (2, "not UTF-8".to_owned()));
        assert!(wrong(b"first name\nx\n").1.contains("`first name`"));
    }

    #[test]
    fn a_file_without_rows_is_no_data() {
        let mut blank = table(PEOPLE, Mode::Random, OnEnd::Stop);
        blank.ends.clear();
        assert_eq!(blank.fill(b"a,b\n", b','), Err((1, "there is no row".to_owned())));
    }
}
