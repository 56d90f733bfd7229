//! One page in Markdown, for the summary of a CI step. Text that others wrote can neither leave its
//! cell nor become markup, a link or a mention.

use std::io::{self, Write};

use crate::analysis::latency::{LatencyRow, Outcomes};
use crate::format::text::spans;
use crate::number;
use crate::objective::judge::Reading;
use crate::record::Latency;
use crate::report::Report;
use crate::verdict::Exit;
use crate::words::Lang;

/// How many kinds of errors are shown: a step page holds a megabyte, a reader less.
const ERRORS_SHOWN: usize = 20;

/// Writes the page.
pub(super) fn write(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let verdict = &report.verdict;
    let sign = match verdict.exit {
        Exit::Pass => "✅",
        Exit::Inconclusive => "❔",
        _ => "❌",
    };
    writeln!(out, "## {sign} {}: {}", lang.exit(verdict.exit), escaped(&report.run.name))?;
    writeln!(out, "\n{}", escaped(&lang.sentence(verdict)))?;
    objectives(report, lang, out)?;
    numbers(report, lang, out)?;
    faults(report, lang, out)?;
    latency(report, lang, out)?;
    errors(report, lang, out)?;
    let words = lang.words();
    let limiting = lang.limiting(&report.analysis.validity).unwrap_or_default();
    let quality = format!("{} {limiting}", lang.quality(&report.analysis.tally()));
    writeln!(out, "\n### {}\n\n{}", words.quality, escaped(quality.trim_end()))?;
    let run = &report.run;
    let told = [
        (words.run, &run.id),
        (words.started, &run.started),
        (words.target, &run.target),
        (words.version, &run.version),
    ]
    .map(|(word, value)| format!("{word} {}", escaped(value)));
    writeln!(out, "\n{} · {} {}", told.join(" · "), words.seed, run.seed)
}

fn objectives(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let rows = report.findings.iter().map(|finding| {
        let sign = match finding.reading {
            Reading::Met => "✅",
            Reading::Missed => "❌",
            Reading::Inconclusive(_) => "❔",
        };
        let mut reading = format!("{sign} {}", lang.reading(&finding.reading));
        if let Reading::Inconclusive(doubt) = &finding.reading {
            reading = format!("{reading}: {}", escaped(&lang.doubt(doubt)));
        }
        vec![
            escaped(&finding.objective.to_string()),
            escaped(&finding.measured.to_string()),
            escaped(&format!("{} {}", finding.objective.comparison, finding.objective.limit)),
            reading,
        ]
    });
    let head = [words.objective, words.measured, words.limit, words.reading];
    table(words.objectives, &head, &rows.collect::<Vec<_>>(), out)
}

fn numbers(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let analysis = &report.analysis;
    let share = |share: Option<f64>| share.map_or("–".to_owned(), number::percent);
    let counts = analysis.whole.counts;
    let count = |count: u64, word: &str| format!("{} {word}", number::count(count));
    let downtime = analysis.downtime;
    let rows = [
        (
            format!("{} ({})", words.availability, words.of_requests),
            share(analysis.requests.availability()),
        ),
        (format!("{} ({})", words.availability, words.of_time), share(analysis.time_availability)),
        (format!("{} ({})", words.downtime, words.unplanned), number::seconds(downtime.unplanned)),
        (format!("{} ({})", words.downtime, words.planned), number::seconds(downtime.planned)),
        (
            words.requests.to_owned(),
            [
                count(counts.ok, words.ok),
                count(counts.failed, words.failed),
                count(counts.unknown, words.unknown),
                count(counts.own, words.own),
                count(analysis.whole.dropped, words.dropped),
            ]
            .join(", "),
        ),
    ];
    let rows = rows.map(|(word, value)| vec![word, escaped(&value)]);
    table(words.availability, &["", words.measured], &rows, out)
}

fn faults(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let rows = report.run.faults.iter().zip(&report.analysis.failovers).map(|(fault, failover)| {
        let mut row = vec![escaped(&fault.name)];
        row.extend(spans(failover, lang).map(|span| escaped(&span)));
        row.push(number::count(failover.during.total()));
        row.push(number::count(failover.after.total()));
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
    table(words.faults, &head, &rows.collect::<Vec<_>>(), out)
}

fn latency(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let whole = |row: &&LatencyRow| {
        row.series.is_none() && row.latency == Latency::Response && row.outcomes == Outcomes::All
    };
    let rows = report.analysis.latency.iter().filter(whole).map(|row| {
        let phase = row.phase.map_or(words.all_phases, |place| &report.run.phases[place].name);
        let percentiles = &row.percentiles;
        let mut cells = vec![escaped(phase), number::count(percentiles.count)];
        let shown =
            [percentiles.p50, percentiles.p95, percentiles.p99, percentiles.p999, percentiles.max];
        cells.extend(shown.map(number::duration));
        cells
    });
    let head = [words.phase, words.count, "p50", "p95", "p99", "p99.9", "max"];
    table(words.latency, &head, &rows.collect::<Vec<_>>(), out)
}

fn errors(report: &Report, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = lang.words();
    let run = &report.run;
    let rows = report.analysis.errors.iter().take(ERRORS_SHOWN).map(|row| {
        let sample = row.sample.as_ref().map_or("", |sample| &sample.message);
        vec![
            row.cause.to_string(),
            escaped(run.phases.get(row.phase).map_or("", |phase| &phase.name)),
            escaped(&run.series.get(row.series).map(ToString::to_string).unwrap_or_default()),
            number::count(row.count),
            number::seconds(row.first),
            number::seconds(row.last),
            escaped(&sample.chars().take(120).collect::<String>()),
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
    table(words.errors, &head, &rows.collect::<Vec<_>>(), out)
}

/// Writes a section with a table; nothing when it has no rows.
fn table(title: &str, head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n")?;
    writeln!(out, "| {} |", head.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(head.len()))?;
    for row in rows {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// `text` with everything that Markdown or HTML would read as markup written as plain characters.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            ':' => safe.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            _ if c.is_control() => safe.push(' '),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escaped("a|b\n<script>`x` @all [l](http://x)"),
            "a\\|b &lt;script&gt;\\`x\\` &#64;all \\[l\\](http&#58;//x)"
        );
    }
}
