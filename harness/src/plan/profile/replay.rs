//! Recorded arrival times: a CSV file with a moment in seconds and, if wished, a journey a line.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DueTimes;

/// Why a record cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the reader said.
        source: csv::Error,
    },
    /// A line is not what it should be.
    #[error("`{}`, line {line}: {why}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing to replay.
    #[error("`{}` holds no arrival that falls into the profile's time", .0.display())]
    Empty(PathBuf),
}

/// Reads the record at `path`, to be replayed `speed` times as fast within `span`. `place` finds
/// journeys by name. What would come after the end of the span is left out.
pub(super) fn read(
    path: &Path,
    (speed, span): (f64, &Range<Duration>),
    place: &dyn Fn(&str) -> Option<usize>,
) -> Result<DueTimes, ReplayError> {
    let unreadable = |source| ReplayError::Unreadable { path: path.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All);
    let mut reader = reader.comment(Some(b'#')).from_path(path).map_err(unreadable)?;
    let mut arrivals: Vec<(Duration, Option<usize>)> = Vec::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let line = row.position().map_or(0, csv::Position::line);
        let wrong = |why: String| ReplayError::Wrong { path: path.to_owned(), line, why };
        let text = row.get(0).unwrap_or("");
        let at =
            text.parse::<f64>().ok().and_then(|it| Duration::try_from_secs_f64(it / speed).ok());
        let at = at.ok_or_else(|| wrong(format!("`{text}` is not a number of seconds")))?;
        let journey = match row.get(1) {
            None => None,
            Some(name) => {
                Some(place(name).ok_or_else(|| wrong(format!("unknown journey `{name}`")))?)
            }
        };
        if span.start + at < span.end {
            arrivals.push((span.start + at, journey));
        }
    }
    if arrivals.is_empty() {
        return Err(ReplayError::Empty(path.to_owned()));
    }
    arrivals.sort_by_key(|(at, _)| *at);
    let offsets = arrivals.iter().map(|(at, _)| *at).collect();
    let journeys: Option<Vec<usize>> = arrivals.iter().map(|(_, journey)| *journey).collect();
    Ok(DueTimes::Record(offsets, journeys.map(Into::into)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, speed: f64) -> Result<(Vec<Duration>, Option<Vec<usize>>), String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("arrivals.csv");
        std::fs::write(&path, text).expect("written");
        let span = Duration::from_secs(10)..Duration::from_secs(20);
        let place = |name: &str| (name == "buy").then_some(3);
        match read(&path, (speed, &span), &place).map_err(|error| error.to_string())? {
            DueTimes::Record(offsets, journeys) => {
                Ok((offsets.to_vec(), journeys.map(|it| it.to_vec())))
            }
            DueTimes::Rate(..) => Err("a rate".to_owned()),
        }
    }

    #[test]
    fn moments_count_from_the_begin_of_the_profile_and_are_put_in_order() {
        let milliseconds = |all: &[u64]| all.iter().map(|it| Duration::from_millis(*it)).collect();
        let (offsets, journeys) = record("# seconds\n0.5\n0.25\n99\n", 2.0).expect("a record");
        let expected: Vec<Duration> = milliseconds(&[10_125, 10_250]);
        assert_eq!((offsets, journeys), (expected, None));
        let (_, journeys) = record("0.5,buy\n1, buy\n", 1.0).expect("a record");
        assert_eq!(journeys, Some(vec![3, 3]));
    }

    #[test]
    fn what_is_no_record_is_told_with_its_line() {
        let wrong = |text| record(text, 1.0).expect_err("wrong");
        assert!(wrong("1\nsoon\n").contains("line 2: `soon` is not a number of seconds"));
        assert!(wrong("1,sell\n").contains("line 1: unknown journey `sell`"));
        assert!(wrong("-1\n").contains("`-1` is not a number of seconds"));
        assert!(wrong("11\n").contains("no arrival"));
        let missing =
            read(Path::new("/nowhere.csv"), (1.0, &(Duration::ZERO..Duration::MAX)), &|_| None);
        assert!(missing.is_err_and(|error| error.to_string().contains("/nowhere.csv")));
    }
}
