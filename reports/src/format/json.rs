//! Everything that was found, for programs: `summary.json`. Offsets are seconds from the begin of
//! the run, latencies are milliseconds, shares lie between 0 and 1; what is not known is null.

mod summary;

use std::io::{self, Write};
use std::time::Duration;

use crate::analysis::availability::{Requests, Value, YEARLY_TARGETS, budget_shares};
use crate::analysis::failover::Failover;
use crate::analysis::latency::{LatencyRow, Outcomes};
use crate::analysis::marks::Proof;
use crate::analysis::outage::Outage;
use crate::analysis::validity::Invalid;
use crate::format::json::summary::{
    AvailabilitySummary, BudgetSummary, DefinitionSummary, ErrorSummary, FaultSummary,
    GeneratorSummary, InvalidSummary, LatencySummary, LatenessSummary, MarkSummary,
    ObjectiveSummary, OutageSummary, PhaseSummary, RequestSummary, RunSummary, ThreadSummary,
    ValiditySummary,
};
use crate::objective::judge::Reading;
use crate::record::Latency;
use crate::report::Report;
use crate::run::PlannedFault;
use crate::series::Counts;
use crate::words::Lang;

pub use crate::format::json::summary::Summary;

/// The version of `summary.json`: raised when a key changes its meaning or goes.
const SCHEMA: u32 = 2;

/// The JSON Schema of `summary.json`.
#[must_use]
pub fn summary_schema() -> serde_json::Value {
    schemars::schema_for!(Summary).to_value()
}

/// Writes the summary.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Summary::of(report))?;
    writeln!(out)
}

impl Summary {
    /// The numbers of `report`.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let Report { run, verdict, .. } = report;
        Self {
            schema: SCHEMA,
            run: RunSummary {
                id: run.id.clone(),
                name: run.name.clone(),
                started: run.started.clone(),
                version: run.version.clone(),
                seed: run.seed,
                scenario_file: run.scenario_file.clone(),
                target: run.target.clone(),
                identity: run.identity.clone(),
                transport: run.transport.clone(),
                load_engine: run.load_engine.clone(),
                load_end_seconds: report.analysis.load_end.as_secs_f64(),
                cut_off: report.tables.end.is_none(),
            },
            verdict: verdict.exit.to_string(),
            exit_code: verdict.exit.code(),
            why: verdict.sentence(),
            reasons: verdict.why.iter().map(ToString::to_string).collect(),
            objectives: objectives(report),
            requests: requests(report),
            availability: availability(report),
            phases: phases(report),
            faults: faults(report),
            outages: outages(report),
            latency: report.analysis.latency.iter().map(|row| latency(report, row)).collect(),
            errors: errors(report),
            validity: validity(report),
            generator: generator(report),
        }
    }
}

fn objectives(report: &Report) -> Vec<ObjectiveSummary> {
    let findings = report.findings.iter();
    findings
        .map(|finding| ObjectiveSummary {
            objective: finding.objective.to_string(),
            measured: finding.measured.to_string(),
            value: finding.measured.value(),
            limit: finding.objective.limit.value(),
            reading: Lang::En.reading(&finding.reading).to_owned(),
            doubt: match &finding.reading {
                Reading::Inconclusive(doubt) => Some(doubt.to_string()),
                _ => None,
            },
        })
        .collect()
}

fn requests(report: &Report) -> RequestSummary {
    let Requests { counts, dropped, .. } = report.analysis.whole;
    let Counts { ok, failed, unknown, own } = counts;
    let bytes = report.tables.phases.bytes();
    RequestSummary { total: counts.total(), ok, failed, unknown, own, dropped, bytes }
}

fn availability(report: &Report) -> AvailabilitySummary {
    let analysis = &report.analysis;
    let definitions = analysis.readings.iter().map(|(definition, value)| DefinitionSummary {
        definition: Lang::En.definition(*definition).to_owned(),
        share: match value {
            Value::Share(share) | Value::Scaled(share, _) => Some(*share),
            _ => None,
        },
        seconds: match value {
            Value::Span(span, _) => Some(span.as_secs_f64()),
            _ => None,
        },
        told: Lang::En.value(*value),
    });
    let downtime = analysis.downtime;
    AvailabilitySummary {
        requests: analysis.requests.availability(),
        time: analysis.time_availability,
        lost: analysis.requests.lost,
        downtime_seconds: (downtime.planned + downtime.unplanned).as_secs_f64(),
        planned_seconds: downtime.planned.as_secs_f64(),
        unplanned_seconds: downtime.unplanned.as_secs_f64(),
        unexplained_seconds: downtime.unexplained.as_secs_f64(),
        definitions: definitions.collect(),
    }
}

fn phases(report: &Report) -> Vec<PhaseSummary> {
    let phases = report.run.phases.iter().zip(&report.analysis.phases);
    phases
        .map(|(phase, seen)| PhaseSummary {
            name: phase.name.clone(),
            begin_seconds: phase.begin.as_secs_f64(),
            end_seconds: phase.end.as_secs_f64(),
            requests: seen.requests.counts.total(),
            ok: seen.requests.counts.ok,
            failed: seen.requests.counts.failed,
            unknown: seen.requests.counts.unknown,
            own: seen.requests.counts.own,
            dropped: seen.requests.dropped,
            journeys_ok: seen.journeys.ok,
            journeys_not_ok: seen.journeys.not_ok(),
        })
        .collect()
}

fn faults(report: &Report) -> Vec<FaultSummary> {
    report
        .run
        .faults
        .iter()
        .zip(&report.analysis.failovers)
        .map(|(one, all)| fault(one, all))
        .collect()
}

fn fault(fault: &PlannedFault, failover: &Failover) -> FaultSummary {
    let marks = &failover.marks;
    let (proof, evidence) = match &marks.proof {
        Proof::NotBegun => ("not begun", vec![]),
        Proof::Silent => ("not proven", vec![]),
        Proof::Unproven(why) => ("not proven", vec![why.clone()]),
        Proof::Proven(evidence) => ("proven", evidence.clone()),
    };
    let shares = YEARLY_TARGETS.into_iter().zip(budget_shares(failover.downtime));
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
    let not_restored = marks.not_restored.iter();
    FaultSummary {
        name: fault.name.clone(),
        action: fault.action.clone(),
        instances: fault.instances.clone(),
        planned: fault.planned,
        proof: proof.to_owned(),
        evidence,
        not_restored: not_restored.map(|(instance, why)| format!("{instance}: {why}")).collect(),
        marks: MarkSummary {
            call: seconds(marks.began),
            effective: seconds(marks.effective),
            first_failure: seconds(failover.first_failure),
            last_failure: seconds(failover.last_failure),
            detected: seconds(failover.detected),
            undo: seconds(marks.undo_began),
            up: seconds(marks.up),
            healthy: seconds(marks.healthy),
            served: seconds(failover.served),
            last_failure_after: seconds(failover.last_failure_after),
            in_band: seconds(failover.in_band),
            restored: seconds(marks.restored),
        },
        detection_seconds: seconds(failover.detection),
        failover_seconds: seconds(failover.failover),
        recovery_seconds: seconds(failover.recovery),
        readmission_seconds: seconds(failover.readmission),
        failback_seconds: seconds(failover.failback),
        in_flight: marks.in_flight,
        in_flight_lost: failover.in_flight_lost,
        failed_during: failover.during.failed,
        unknown_during: failover.during.unknown,
        failed_after: failover.after.failed,
        unknown_after: failover.after.unknown,
        downtime_seconds: failover.downtime.as_secs_f64(),
        budget: shares.map(|(target, share)| BudgetSummary { target, share }).collect(),
    }
}

fn outages(report: &Report) -> Vec<OutageSummary> {
    let targets = report.run.prober.targets.iter().zip(&report.analysis.probing);
    let all = targets.flat_map(|(target, probing)| {
        probing.outages.iter().map(move |outage: &Outage| (&target.name, outage))
    });
    all.map(|(target, outage)| OutageSummary {
        target: target.clone(),
        begin_seconds: outage.begin.as_secs_f64(),
        end_seconds: outage.end.map(|end| end.as_secs_f64()),
        length_seconds: outage.length.as_secs_f64(),
        resolution_seconds: outage.resolution.as_secs_f64(),
        failed_probes: outage.failed,
        fault: outage.fault.map(|place| report.run.faults[place].name.clone()),
        planned: outage.planned,
    })
    .collect()
}

fn latency(report: &Report, row: &LatencyRow) -> LatencySummary {
    let series = row.series.and_then(|place| report.run.series.get(place));
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    let percentiles = &row.percentiles;
    LatencySummary {
        phase: row.phase.map(|place| report.run.phases[place].name.clone()),
        journey: series.map(|series| series.journey.clone()),
        step: series.and_then(|series| series.step.clone()),
        latency: match row.latency {
            Latency::Response => "response",
            Latency::Service => "service",
            Latency::Connect => "connect",
        }
        .to_owned(),
        outcomes: match row.outcomes {
            Outcomes::All => "all",
            Outcomes::Ok => "ok",
            Outcomes::NotOk => "not ok",
        }
        .to_owned(),
        count: percentiles.count,
        p50_ms: ms(percentiles.p50),
        p90_ms: ms(percentiles.p90),
        p95_ms: ms(percentiles.p95),
        p99_ms: ms(percentiles.p99),
        p999_ms: ms(percentiles.p999),
        max_ms: ms(percentiles.max),
    }
}

fn errors(report: &Report) -> Vec<ErrorSummary> {
    let rows = report.analysis.errors.iter();
    rows.map(|row| {
        let series = report.run.series.get(row.series);
        ErrorSummary {
            cause: row.cause.to_string(),
            phase: report.run.phases.get(row.phase).map(|phase| phase.name.clone()),
            journey: series.map(|series| series.journey.clone()),
            step: series.and_then(|series| series.step.clone()),
            count: row.count,
            first_seconds: row.first.as_secs_f64(),
            last_seconds: row.last.as_secs_f64(),
            sample: row.sample.as_ref().map(|sample| sample.message.clone()),
        }
    })
    .collect()
}

fn validity(report: &Report) -> ValiditySummary {
    let analysis = &report.analysis;
    let validity = &analysis.validity;
    let tally = analysis.tally();
    let reasons = Invalid::ALL.into_iter().map(|why| InvalidSummary {
        reason: why.words().to_owned(),
        seconds: validity.invalid.values().filter(|one| **one == why).count() as u64,
    });
    ValiditySummary {
        sentence: Lang::En.quality(&tally),
        invalid_seconds: validity.invalid.len() as u64,
        invalid_share: tally.share(),
        reasons: reasons.filter(|reason| reason.seconds > 0).collect(),
        sends: validity.sends,
        late: validity.late,
        lateness_p99_ms: validity.lateness_p99.as_secs_f64() * 1e3,
        lateness_max_ms: validity.lateness_max.as_secs_f64() * 1e3,
        own_errors: validity.own_errors,
        dropped_own: validity.dropped_own,
        dropped_system: validity.dropped_system,
        probes: analysis.probing.iter().map(|probing| probing.probes).sum(),
        probes_excluded: analysis.probing.iter().map(|probing| probing.excluded).sum(),
    }
}

fn generator(report: &Report) -> GeneratorSummary {
    let end = report.tables.end.as_ref();
    let validity = &report.analysis.validity;
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    let threads = validity.threads.iter().map(|thread| ThreadSummary {
        cpu_mean_share: thread.busy_mean,
        cpu_peak_share: thread.busy_peak,
        waited_seconds: thread.waited.as_secs_f64(),
        preempted: thread.preempted,
    });
    GeneratorSummary {
        cpu_seconds: end.map(|end| end.cpu_seconds),
        requests: report.analysis.whole.counts.total(),
        cpu_us_per_request: report.analysis.cpu_per_request.map(|spent| spent * 1e6),
        lateness: validity.lateness.map(|late| LatenessSummary {
            count: late.count,
            p50_ms: ms(late.p50),
            p99_ms: ms(late.p99),
            p999_ms: ms(late.p999),
            max_ms: ms(late.max),
        }),
        cpu_mean_share: validity.cpu_mean,
        cpu_peak_share: validity.cpu_peak,
        cpu_wanted_share: validity.wanted_mean,
        threads: threads.collect(),
        steal_seconds: validity.steal.map(|steal| steal.as_secs_f64()),
        stall_max_ms: ms(validity.stall_max),
        memory_peak_bytes: end.map(|end| end.memory_peak),
        memory_settled_bytes: validity.memory.settled,
        memory_end_bytes: validity.memory.end,
        descriptors_peak: validity.descriptors.0,
        descriptors_limit: validity.descriptors.1,
        ports_peak: validity.ports.0,
        ports_limit: validity.ports.1,
    }
}
