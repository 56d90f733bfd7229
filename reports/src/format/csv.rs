//! Tables for spreadsheets. Text that others wrote never begins a cell with a sign that a
//! spreadsheet takes for a formula (OWASP, CSV injection).

use std::io::Write;
use std::time::Duration;

use crate::analysis::validity;
use crate::format::FormatError;
use crate::journal::Journal;
use crate::number;
use crate::record::{Failure, Generator, Record};
use crate::report::Report;
use crate::run::Run;
use crate::seconds::Second;

const SECONDS: [&str; 31] = [
    "second",
    "phase",
    "journeys_due",
    "journeys_begun",
    "journeys_dropped",
    "journeys_ok",
    "journeys_not_ok",
    "requests_ok",
    "requests_failed",
    "requests_unknown",
    "requests_own",
    "p50_ms",
    "p99_ms",
    "max_ms",
    "valid",
    "sends",
    "late",
    "lateness_max_ms",
    "cpu_seconds",
    "cpu_limit_seconds",
    "in_flight",
    "not_valid_because",
    "lateness_p50_ms",
    "lateness_p99_ms",
    "busiest_thread",
    "busiest_thread_wanted",
    "stall_max_ms",
    "steal_seconds",
    "descriptors",
    "ports_used",
    "memory_bytes",
];

const FAILURES: [&str; 13] = [
    "due_s",
    "sent_s",
    "first_byte_s",
    "done_s",
    "phase",
    "journey",
    "step",
    "user",
    "outcome",
    "cause",
    "status",
    "served_by",
    "message",
];

/// Writes a line per second.
pub(super) fn write_seconds(report: &Report, out: &mut dyn Write) -> Result<(), FormatError> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(SECONDS)?;
    for row in &report.tables.seconds {
        table.write_record(second(report, row))?;
    }
    table.flush()?;
    Ok(())
}

fn second(report: &Report, row: &Second) -> Vec<String> {
    let phase = report.run.phases.get(row.phase).map_or("", |phase| &phase.name);
    let valid = !report.analysis.validity.invalid.contains_key(&row.second);
    let mut cells = vec![row.second.to_string(), guarded(phase)];
    let counts = [
        row.due,
        row.begun,
        row.dropped(),
        row.journeys.ok,
        row.journeys.not_ok(),
        row.requests.ok,
        row.requests.failed,
        row.requests.unknown,
        row.requests.own,
    ];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend([row.p50, row.p99, row.max].map(|one| one.map_or(String::new(), ms)));
    cells.push(if valid { "yes" } else { "no" }.to_owned());
    match report.tables.generator.get(&row.second) {
        Some(generator) => cells.extend([
            generator.sends.to_string(),
            generator.late.to_string(),
            ms(generator.lateness_max),
            number::trimmed(generator.cpu, 6),
            number::trimmed(generator.cpu_limit, 6),
            generator.in_flight.to_string(),
        ]),
        None => cells.extend(std::iter::repeat_n(String::new(), 6)),
    }
    let why = report.analysis.validity.invalid.get(&row.second);
    cells.push(why.map_or(String::new(), |why| why.words().to_owned()));
    match report.tables.generator.get(&row.second) {
        Some(generator) => cells.extend(means(generator)),
        None => cells.extend(std::iter::repeat_n(String::new(), 9)),
    }
    cells
}

/// What the generator took of its machine in one second; empty where that is not known.
fn means(generator: &Generator) -> [String; 9] {
    let float = |value: Option<f64>| value.map_or(String::new(), |it| number::trimmed(it, 6));
    let count = |value: Option<u64>| value.map_or(String::new(), |it| it.to_string());
    [
        ms(generator.lateness_p50),
        ms(generator.lateness_p99),
        float(validity::busy(generator)),
        float(validity::wanted(generator)),
        ms(generator.stall_max),
        float(generator.steal),
        generator.descriptors.to_string(),
        count(generator.ports_used),
        count(generator.memory),
    ]
}

/// Writes a line per request that was not ok, as they stand in the journal.
pub(super) fn write_failures(report: &Report, out: &mut dyn Write) -> Result<(), FormatError> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(FAILURES)?;
    let mut journal = Journal::open(&report.directory)?;
    while let Some(record) = journal.next()? {
        if let Record::Failure(one) = record {
            table.write_record(failure(&report.run, &one))?;
        }
    }
    table.flush()?;
    Ok(())
}

fn failure(run: &Run, one: &Failure) -> [String; 13] {
    let series = run.series.get(one.series);
    let optional = |moment: Option<Duration>| moment.map_or(String::new(), offset);
    [
        offset(one.due),
        optional(one.sent),
        optional(one.first_byte),
        offset(one.done),
        guarded(run.phases.get(one.phase).map_or("", |phase| &phase.name)),
        guarded(series.map_or("", |series| &series.journey)),
        guarded(series.and_then(|series| series.step.as_deref()).unwrap_or("")),
        one.user.to_string(),
        one.outcome.to_string(),
        one.cause.to_string(),
        one.status.map_or(String::new(), |status| status.to_string()),
        guarded(one.served_by.as_deref().unwrap_or("")),
        guarded(&one.message),
    ]
}

fn offset(moment: Duration) -> String {
    format!("{:.6}", moment.as_secs_f64())
}

fn ms(span: Duration) -> String {
    format!("{:.3}", span.as_secs_f64() * 1e3)
}

fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        let guarded = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "GET /=1"].map(guarded);
        assert_eq!(guarded, ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "GET /=1"]);
    }
}
