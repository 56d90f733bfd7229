//! Reports as they have always been. `REHEARSAL_BLESS=1` writes them anew, to be read as a diff.

use std::fs;
use std::path::{Path, PathBuf};

use hdrhistogram::serialization::interval_log::IntervalLogIterator;
use rehearsal_reports::format::ReportFormat;
use rehearsal_reports::report::Report;
use rehearsal_reports::words::Lang;
use tempfile::TempDir;

use crate::support::{Tale, kill_one, open, secs};

#[test]
fn a_run_is_written_and_told_as_ever() {
    let small = testdata().join("small");
    let directory = TempDir::new().expect("a directory");
    small_tale().write(directory.path());
    for file in ["run.json", "journal"] {
        let written = fs::read(directory.path().join(file)).expect(file);
        check(&small.join(file), &written);
    }
    let report = open(&small);
    for (format, _, file) in ReportFormat::ALL {
        check(&small.join(file), &told(&report, format, Lang::En));
    }
    for (format, file) in [
        (ReportFormat::Text, "summary.ko.txt"),
        (ReportFormat::Markdown, "summary.ko.md"),
        (ReportFormat::Html, "report.ko.html"),
    ] {
        check(&small.join(file), &told(&report, format, Lang::Ko));
    }
}

#[test]
fn the_schema_of_the_summary_is_as_ever() {
    let schema = rehearsal_reports::format::summary_schema();
    let text = serde_json::to_string_pretty(&schema).expect("a schema") + "\n";
    check(&testdata().join("summary.schema.json"), text.as_bytes());
}

#[test]
fn a_page_of_a_whole_run_needs_nothing_else_and_lets_nothing_through() {
    let phases = [("warm-up", 10), ("steady", 30), ("fault", 20), ("recovery", 30)];
    let mut tale = kill_one(&phases, 300, 45.0, 60.0);
    tale.run.objectives = [
        "availability >= 99.9%",
        "outage <= 1s",
        "p99 <= 300ms in steady",
        "failover <= 1.5s",
        "recovery <= 10s",
        "dropped == 0",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    let hostile = "<script>alert('x')</script>";
    tale.run.name = format!("kill one WAS {hostile}");
    tale.run.series[2].step = Some(hostile.to_owned());
    tale.run.phases[1].name = "steady".to_owned();
    tale.run.phases[3].name = hostile.to_owned();
    let (report, directory) = tale.report();
    for lang in [Lang::En, Lang::Ko] {
        let page = String::from_utf8(told(&report, ReportFormat::Html, lang)).expect("text");
        assert!(!page.contains("<script"), "a script came through");
        for outside in ["src=", "href=", "@import", "url(http", "xmlns"] {
            assert!(!page.contains(outside), "the page asks for something: {outside}");
        }
    }
    let markdown = String::from_utf8(told(&report, ReportFormat::Markdown, Lang::En));
    assert!(!markdown.expect("text").contains("<script"));
    drop(directory);
}

#[test]
fn an_interval_log_reads_back() {
    let (report, _directory) = kill_one(&[("steady", 8)], 30, 3.0, 5.0).report();
    let log = String::from_utf8(told(&report, ReportFormat::Hlog, Lang::En)).expect("text");
    let read = IntervalLogIterator::new(log.as_bytes()).collect::<Result<Vec<_>, _>>();
    let lines = log.lines().filter(|line| line.starts_with("Tag=")).count();
    assert!(read.is_ok_and(|entries| entries.len() >= lines), "a reader of such logs stumbles");
    let data = log.lines().filter(|line| line.starts_with("Tag="));
    let ok = data.filter(|line| line.starts_with("Tag=order/GET_/whoami.ok.response,"));
    let counts: Vec<u64> = ok
        .map(|line| {
            let payload = line.rsplit(',').next().expect("four fields");
            rehearsal_reports::histogram::Histogram::from_payload(payload).expect("V2").count()
        })
        .collect();
    assert_eq!(counts.len(), 8, "one line per second");
    let steps = report.tables.phases.counts(&[0], &[1]);
    assert_eq!(counts.iter().sum::<u64>(), steps.ok);
}

fn small_tale() -> Tale {
    let phases = [("warm-up", 2), ("steady", 6), ("fault", 4), ("recovery", 8)];
    let mut tale = kill_one(&phases, 9, 9.0, 12.0);
    tale.run.objectives = [
        "availability >= 90%",
        "outage <= 0.5s",
        "p99 <= 300ms in steady",
        "p50 of order/GET /whoami <= 300ms in steady",
        "failover <= 2s",
        "recovery <= 10s",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    tale.event(
        secs(9.5),
        rehearsal_reports::event::What::Note { text: "=note | with <b>marks</b>".to_owned() },
    );
    tale
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}

fn told(report: &Report, format: ReportFormat, lang: Lang) -> Vec<u8> {
    let mut told = Vec::new();
    format.write(report, lang, &mut told).expect("a report");
    told
}

fn check(path: &Path, told: &[u8]) {
    if std::env::var_os("REHEARSAL_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, told).expect("a file");
    }
    let expected = fs::read(path).unwrap_or_default();
    let same = expected == told;
    assert!(same, "{} has changed: set REHEARSAL_BLESS=1 and read the diff", path.display());
}
