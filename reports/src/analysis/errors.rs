//! What went wrong, by cause, phase and series, each with one example.

use std::time::Duration;

use crate::outcome::Cause;
use crate::record::Failure;
use crate::run::Run;
use crate::tables::Tables;

/// Requests that were not ok, of one cause in one phase and series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// What was seen.
    pub cause: Cause,
    /// The phase, by place.
    pub phase: usize,
    /// The series, by place.
    pub series: usize,
    /// How many.
    pub count: u64,
    /// When the first was due; a whole second where no raw record tells more.
    pub first: Duration,
    /// When the last was due; a whole second where no raw record tells more.
    pub last: Duration,
    /// The first of them that was recorded raw.
    pub sample: Option<Failure>,
}

/// All of them, the most frequent first.
#[must_use]
pub fn rows(run: &Run, tables: &Tables) -> Vec<ErrorRow> {
    let steps = run.steps();
    let counted = tables.phases.causes().filter(|(_, series, ..)| steps.contains(series));
    let mut rows: Vec<ErrorRow> = counted
        .map(|(phase, series, cause, counted)| {
            let key = (phase, series, cause);
            let sample = tables.samples.get(&key).cloned();
            let first_second = Duration::from_secs(u64::from(counted.first));
            let last_second = Duration::from_secs(u64::from(counted.last));
            let first = sample.as_ref().map_or(first_second, |sample| sample.due);
            let last = tables.last.get(&key).map_or(last_second, |last| last_second.max(*last));
            ErrorRow { cause, phase, series, count: counted.count, first, last, sample }
        })
        .collect();
    rows.sort_by_key(|row| (u64::MAX - row.count, row.cause, row.phase, row.series));
    rows
}
