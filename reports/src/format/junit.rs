//! `JUnit` XML: a case per objective and one per fault, so that CI shows them like tests. What is
//! inconclusive is an `error` and not a `failure`: the check itself did not work.

use std::io::Write;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::analysis::failover::Failover;
use crate::analysis::marks::Proof;
use crate::format::FormatError;
use crate::objective::judge::Reading;
use crate::report::Report;
use crate::words::Lang;

/// Writes the cases.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), FormatError> {
    let run = &report.run;
    let mut document = quick_junit::Report::new(run.name.as_str());
    let mut objectives = TestSuite::new("objectives");
    for finding in &report.findings {
        let mut case = TestCase::new(finding.objective.to_string(), objective(&finding.reading));
        case.set_classname(run.name.as_str());
        let measured = format!("measured {}", finding.measured);
        match &finding.reading {
            Reading::Met => {
                case.set_system_out(measured);
            }
            Reading::Missed => {
                case.status.set_message(measured);
            }
            Reading::Inconclusive(doubt) => {
                case.status.set_message(format!("{measured}: {doubt}"));
            }
        }
        objectives.add_test_case(case);
    }
    let mut faults = TestSuite::new("faults");
    for (fault, failover) in run.faults.iter().zip(&report.analysis.failovers) {
        let mut case = TestCase::new(fault.name.as_str(), fault_status(failover));
        case.set_classname(run.name.as_str());
        faults.add_test_case(case);
    }
    let properties = [
        ("run", run.id.clone()),
        ("started", run.started.clone()),
        ("target", run.target.clone()),
        ("seed", run.seed.to_string()),
        ("rehearsal", run.version.clone()),
        ("verdict", report.verdict.exit.to_string()),
        ("exit_code", report.verdict.exit.code().to_string()),
        ("why", report.verdict.sentence()),
        ("quality", Lang::En.quality(&report.analysis.tally())),
    ];
    for (name, value) in properties {
        objectives.add_property((name, value.as_str()));
    }
    document.add_test_suites([objectives, faults]);
    document.serialize(out)?;
    Ok(())
}

fn non_success(kind: NonSuccessKind, word: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word);
    status
}

fn objective(reading: &Reading) -> TestCaseStatus {
    match reading {
        Reading::Met => TestCaseStatus::success(),
        Reading::Missed => non_success(NonSuccessKind::Failure, "missed"),
        Reading::Inconclusive(_) => non_success(NonSuccessKind::Error, "inconclusive"),
    }
}

/// A fault is a case because a run without it shows nothing: it has to happen and to be undone.
fn fault_status(failover: &Failover) -> TestCaseStatus {
    let marks = &failover.marks;
    if let Some((instance, reason)) = marks.not_restored.first() {
        let mut status = non_success(NonSuccessKind::Failure, "not restored");
        status.set_message(format!("{instance}: {reason}"));
        return status;
    }
    let why = match &marks.proof {
        Proof::Proven(_) => return TestCaseStatus::success(),
        Proof::NotBegun => "it was never called",
        Proof::Silent => "no effect was seen",
        Proof::Unproven(why) => why,
    };
    let mut status = non_success(NonSuccessKind::Error, "not proven");
    status.set_message(why);
    status
}
