//! The table of run quality, below its strip and charts.

use std::time::Duration;

use crate::format::html::tables::Table;
use crate::number;
use crate::report::Report;
use crate::words::Lang;

/// How the generator fared.
pub(super) fn table(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let analysis = &report.analysis;
    let validity = &analysis.validity;
    let two = |a: String, b: String| format!("{a} / {b}");
    let of =
        |a: u64, b: u64| format!("{} {} {}", number::count(a), words.of_probes, number::count(b));
    let left_out = report.tables.end.as_ref().map_or(0, |end| end.failures_left_out);
    let excluded: u64 = analysis.probing.iter().map(|probing| probing.excluded).sum();
    let probes: u64 = analysis.probing.iter().map(|probing| probing.probes).sum();
    let share = number::percent(analysis.tally().share());
    let mut rows = vec![
        (words.invalid_seconds, format!("{} ({share})", validity.invalid.len())),
        (words.late_sends, of(validity.late, validity.sends)),
        (
            words.lateness,
            two(number::duration(validity.lateness_p99), number::duration(validity.lateness_max)),
        ),
    ];
    if let Some(late) = &validity.lateness {
        let late = [late.p50, late.p99, late.p999].map(number::duration);
        rows.push((words.lateness_run, late.join(" / ")));
    }
    rows.push((words.stall, number::duration(validity.stall_max)));
    rows.extend(means(report, lang));
    rows.extend([
        (words.dropped, number::count(analysis.whole.dropped)),
        (words.drops_own, number::count(validity.dropped_own)),
        (words.drops_system, number::count(validity.dropped_system)),
        (words.own_errors, number::count(validity.own_errors)),
        (words.probes_left_out, of(excluded, probes)),
    ]);
    if left_out > 0 {
        rows.push((words.left_out, number::count(left_out)));
    }
    if report.tables.end.is_none() {
        rows.push((words.cut_off, number::count(report.tables.unread)));
    }
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    Table { head: vec![], rows: rows.collect(), none: None }
}

/// What the generator took of its machine.
fn means(report: &Report, lang: Lang) -> Vec<(&'static str, String)> {
    let words = lang.words();
    let validity = &report.analysis.validity;
    let waited: Duration = validity.threads.iter().map(|thread| thread.waited).sum();
    let unknown = || "–".to_owned();
    let count = |count: Option<u64>| count.map_or_else(unknown, number::count);
    let bytes = |bytes: Option<u64>| bytes.map_or_else(unknown, number::mebibytes);
    let peak = report.tables.end.as_ref().map(|end| end.memory_peak);
    let memory = [validity.memory.settled, validity.memory.end, peak].map(bytes);
    let spent = report.analysis.cpu_per_request;
    let (descriptors, descriptors_limit) = validity.descriptors;
    let (ports, ports_limit) = validity.ports;
    vec![
        (
            words.cpu,
            format!(
                "{} / {}",
                number::percent(validity.cpu_mean),
                number::percent(validity.cpu_peak)
            ),
        ),
        (words.waited, number::duration(waited)),
        (words.steal, validity.steal.map_or_else(unknown, number::duration)),
        (words.cpu_per_request, spent.map_or_else(unknown, |it| format!("{:.2} µs", it * 1e6))),
        (words.memory, memory.join(" / ")),
        (
            words.descriptors,
            format!("{} / {}", number::count(descriptors), count(descriptors_limit)),
        ),
        (words.ports, format!("{} / {}", count(ports), count(ports_limit))),
    ]
}
