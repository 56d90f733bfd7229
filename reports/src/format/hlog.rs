//! Latencies as an interval log of `HdrHistogram`, text format 1.3: a line per second, series,
//! outcome and kind of latency, whose tag is `journey/step.outcome.kind`.
//!
//! The journal is read again, so that no more than a minute of histograms is in memory. What comes
//! later than that gets a line of its own; readers add up the lines of a second.

use std::collections::BTreeMap;
use std::io::Write;

use jiff::Timestamp;

use crate::format::FormatError;
use crate::histogram::Histogram;
use crate::journal::Journal;
use crate::outcome::Outcome;
use crate::record::{Latency, Record};
use crate::report::Report;
use crate::run::Run;

/// How many seconds are awaited before their lines are written.
const AWAITED: u32 = 60;

type Key = (u32, usize, Outcome, Latency);

/// Writes the log.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), FormatError> {
    write_header(&report.run, out)?;
    let mut journal = Journal::open(&report.directory)?;
    let mut awaited: BTreeMap<Key, Histogram> = BTreeMap::new();
    let mut newest = 0;
    while let Some(record) = journal.next()? {
        let Record::Interval(interval) = record else {
            continue;
        };
        let Some(second) = interval.second else {
            continue;
        };
        let key = (second, interval.series, interval.outcome, interval.latency);
        if let Some(sum) = awaited.get_mut(&key) {
            sum.add(&interval.histogram);
        } else {
            awaited.insert(key, interval.histogram);
        }
        if second > newest {
            newest = second;
            let rest = newest.saturating_sub(AWAITED);
            let waiting = awaited.split_off(&(rest, 0, Outcome::Ok, Latency::Response));
            write_lines(&report.run, &std::mem::replace(&mut awaited, waiting), out)?;
        }
    }
    write_lines(&report.run, &awaited, out)
}

fn write_header(run: &Run, out: &mut dyn Write) -> Result<(), FormatError> {
    let start = run.started.parse::<Timestamp>().unwrap_or_default();
    let start = start.as_duration().as_secs_f64();
    let started: String = run.started.chars().filter(|c| !c.is_control()).collect();
    writeln!(out, "#[Values are microseconds; Interval_Max is in milliseconds]")?;
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[StartTime: {start:.3} (seconds since epoch), {started}]")?;
    let legend =
        ["StartTimestamp", "Interval_Length", "Interval_Max", "Interval_Compressed_Histogram"];
    writeln!(out, "{}", legend.map(|word| format!("\"{word}\"")).join(","))?;
    Ok(())
}

fn write_lines(
    run: &Run,
    histograms: &BTreeMap<Key, Histogram>,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    for ((second, series, outcome, latency), histogram) in histograms {
        let series = run.series.get(*series).map(ToString::to_string).unwrap_or_default();
        let latency = match latency {
            Latency::Response => "response",
            Latency::Service => "service",
            Latency::Connect => "connect",
        };
        let tag = tag(&format!("{series}.{outcome}.{latency}"));
        let max = histogram.max().unwrap_or_default().as_secs_f64() * 1e3;
        let payload = histogram.to_payload();
        writeln!(out, "Tag={tag},{second}.000,1.000,{max:.3},{payload}")?;
    }
    Ok(())
}

/// A tag may hold neither commas nor blanks.
fn tag(text: &str) -> String {
    let stands = |c: char| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c };
    text.chars().map(stands).collect()
}
