//! The files and words in which a run is told, each rendered from the [`Report`] alone.

mod csv;
mod hlog;
mod html;
mod json;
mod junit;
mod markdown;
mod text;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::journal::JournalError;
use crate::report::Report;
use crate::words::Lang;

pub use crate::format::json::{Summary, summary_schema};

/// A way of telling a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// One screen for people, for the terminal.
    Text,
    /// Everything that was found, for programs.
    Json,
    /// A line per second, for spreadsheets.
    SecondsCsv,
    /// A line per request that was not ok.
    FailuresCsv,
    /// A case per objective and fault, for CI.
    Junit,
    /// One page for the summary of a CI step.
    Markdown,
    /// Everything for people, with charts, in one file.
    Html,
    /// Latencies per second, for the tools of `HdrHistogram`.
    Hlog,
}

impl ReportFormat {
    /// All of them with their names and file names.
    pub const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Text, "text", "summary.txt"),
        (Self::Json, "json", "summary.json"),
        (Self::SecondsCsv, "seconds", "seconds.csv"),
        (Self::FailuresCsv, "failures", "failures.csv"),
        (Self::Junit, "junit", "junit.xml"),
        (Self::Markdown, "markdown", "summary.md"),
        (Self::Html, "html", "report.html"),
        (Self::Hlog, "hlog", "latency.hlog"),
    ];

    /// The name of its file in a run directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        Self::ALL.iter().find(|(one, ..)| *one == self).map_or("", |(_, _, file)| file)
    }

    /// Writes `report` to `out`. Languages matter to what people read; what programs read is the
    /// same in each.
    pub fn write(
        self,
        report: &Report,
        lang: Lang,
        out: &mut dyn Write,
    ) -> Result<(), FormatError> {
        match self {
            Self::Text => Ok(text::write(report, lang, out)?),
            Self::Json => Ok(json::write(report, out)?),
            Self::SecondsCsv => csv::write_seconds(report, out),
            Self::FailuresCsv => csv::write_failures(report, out),
            Self::Junit => junit::write(report, out),
            Self::Markdown => Ok(markdown::write(report, lang, out)?),
            Self::Html => html::write(report, lang, out),
            Self::Hlog => hlog::write(report, out),
        }
    }

    /// Writes `report` to its file in `directory` and returns the file's path.
    pub fn write_file(
        self,
        report: &Report,
        lang: Lang,
        directory: &Path,
    ) -> Result<PathBuf, FormatError> {
        let path = directory.join(self.file_name());
        let failed = |source| FormatError::Io { path: path.clone(), source };
        let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
        self.write(report, lang, &mut file)?;
        file.flush().map_err(failed)?;
        Ok(path)
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(one, ..)| one == self).map_or("", |(_, name, _)| name);
        f.write_str(name)
    }
}

/// The text is not a format of reports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no report format `{found}`; known are {known}")]
pub struct NotAFormat {
    found: String,
    known: String,
}

impl FromStr for ReportFormat {
    type Err = NotAFormat;

    fn from_str(text: &str) -> Result<Self, NotAFormat> {
        let found = Self::ALL.iter().find(|(_, name, _)| *name == text);
        found.map(|(format, ..)| *format).ok_or_else(|| {
            let known = Self::ALL.map(|(_, name, _)| format!("`{name}`")).join(", ");
            NotAFormat { found: text.to_owned(), known }
        })
    }
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Its file could not be written.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the report: {0}")]
    Output(#[from] io::Error),
    /// The journal could not be read again for its raw records.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A line of a table could not be written.
    #[error("cannot write the table: {0}")]
    Csv(#[from] ::csv::Error),
    /// The XML could not be written.
    #[error("cannot write the XML: {0}")]
    Xml(#[from] quick_junit::SerializeError),
    /// The page could not be filled in.
    #[error("cannot write the page: {0}")]
    Page(#[from] askama::Error),
    /// The chart could not be drawn.
    #[error("cannot draw the chart: {0}")]
    Chart(String),
}
