//! Numbers that were computed on paper.
//!
//! The run of most of these: 40 s, 10 journeys a second of two requests each. At 20 s `was-1` is
//! killed (in effect after 0.1 s); from 20.1 s to 23.4 s every first request is refused, so that 33
//! journeys fail at their first step and never make the second. At 30 s the kill is undone.

use std::fs;
use std::time::Duration;

use rehearsal_reports::analysis::failover::Failover;
use rehearsal_reports::event::What;
use rehearsal_reports::format::ReportFormat;
use rehearsal_reports::number;
use rehearsal_reports::outcome::Cause;
use rehearsal_reports::record::{Arrivals, Record};
use rehearsal_reports::report::Report;
use rehearsal_reports::verdict::Exit;
use rehearsal_reports::words::Lang;

use crate::support::{ORDERS, Request, Tale, WHOAMI, WHOLE, open, secs};

#[test]
fn availability_is_ok_over_all() {
    let (report, _directory) = tale(&[]).report();
    // 400 journeys in all; 10 s of warm-up leave 300, of which 33 fail: 267 * 2 of 600 - 33 are ok.
    let requests = report.analysis.requests;
    assert_eq!((requests.counts.ok, requests.counts.total()), (534, 567));
    assert_eq!(requests.availability(), number::share(534, 567));
    assert_eq!(report.analysis.whole.counts.total(), 767);
    // Down for 3.3 of 30 s.
    let time = report.analysis.time_availability.expect("probes");
    assert!((time - (1.0 - 3.3 / 30.0)).abs() < 1e-9);
}

#[test]
fn every_metric_reads_what_is_on_paper() {
    let objectives = [
        "availability >= 94%",
        "errors <= 5.8%",
        "failed requests == 33",
        "rate >= 8.9/s",
        "request rate > 17.8/s",
        "detection <= 1.4s",
        "re-admission <= 1.6s",
        "fail-back <= 0",
        "max of order/POST /orders <= 5ms in steady, recovery",
        "p99.9 of order <= 1s in steady",
        "availability == 100% in warm-up",
    ];
    let (report, _directory) = tale(&objectives).report();
    assert_eq!(
        readings(&report),
        [
            "met: 94.18 %",
            "missed: 5.82 %",
            "met: 33",
            "met: 8.9/s",
            "missed: 17.8/s",
            "met: 1.40 s",
            "missed: 1.60 s",
            "met: 0 s",
            "met: 4.00 ms",
            "inconclusive: too few values: 100, and it takes 1,000",
            "met: 100 %",
        ]
    );
}

#[test]
fn the_outage_is_the_one_on_paper_and_the_fault_explains_it() {
    let (report, _directory) = tale(&["outage <= 3.2s", "downtime <= 3.3s"]).report();
    let outages = &report.analysis.probing[0].outages;
    assert_eq!(outages.len(), 1);
    assert_eq!(outages[0].to_string(), "3.30 s ± 0.05 s");
    assert_eq!((outages[0].begin, outages[0].failed), (secs(20.1), 66));
    assert_eq!(outages[0].fault, Some(0));
    assert_eq!(readings(&report), ["missed: 3.30 s ± 0.05 s", "met: 3.30 s ± 0.05 s"]);
    assert_eq!(report.verdict.exit, Exit::Missed);
}

#[test]
fn each_span_of_a_fault_is_a_number_of_its_own() {
    let (report, _directory) = tale(&[]).report();
    let Failover { marks, during, after, .. } = &report.analysis.failovers[0];
    let failover = &report.analysis.failovers[0];
    assert_eq!(marks.effective, Some(secs(20.1)));
    assert_eq!(failover.first_failure, Some(secs(20.1)));
    // The last probe to fail was due at 23.35 s, the last request at 23.3 s.
    assert_eq!(failover.last_failure, Some(secs(23.35)));
    assert_eq!(failover.failover, Some(secs(3.25)));
    assert_eq!(failover.detection, Some(secs(1.4)));
    assert_eq!((during.failed, after.total()), (33, 0));
    assert_eq!(failover.failback, Some(Duration::ZERO));
    // Up at 30.5 s; the first request that it serves is due at 32.1 s and takes 4 ms.
    assert_eq!(failover.readmission, Some(secs(1.604)));
    assert_eq!(failover.recovery, Some(secs(2.104)));
    assert_eq!(failover.downtime, secs(3.3));
}

#[test]
fn failures_that_were_too_many_to_keep_are_still_counted() {
    let mut tale = tale(&[]);
    let in_second_21 = |due: Duration| due.as_secs() == 21;
    let lost = |record: &Record| matches!(record, Record::Failure(one) if in_second_21(one.due));
    tale.records.retain(|record| !lost(record));
    let (report, _directory) = tale.report();
    assert_eq!(report.analysis.failovers[0].during.failed, 33);
}

#[test]
fn a_system_that_fails_until_the_undo_has_not_failed_over() {
    let objectives = ["failover <= 2s", "failover <= 60s"];
    let mut tale = tale_with(&objectives, |at| at >= secs(20.1) && at < secs(30.0));
    tale.ended = true;
    let (report, _directory) = tale.report();
    assert_eq!(report.analysis.failovers[0].failover, None);
    assert_eq!(
        readings(&report),
        ["missed: > 9.90 s", "inconclusive: the record ended too soon to tell"]
    );
}

#[test]
fn a_fault_that_nothing_proves_leaves_a_met_objective_open() {
    let mut tale = tale_with(&["outage <= 1s", "p99 <= 1s in steady"], |_| false);
    for record in &mut tale.records {
        let Record::Event(event) = record else { continue };
        if let What::Injected { fault, instance, .. } = event.what.clone() {
            let reason = "still running".to_owned();
            event.what = What::NotInjected { fault, instance, reason };
        }
    }
    let (report, _directory) = tale.report();
    let why = "nothing proves that fault `kill was-1` happened (was-1: still running)";
    assert_eq!(readings(&report), [format!("inconclusive: {why}"), "met: 4.00 ms".to_owned()]);
    assert_eq!(report.verdict.exit, Exit::Inconclusive);
}

#[test]
fn a_torn_journal_is_read_up_to_the_tear_and_is_never_green() {
    let (_, directory) = tale_with(&["p99 <= 1s in steady"], |_| false).report();
    let journal = directory.path().join("journal");
    let bytes = fs::read(&journal).expect("a journal");
    fs::write(&journal, &bytes[..bytes.len() - 7]).expect("a disk");
    let report = open(directory.path());
    assert!(report.tables.end.is_none());
    assert!(report.tables.unread > 0);
    assert_eq!(readings(&report), ["inconclusive: the record was cut off"]);
    assert_eq!(report.verdict.exit, Exit::Inconclusive);
    let (report, directory) = tale(&["outage <= 1s"]).report();
    assert_eq!(report.verdict.exit, Exit::Missed);
    fs::write(directory.path().join("journal"), &bytes[..0]).expect("a disk");
    let report = open(directory.path());
    assert_eq!(report.verdict.exit, Exit::Inconclusive);
    for (format, ..) in ReportFormat::ALL {
        format.write(&report, Lang::En, &mut Vec::new()).expect("a report on nothing");
    }
}

#[test]
fn an_objective_that_leans_on_seconds_that_are_not_valid_is_open() {
    let mut tale = tale_with(&["availability >= 50%", "p99 <= 1s in steady"], |_| false);
    let mut spoiled = 0;
    for record in &mut tale.records {
        if let Record::Generator(generator) = record
            && generator.second == 35
        {
            generator.late = 1;
            spoiled += 1;
        }
    }
    assert_eq!(spoiled, 1);
    let (report, _directory) = tale.report();
    let why = "3.333 % of the seconds are not valid (1 s: over 1 % of the sends over 20 ms late)";
    assert_eq!(readings(&report), [format!("inconclusive: {why}"), "met: 4.00 ms".to_owned()]);
}

#[test]
fn a_dropped_journey_loses_its_requests_when_the_system_held_its_users() {
    for (busy, lost) in [(0.5, 40), (0.95, 0)] {
        let mut tale = tale_with(&["dropped == 0"], |_| false);
        let arrivals =
            Arrivals { second: 25, phase: 2, series: WHOLE, due: 20, begun: 0, dropped: 20 };
        tale.records.push(Record::Arrivals(arrivals));
        for record in &mut tale.records {
            if let Record::Generator(generator) = record {
                generator.threads[1].busy = busy;
            }
        }
        let (report, _directory) = tale.report();
        assert_eq!(report.analysis.requests.lost, lost);
        assert_eq!(report.analysis.requests.dropped, 20);
    }
}

#[test]
fn errors_of_the_generator_are_no_downtime() {
    let mut tale = tale_with(&[], |_| false);
    tale.records.retain(|record| !matches!(record, Record::Probe(_)));
    let hungry = |due| (due >= secs(12.0) && due < secs(15.0)).then_some(Cause::NoPorts);
    tale.probes(hungry);
    tale.run.objectives = vec!["outage <= 1s".to_owned()];
    let (report, _directory) = tale.report();
    assert_eq!(report.analysis.probing[0].outages, []);
    assert_eq!(report.analysis.probing[0].excluded, 60);
    assert_eq!(
        readings(&report),
        ["inconclusive: 7.5 % of the probes were sent too late to count"]
    );
}

#[test]
fn a_fault_that_was_never_undone_is_not_restored() {
    let mut tale = tale(&["outage <= 1s"]);
    let (fault, instance) = (0, "was-2".to_owned());
    let evidence = "event pause, now paused".to_owned();
    tale.event(secs(31.0), What::Injected { fault, instance, evidence });
    let (report, _directory) = tale.report();
    assert_eq!(report.verdict.exit.code(), 4);
    assert!(report.verdict.sentence().contains("`was-2`"), "{}", report.verdict.sentence());
}

#[test]
fn what_is_not_restored_outranks_all_else() {
    let mut tale = tale(&["outage <= 1s"]);
    let (fault, instance) = (0, "was-1".to_owned());
    let reason = "still paused: docker unpause shop-was-1".to_owned();
    tale.event(secs(31.0), What::NotRestored { fault, instance, reason });
    tale.event(secs(32.0), What::Interrupted { signal: "SIGINT".to_owned() });
    let (report, _directory) = tale.report();
    assert_eq!(report.verdict.exit.code(), 4);
    assert_eq!(
        report.verdict.sentence(),
        "`was-1` is not as it was before `kill was-1`: still paused: docker unpause shop-was-1"
    );
}

/// What was read for each objective.
fn readings(report: &Report) -> Vec<String> {
    use rehearsal_reports::objective::judge::Reading;
    let told = report.findings.iter().map(|finding| match &finding.reading {
        Reading::Met => format!("met: {}", finding.measured),
        Reading::Missed => format!("missed: {}", finding.measured),
        Reading::Inconclusive(doubt) => format!("inconclusive: {doubt}"),
    });
    told.collect()
}

fn tale(objectives: &[&str]) -> Tale {
    tale_with(objectives, |at| at >= secs(20.1) && at < secs(23.4))
}

fn tale_with(objectives: &[&str], dead: impl Fn(Duration) -> bool) -> Tale {
    let phases = [("warm-up", 10), ("steady", 10), ("fault", 10), ("recovery", 10)];
    let mut tale = Tale::with_phases(&phases);
    tale.run.objectives = objectives.iter().map(|&text| text.to_owned()).collect();
    let fault = tale.fault("kill was-1", secs(20.0), Some(secs(30.0)));
    let instance = || "was-1".to_owned();
    let evidence = "exited with 137".to_owned();
    let unhealthy = "health_status: unhealthy".to_owned();
    for (at, what) in [
        (20.0, What::InjectBegan { fault, instance: instance(), in_flight: 1 }),
        (20.1, What::Injected { fault, instance: instance(), evidence }),
        (21.5, What::Platform { instance: instance(), action: unhealthy }),
        (30.0, What::UndoBegan { fault, instance: instance() }),
        (30.5, What::InstanceUp { fault, instance: instance() }),
        (31.0, What::InstanceHealthy { fault, instance: instance() }),
        (31.1, What::Restored { fault, instance: instance() }),
        (40.0, What::LoadEnded),
    ] {
        tale.event(secs(at), what);
    }
    tale.probes(|due| dead(due).then_some(Cause::Refused));
    tale.arrivals(10);
    tale.generator(10);
    tale.requests(&requests(&dead));
    tale
}

/// Every request takes 4 ms; `was-1` serves one journey in three, but none from 20 s to 32.1 s.
fn requests(dead: impl Fn(Duration) -> bool) -> Vec<Request> {
    let took = Duration::from_millis(4);
    let mut requests = Vec::new();
    for arrival in 0..400 {
        let due = Duration::from_millis(100) * arrival;
        let cause = dead(due).then_some(Cause::Refused);
        let by = match arrival % 3 {
            0 if due < secs(20.0) || due >= secs(32.1) => "was-1",
            1 => "was-2",
            _ => "was-3",
        };
        let request = |series, due| Request {
            series,
            due,
            took,
            cause,
            by: Some(by),
            message: String::new(),
        };
        requests.extend([request(WHOLE, due), request(WHOAMI, due)]);
        if cause.is_none() {
            requests.push(request(ORDERS, due + took));
        }
    }
    requests
}
