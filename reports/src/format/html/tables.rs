//! The page's tables, as words in rows.

use std::time::Duration;

use crate::analysis::availability::{YEARLY_TARGETS, budget_shares};
use crate::analysis::failover::Failover;
use crate::analysis::latency::LatencyRow;
use crate::analysis::marks::Proof;
use crate::event::What;
use crate::format::text::spans;
use crate::number;
use crate::report::Report;
use crate::run::Run;
use crate::words::Lang;

/// How many rows of a long table are shown; the data files hold all.
const ROWS_MAX: usize = 2000;

/// A table: the words above its columns, and its rows. Cells that begin with a digit or a dash are
/// aligned to the right.
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// What is said when there are no rows; `None` when then the table is left out.
    pub(super) none: Option<&'static str>,
}

/// What is told about a fault.
pub(super) struct FaultTold {
    pub(super) title: String,
    pub(super) evidence: Vec<String>,
    pub(super) trouble: Vec<String>,
    pub(super) marks: Table,
    pub(super) spans: Vec<(&'static str, String)>,
}

/// The faults, one row each.
pub(super) fn fault_overview(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let all = (1..).zip(report.run.faults.iter().zip(&report.analysis.failovers));
    let rows = all.map(|(place, (fault, failover))| {
        let mut row = vec![format!("F{place}"), fault.name.clone(), fault.instances.join(", ")];
        row.extend(spans(failover, lang));
        row.push(number::count(failover.during.total()));
        row.push(number::count(failover.after.total()));
        row
    });
    let head = vec![
        "",
        words.fault,
        words.on,
        words.detection,
        words.failover,
        words.recovery,
        words.readmission,
        words.failback,
        words.not_ok_during,
        words.not_ok_after,
    ];
    Table { head, rows: rows.collect(), none: None }
}

/// Each fault in full.
pub(super) fn faults(report: &Report, lang: Lang) -> Vec<FaultTold> {
    (0..report.run.faults.len()).map(|place| fault(report, place, lang)).collect()
}

fn fault(report: &Report, place: usize, lang: Lang) -> FaultTold {
    let run = &report.run;
    let (planned, failover) = (&run.faults[place], &report.analysis.failovers[place]);
    let words = lang.words();
    let marks = &failover.marks;
    let kind = if planned.planned { words.planned } else { words.unplanned };
    let mut trouble = Vec::new();
    let evidence = match &marks.proof {
        Proof::Proven(evidence) => evidence.clone(),
        Proof::Unproven(why) => {
            trouble.push(format!("{}: {why}", words.not_proven));
            Vec::new()
        }
        Proof::Silent | Proof::NotBegun => {
            trouble.push(words.not_proven.to_owned());
            Vec::new()
        }
    };
    let broken = marks.not_restored.iter();
    trouble
        .extend(broken.map(|(instance, why)| format!("{}: {instance}: {why}", words.not_restored)));
    let [detection, took, recovery, readmission, failback] = spans(failover, lang);
    let mut told = vec![
        (words.detection, detection),
        (words.failover, took),
        (words.recovery, recovery),
        (words.readmission, readmission),
        (words.failback, failback),
        (words.downtime, number::seconds(failover.downtime)),
        (words.not_ok_during, harm(failover.during.failed, failover.during.unknown, lang)),
        (words.not_ok_after, harm(failover.after.failed, failover.after.unknown, lang)),
    ];
    if let Some(in_flight) = marks.in_flight {
        let lost = number::count(failover.in_flight_lost);
        let told_count = number::count(in_flight);
        told.push((words.in_flight, format!("{told_count}, {} {lost}", words.in_flight_lost)));
    }
    let shares = YEARLY_TARGETS.into_iter().zip(budget_shares(failover.downtime));
    let shares = shares
        .map(|(target, share)| format!("{} ({})", number::percent(share), number::percent(target)));
    told.push((words.burns, shares.collect::<Vec<_>>().join(", ")));
    let title = format!(
        "F{} · {} · {} {} · {kind}",
        place + 1,
        planned.name,
        planned.action,
        planned.instances.join(", ")
    );
    FaultTold { title, evidence, trouble, marks: marks_table(run, failover, lang), spans: told }
}

fn harm(failed: u64, unknown: u64, lang: Lang) -> String {
    let words = lang.words();
    let (failed, unknown) = (number::count(failed), number::count(unknown));
    format!("{failed} {}, {unknown} {}", words.failed, words.unknown)
}

fn marks_table(run: &Run, failover: &Failover, lang: Lang) -> Table {
    let words = lang.words();
    let marks = &failover.marks;
    let mut all: Vec<(Duration, &'static str)> = [
        (marks.began, words.call),
        (marks.effective, words.effective),
        (failover.first_failure, words.first_failure),
        (failover.detected, words.detected),
        (failover.last_failure, words.last_failure),
        (marks.undo_began, words.undo),
        (marks.up, words.up),
        (marks.healthy, words.healthy),
        (failover.served, words.served),
        (failover.last_failure_after, words.last_failure_after),
        (failover.in_band, words.in_band),
        (marks.restored, words.restored),
    ]
    .into_iter()
    .filter_map(|(at, name)| Some((at?, name)))
    .collect();
    all.sort_by_key(|(at, _)| *at);
    let effect = marks.effective.or(marks.began).unwrap_or_default();
    let rows = all.into_iter().map(|(at, name)| {
        let since = at.as_secs_f64() - effect.as_secs_f64();
        vec![name.to_owned(), number::seconds(at), run.clock(at), format!("{since:+.2} s")]
    });
    let head = vec![words.mark, words.at, words.clock, words.since_effect];
    Table { head, rows: rows.collect(), none: None }
}

/// The sections below the faults.
pub(super) fn sections(report: &Report, lang: Lang) -> Vec<(&'static str, Table)> {
    let words = lang.words();
    vec![
        (words.outages, outages(report, lang)),
        (words.definitions, definitions(report, lang)),
        (words.errors, errors(report, lang)),
        (words.latency, latency(report, lang)),
    ]
}

/// The sections at the end.
pub(super) fn annex(report: &Report, lang: Lang) -> Vec<(&'static str, Table)> {
    let words = lang.words();
    let glossary = lang.glossary().map(|(word, meaning)| vec![word.to_owned(), meaning.to_owned()]);
    let glossary = Table { head: vec![], rows: glossary.collect(), none: None };
    vec![
        (words.environment, environment(report, lang)),
        (words.events, events(report, lang)),
        (words.glossary, glossary),
    ]
}

fn outages(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let targets = report.run.prober.targets.iter().zip(&report.analysis.probing);
    let all = targets.flat_map(|(target, probing)| {
        probing.outages.iter().map(move |outage| (&target.name, outage))
    });
    let rows = all.take(ROWS_MAX).map(|(target, outage)| {
        let fault = outage.fault.and_then(|place| report.run.faults.get(place));
        vec![
            target.clone(),
            number::seconds(outage.begin),
            outage.end.map_or("–".to_owned(), number::seconds),
            outage.to_string(),
            number::count(outage.failed),
            fault.map_or(words.nothing.to_owned(), |fault| fault.name.clone()),
            if outage.planned { words.planned } else { words.unplanned }.to_owned(),
        ]
    });
    let head = vec![
        words.target,
        words.begin,
        words.end,
        words.length,
        words.probes_failed,
        words.explained_by,
        words.kind,
    ];
    Table { head, rows: rows.collect(), none: Some(words.no_outages) }
}

fn definitions(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let rows = report.analysis.readings.iter();
    let rows = rows.map(|(definition, value)| {
        vec![lang.definition(*definition).to_owned(), lang.value(*value)]
    });
    Table { head: vec![words.definition, words.value], rows: rows.collect(), none: None }
}

fn errors(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let run = &report.run;
    let rows = report.analysis.errors.iter().take(ROWS_MAX).map(|row| {
        vec![
            row.cause.to_string(),
            run.phases.get(row.phase).map_or(String::new(), |phase| phase.name.clone()),
            run.series.get(row.series).map(ToString::to_string).unwrap_or_default(),
            number::count(row.count),
            number::seconds(row.first),
            number::seconds(row.last),
            row.sample.as_ref().map_or(String::new(), |sample| sample.message.clone()),
        ]
    });
    let head = vec![
        words.cause,
        words.phase,
        words.series,
        words.count,
        words.first,
        words.last,
        words.sample,
    ];
    Table { head, rows: rows.collect(), none: Some(words.no_errors) }
}

fn latency(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let run = &report.run;
    let row = |row: &LatencyRow| {
        let phase = row.phase.and_then(|place| run.phases.get(place));
        let series = row.series.and_then(|place| run.series.get(place));
        let percentiles = &row.percentiles;
        let mut cells = vec![
            phase.map_or(words.all_phases.to_owned(), |phase| phase.name.clone()),
            series.map_or(words.all_requests.to_owned(), ToString::to_string),
            lang.latency(row.latency).to_owned(),
            lang.outcomes(row.outcomes).to_owned(),
            number::count(percentiles.count),
        ];
        let shown = [
            percentiles.p50,
            percentiles.p90,
            percentiles.p95,
            percentiles.p99,
            percentiles.p999,
            percentiles.max,
        ];
        cells.extend(shown.map(number::duration));
        cells
    };
    let rows = report.analysis.latency.iter().take(ROWS_MAX).map(row);
    let head = vec![
        words.phase,
        words.series,
        words.kind,
        words.outcomes,
        words.count,
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "max",
    ];
    Table { head, rows: rows.collect(), none: None }
}

fn environment(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let run = &report.run;
    let machine = &run.machine;
    let engine = machine.engine.as_ref().map_or(String::new(), |engine| format!(", {engine}"));
    let mut rows = vec![
        (words.run, run.id.clone()),
        (words.started, run.started.clone()),
        (words.scenario, run.scenario_file.clone()),
        (words.command, run.command.join(" ")),
        (words.seed, run.seed.to_string()),
        (words.version, run.version.clone()),
        (words.target, run.target.clone()),
        (words.identity, run.identity.clone().unwrap_or_else(|| words.no_identity.to_owned())),
        (words.load, run.load.join("; ")),
        (words.load_engine, run.load_engine.clone()),
        (
            words.machine,
            format!("{}, {} CPU, {}{engine}", machine.hostname, machine.cores, machine.kernel),
        ),
    ];
    rows.extend(run.transport.iter().map(|sentence| (words.transport, sentence.clone())));
    rows.extend(run.phases.iter().map(|phase| {
        let span = format!(
            "{}: {} – {}",
            phase.name,
            number::seconds(phase.begin),
            number::seconds(phase.end)
        );
        (words.phase, span)
    }));
    rows.extend(run.instances.iter().map(|instance| {
        let image = instance.image.as_ref().map_or(String::new(), |image| format!(", {image}"));
        (words.instances, format!("{} = {}{image}", instance.name, instance.id))
    }));
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    Table { head: vec![], rows: rows.collect(), none: None }
}

fn events(report: &Report, lang: Lang) -> Table {
    let words = lang.words();
    let fault = |place: &usize| {
        let name = report.run.faults.get(*place).map_or("", |fault| fault.name.as_str());
        format!("F{} {name}", place + 1)
    };
    let rows = report.tables.events.iter().take(ROWS_MAX).map(|event| {
        let (subject, told) = match &event.what {
            What::PhaseBegan { phase } => (words.phase.to_owned(), phase.clone()),
            What::InjectBegan { fault: place, instance, in_flight } => (
                fault(place),
                format!("{}: {instance}, {} {in_flight}", words.call, words.in_flight),
            ),
            What::Injected { fault: place, instance, evidence } => {
                (fault(place), format!("{}: {instance}: {evidence}", words.effective))
            }
            What::NotInjected { fault: place, instance, reason } => {
                (fault(place), format!("{}: {instance}: {reason}", words.not_proven))
            }
            What::UndoBegan { fault: place, instance } => {
                (fault(place), format!("{}: {instance}", words.undo))
            }
            What::InstanceUp { fault: place, instance } => {
                (fault(place), format!("{}: {instance}", words.up))
            }
            What::InstanceHealthy { fault: place, instance } => {
                (fault(place), format!("{}: {instance}", words.healthy))
            }
            What::Restored { fault: place, instance } => {
                (fault(place), format!("{}: {instance}", words.restored))
            }
            What::NotRestored { fault: place, instance, reason } => {
                (fault(place), format!("{}: {instance}: {reason}", words.not_restored))
            }
            What::Platform { instance, action } => (instance.clone(), action.clone()),
            What::LoadEnded => (words.load.to_owned(), words.end.to_owned()),
            What::Interrupted { signal } => (words.run.to_owned(), signal.clone()),
            What::Note { text } => (String::new(), text.clone()),
        };
        vec![number::seconds(event.at), report.run.clock(event.at), subject, told]
    });
    Table {
        head: vec![words.at, words.clock, words.on, words.event],
        rows: rows.collect(),
        none: None,
    }
}
