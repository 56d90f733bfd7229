//! Whether a run can be trusted, as each report tells it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rehearsal_reports::analysis::validity::Invalid;
use rehearsal_reports::event::What;
use rehearsal_reports::format::ReportFormat;
use rehearsal_reports::record::{Arrivals, Generator, Record};
use rehearsal_reports::report::Report;
use rehearsal_reports::verdict::Exit;
use rehearsal_reports::words::Lang;
use tempfile::TempDir;

use crate::support::{Tale, WHOLE, open, secs};

#[test]
fn a_sound_run_says_that_it_can_be_trusted() {
    let (report, _directory) = tale(30).report();
    let trusted = "the generator kept up in all of the 30 seconds that count";
    for format in [ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Html] {
        assert!(told(&report, format, Lang::En).contains(trusted), "{format}");
    }
    let korean = told(&report, ReportFormat::Text, Lang::Ko);
    assert!(korean.contains("이 실행은 믿을 수 있습니다"), "{korean}");
    assert_eq!(report.verdict.exit, Exit::Pass);
}

#[test]
fn a_run_without_objectives_is_inconclusive_when_the_generator_fell_behind() {
    let mut tale = tale(30);
    for generator in generators(&mut tale).take(9) {
        generator.late = generator.sends;
    }
    let (report, _directory) = tale.report();
    assert_eq!(report.verdict.exit, Exit::Inconclusive);
    let why = "30 % of the seconds are not valid (9 s: over 1 % of the sends over 20 ms late)";
    assert_eq!(report.verdict.sentence(), why);
    let text = told(&report, ReportFormat::Text, Lang::En);
    assert!(text.contains("9 of 30 seconds are not valid: 9 s: over 1 % of the sends"), "{text}");
    let summary = told(&report, ReportFormat::Json, Lang::En);
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["validity"]["reasons"][0]["seconds"], 9);
    assert_eq!(summary["validity"]["invalid_seconds"], 9);
}

#[test]
fn a_generator_that_is_the_limit_says_so_and_is_believed() {
    let mut tale = tale(30);
    for generator in generators(&mut tale) {
        (generator.threads[0].busy, generator.threads[0].waited) = (0.6, Some(secs(0.39)));
    }
    let (report, _directory) = tale.report();
    assert_eq!(report.verdict.exit, Exit::Pass);
    for format in [ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Html] {
        let told = told(&report, format, Lang::En);
        assert!(told.contains("had or wanted a core 99 % of the time"), "{format}: {told}");
    }
}

#[test]
fn one_bad_second_of_a_hundred_is_told_and_forgiven() {
    let mut tale = tale(100);
    generators(&mut tale).nth(41).expect("a second").stall_max = secs(0.3);
    let (report, _directory) = tale.report();
    assert_eq!(report.verdict.exit, Exit::Pass);
    let text = told(&report, ReportFormat::Text, Lang::En);
    assert!(text.contains("all but 1 of the 100 seconds that count (1 s: the generator"), "{text}");
}

#[test]
fn a_lost_account_leaves_its_second_unmeasured() {
    let mut tale = tale(30);
    let lost = |record: &Record| matches!(record, Record::Generator(one) if one.second == 7);
    tale.records.retain(|record| !lost(record));
    let (report, _directory) = tale.report();
    assert_eq!(report.analysis.validity.invalid, [(7, Invalid::Unmeasured)].into());
}

#[test]
fn accounts_of_one_second_that_come_apart_are_one() {
    let mut tale = tale(3);
    let half = |generator: &mut Generator, place: usize| {
        generator.threads = vec![generator.threads[place]];
        generator.sends = 40;
        generator.lateness = None;
    };
    let mut late = Generator::clone(generators(&mut tale).nth(1).expect("a second"));
    half(&mut late, 1);
    late.threads[0].busy = 0.8;
    half(generators(&mut tale).nth(1).expect("a second"), 0);
    tale.records.push(Record::Generator(Box::new(late)));
    let (report, _directory) = tale.report();
    let second = &report.tables.generator[&1];
    assert_eq!((second.sends, second.threads.len()), (80, 2));
    assert!((report.analysis.validity.cpu_peak - 0.8).abs() < 1e-9);
    assert!(report.analysis.validity.invalid.is_empty());
}

#[test]
fn the_strip_has_a_cell_a_second_up_to_six_hundred() {
    let wanted = [
        (0, 0, ""),
        (1, 1, "<title>0:00 – 0:01: "),
        (600, 600, "<title>5:00 – 5:01: "),
        (10_800, 600, "<title>1:30:00 – 1:30:18: "),
    ];
    for (seconds, cells, title) in wanted {
        let mut tale = tale(seconds);
        if let Some(one) = generators(&mut tale).nth(usize::try_from(seconds / 2).expect("few")) {
            one.own_errors = 3;
        }
        let (report, _directory) = tale.report();
        let page = told(&report, ReportFormat::Html, Lang::En);
        let strip = page.split("class=\"strip\"").nth(1).expect("a strip");
        let strip = strip.split("</svg>").next().expect("its end");
        assert_eq!(strip.matches("<rect class=\"q-").count(), cells, "{seconds} s");
        let bad = strip.matches("<rect class=\"q-own\"").count();
        assert_eq!(bad, usize::from(seconds > 0), "{seconds} s");
        assert_eq!(strip.matches("ports or descriptors</title>").count(), bad, "{seconds} s");
        assert!(strip.contains(title), "{seconds} s: {strip}");
    }
}

#[test]
fn drops_are_told_by_whose_doing_they_were() {
    let mut tale = tale(20);
    for (second, dropped) in [(4, 30), (9, 12)] {
        let (series, due) = (WHOLE, dropped);
        let arrivals = Arrivals { second, phase: 0, series, due, begun: 0, dropped };
        tale.records.push(Record::Arrivals(arrivals));
    }
    generators(&mut tale).nth(9).expect("a second").threads[0].waited = Some(secs(0.9));
    let (report, _directory) = tale.report();
    let validity = &report.analysis.validity;
    assert_eq!((validity.dropped_system, validity.dropped_own), (30, 12));
    assert_eq!(validity.invalid, [(9, Invalid::Starved)].into());
}

#[test]
fn memory_is_told_after_a_minute_and_at_the_end() {
    let (report, _directory) = tale(90).report();
    let memory = report.analysis.validity.memory;
    assert_eq!(memory.settled, Some((48 << 20) + 60 * 4096));
    assert_eq!(memory.end, Some((48 << 20) + 89 * 4096));
}

#[test]
fn a_journal_of_version_1_still_opens_and_is_judged() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/schema-1");
    let report = open(&old);
    assert_eq!(report.run.schema, 1);
    assert_eq!((report.run.transport.len(), report.run.load_engine.as_str()), (0, "native"));
    assert!(report.analysis.validity.invalid.is_empty());
    assert!((report.analysis.validity.cpu_peak - 0.155).abs() < 1e-9);
    assert_eq!(report.analysis.whole.counts.total(), 348);
    assert_eq!(report.verdict.exit, Exit::Missed);
    for (format, ..) in ReportFormat::ALL {
        assert!(!told(&report, format, Lang::Ko).is_empty(), "{format}");
    }
}

#[test]
fn a_journal_of_a_later_version_is_refused() {
    let directory = TempDir::new().expect("a directory");
    tale(1).write(directory.path());
    let path = directory.path().join("run.json");
    let text = fs::read_to_string(&path).expect("a run");
    fs::write(&path, text.replacen("\"schema\": 2", "\"schema\": 3", 1)).expect("a disk");
    let error = rehearsal_reports::journal::Journal::open(directory.path()).expect_err("later");
    assert!(error.to_string().contains("reads versions 1 to 2"), "{error}");
}

/// A run of so many seconds in which all is well.
fn tale(seconds: u64) -> Tale {
    let mut tale = Tale::with_phases(&[("steady", seconds)]);
    let end = tale.length();
    tale.event(end, What::LoadEnded);
    tale.arrivals(100);
    tale.generator(100);
    tale.run.prober.period = Duration::from_secs(1);
    tale.probes(|_| None);
    tale
}

fn generators(tale: &mut Tale) -> impl Iterator<Item = &mut Generator> {
    tale.records.iter_mut().filter_map(|record| match record {
        Record::Generator(generator) => Some(&mut **generator),
        _ => None,
    })
}

fn told(report: &Report, format: ReportFormat, lang: Lang) -> String {
    let mut told = Vec::new();
    format.write(report, lang, &mut told).expect("a report");
    String::from_utf8(told).expect("text")
}
