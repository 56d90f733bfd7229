//! One screen for people, for the terminal. Control characters of text that others wrote are
//! shown and not sent to the terminal.

use std::io::{self, Write};

use crate::analysis::failover::Failover;
use crate::analysis::latency::{LatencyRow, Outcomes};
use crate::number;
use crate::objective::judge::Reading;
use crate::record::Latency;
use crate::report::Report;
use crate::words::Lang;

/// How many kinds of errors are shown.
const ERRORS_SHOWN: usize = 10;

/// Writes the screen.
pub(super) fn write(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let verdict = &report.verdict;
    writeln!(out, "{}: {}", lang.exit(verdict.exit), shown(&lang.sentence(verdict)))?;
    writeln!(
        out,
        "{} · {} · {}",
        shown(&report.run.name),
        report.run.id,
        shown(&report.run.target)
    )?;
    objectives(report, lang, out)?;
    numbers(report, lang, out)?;
    faults(report, lang, out)?;
    latency(report, lang, out)?;
    errors(report, lang, out)?;
    quality(report, lang, out)
}

fn objectives(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let rows = report.findings.iter().map(|finding| {
        let mut reading = lang.reading(&finding.reading).to_owned();
        if let Reading::Inconclusive(doubt) = &finding.reading {
            reading = format!("{reading}: {}", lang.doubt(doubt));
        }
        vec![shown(&finding.objective.to_string()), finding.measured.to_string(), shown(&reading)]
    });
    table(&[words.objective, words.measured, words.reading], &rows.collect::<Vec<_>>(), out)
}

fn numbers(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let analysis = &report.analysis;
    let told = |share: Option<f64>| share.map_or("–".to_owned(), number::percent);
    let downtime = analysis.downtime;
    writeln!(out)?;
    writeln!(
        out,
        "{}: {} {}, {} {}; {}: {} ({} {}, {} {})",
        words.availability,
        told(analysis.requests.availability()),
        words.of_requests,
        told(analysis.time_availability),
        words.of_time,
        words.downtime,
        number::seconds(downtime.planned + downtime.unplanned),
        words.planned,
        number::seconds(downtime.planned),
        words.unplanned,
        number::seconds(downtime.unplanned),
    )?;
    let counts = analysis.whole.counts;
    writeln!(
        out,
        "{}: {} {}, {} {}, {} {}, {} {}; {} {}",
        words.requests,
        number::count(counts.ok),
        words.ok,
        number::count(counts.failed),
        words.failed,
        number::count(counts.unknown),
        words.unknown,
        number::count(counts.own),
        words.own,
        number::count(analysis.whole.dropped),
        words.dropped,
    )
}

fn faults(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let rows = report.run.faults.iter().zip(&report.analysis.failovers).map(|(fault, failover)| {
        let mut row = vec![shown(&fault.name)];
        row.extend(spans(failover, lang));
        row.push(failover.during.total().to_string());
        row.push(failover.after.total().to_string());
        row
    });
    let head = [
        words.fault,
        words.detection,
        words.failover,
        words.recovery,
        words.readmission,
        words.failback,
        words.not_ok_during,
        words.not_ok_after,
    ];
    table(&head, &rows.collect::<Vec<_>>(), out)
}

/// The five numbers of a fault: detection, failover, recovery, re-admission, fail-back.
pub(super) fn spans(failover: &Failover, lang: Lang) -> [String; 5] {
    let words = lang.words();
    let told = |span: Option<_>| span.map_or(words.not_seen.to_owned(), number::seconds);
    let not_before_undo = failover.failover.is_none() && failover.last_failure.is_some();
    [
        told(failover.detection),
        if not_before_undo { words.not_failed_over.to_owned() } else { told(failover.failover) },
        told(failover.recovery),
        told(failover.readmission),
        told(failover.failback),
    ]
}

fn latency(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let whole = |row: &&LatencyRow| row.series.is_none() && row.latency == Latency::Response;
    let rows = report.analysis.latency.iter().filter(whole);
    let rows = rows.filter(|row| row.outcomes == Outcomes::All || row.phase.is_none()).map(|row| {
        let phase = row.phase.map_or(words.all_phases, |place| &report.run.phases[place].name);
        let name = match row.outcomes {
            Outcomes::All => shown(phase),
            other => format!("{} ({})", shown(phase), lang.outcomes(other)),
        };
        let percentiles = &row.percentiles;
        let mut cells = vec![name, number::count(percentiles.count)];
        cells.extend(
            [percentiles.p50, percentiles.p95, percentiles.p99, percentiles.p999, percentiles.max]
                .map(number::duration),
        );
        cells
    });
    let head = [words.latency, words.count, "p50", "p95", "p99", "p99.9", "max"];
    table(&head, &rows.collect::<Vec<_>>(), out)
}

fn errors(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let rows = report.analysis.errors.iter().take(ERRORS_SHOWN).map(|row| {
        let run = &report.run;
        let sample = row.sample.as_ref().map_or("", |sample| &sample.message);
        vec![
            row.cause.to_string(),
            shown(run.phases.get(row.phase).map_or("", |phase| &phase.name)),
            shown(&run.series.get(row.series).map(ToString::to_string).unwrap_or_default()),
            number::count(row.count),
            number::seconds(row.first),
            number::seconds(row.last),
            shown(&sample.chars().take(60).collect::<String>()),
        ]
    });
    let head = [
        words.cause,
        words.phase,
        words.series,
        words.count,
        words.first,
        words.last,
        words.sample,
    ];
    table(&head, &rows.collect::<Vec<_>>(), out)
}

fn quality(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let validity = &report.analysis.validity;
    writeln!(out)?;
    writeln!(out, "{}: {}", words.quality, lang.quality(&report.analysis.tally()))?;
    if let Some(limiting) = lang.limiting(validity) {
        writeln!(out, "{limiting}")?;
    }
    writeln!(
        out,
        "{} {}; {} {} / {}",
        number::count(validity.late),
        words.late_sends,
        words.cpu,
        number::percent(validity.cpu_mean),
        number::percent(validity.cpu_peak),
    )?;
    if let Some(late) = &validity.lateness {
        let late = [late.p50, late.p99, late.p999].map(number::duration);
        writeln!(out, "{}: {}", words.lateness_run, late.join(" / "))?;
    }
    if report.tables.end.is_none() {
        writeln!(out, "{} {}", words.cut_off, report.tables.unread)?;
    }
    Ok(())
}

/// Writes a table after an empty line, its columns aligned; nothing when it has no rows.
fn table(head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width =
        |place: usize| all().filter_map(|row| row.get(place)).map(|cell| columns(cell)).max();
    writeln!(out)?;
    for row in all() {
        let mut line = String::new();
        for (place, cell) in row.iter().enumerate() {
            let padding = width(place).unwrap_or(0).saturating_sub(columns(cell));
            line.push_str(cell);
            line.push_str(&" ".repeat(padding + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// How many columns of a terminal `text` takes: Hangul and other East Asian letters take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}') { 2 } else { 1 }).sum()
}

/// `text` on one line, with its control characters written out.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
