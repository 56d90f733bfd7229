//! The keys of `summary.json`.

use schemars::JsonSchema;
use serde::Serialize;

/// A run in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// The version of this format.
    pub(super) schema: u32,
    /// Which run.
    pub(super) run: RunSummary,
    /// `pass`, `missed`, `inconclusive`, `not restored` or `interrupted`.
    pub(super) verdict: String,
    /// The exit code that goes with the verdict.
    pub(super) exit_code: u8,
    /// The verdict in one sentence.
    pub(super) why: String,
    /// Every reason for the verdict, the weightiest first.
    pub(super) reasons: Vec<String>,
    /// The objectives, judged, as they were written.
    pub(super) objectives: Vec<ObjectiveSummary>,
    /// Requests of the whole run.
    pub(super) requests: RequestSummary,
    /// Availability in all phases but the warm-up.
    pub(super) availability: AvailabilitySummary,
    /// What each phase saw.
    pub(super) phases: Vec<PhaseSummary>,
    /// What each fault did.
    pub(super) faults: Vec<FaultSummary>,
    /// Spans in which a probed target did not answer.
    pub(super) outages: Vec<OutageSummary>,
    /// Percentiles by phase, series, kind and outcome.
    pub(super) latency: Vec<LatencySummary>,
    /// What went wrong.
    pub(super) errors: Vec<ErrorSummary>,
    /// Whether the run was sound.
    pub(super) validity: ValiditySummary,
    /// What the run cost the machine that made the load.
    pub(super) generator: GeneratorSummary,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunSummary {
    pub(super) id: String,
    pub(super) name: String,
    /// Wall-clock time of the begin, RFC 3339.
    pub(super) started: String,
    /// The version of Rehearsal that made the run.
    pub(super) version: String,
    pub(super) seed: u64,
    pub(super) scenario_file: String,
    pub(super) target: String,
    /// Why the target is believed to be the system meant.
    pub(super) identity: Option<String>,
    /// How requests travelled, a sentence per setting.
    pub(super) transport: Vec<String>,
    /// Who made the load: `native`, or the engine that stood in for it.
    pub(super) load_engine: String,
    /// When the load ended.
    pub(super) load_end_seconds: f64,
    /// Whether the record was cut off.
    pub(super) cut_off: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ObjectiveSummary {
    pub(super) objective: String,
    /// What was measured, in words.
    pub(super) measured: String,
    /// What was measured: a share, seconds, a count, or events per second; null when nothing was.
    pub(super) value: Option<f64>,
    /// The limit in the same unit.
    pub(super) limit: f64,
    /// `met`, `missed` or `inconclusive`.
    pub(super) reading: String,
    /// Why it is inconclusive.
    pub(super) doubt: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RequestSummary {
    /// Requests that say something about the system: ok, failed and unknown.
    pub(super) total: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
    /// Requests that the generator could not send; in no total.
    pub(super) own: u64,
    /// Journeys dropped because no user was idle.
    pub(super) dropped: u64,
    /// Bytes of the answers' bodies.
    pub(super) bytes: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AvailabilitySummary {
    /// ok / (ok + failed + unknown + lost).
    pub(super) requests: Option<f64>,
    /// The share of time in which the front door answered.
    pub(super) time: Option<f64>,
    /// Requests not made because the system held on to the users of dropped journeys.
    pub(super) lost: u64,
    /// Downtime at the front door.
    pub(super) downtime_seconds: f64,
    /// The part of it during planned work.
    pub(super) planned_seconds: f64,
    /// The part of it by accident, or unexplained.
    pub(super) unplanned_seconds: f64,
    /// The part of it that no fault explains.
    pub(super) unexplained_seconds: f64,
    /// The same record under several published definitions.
    pub(super) definitions: Vec<DefinitionSummary>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DefinitionSummary {
    pub(super) definition: String,
    /// The availability by this definition.
    pub(super) share: Option<f64>,
    /// The span that the definition asks for, where it is not a share.
    pub(super) seconds: Option<f64>,
    /// The same in words, or why there is no number.
    pub(super) told: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PhaseSummary {
    pub(super) name: String,
    pub(super) begin_seconds: f64,
    pub(super) end_seconds: f64,
    pub(super) requests: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
    pub(super) own: u64,
    pub(super) dropped: u64,
    pub(super) journeys_ok: u64,
    pub(super) journeys_not_ok: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FaultSummary {
    pub(super) name: String,
    pub(super) action: String,
    pub(super) instances: Vec<String>,
    pub(super) planned: bool,
    /// `proven`, `not proven` or `not begun`.
    pub(super) proof: String,
    /// What proves it, or what was seen instead.
    pub(super) evidence: Vec<String>,
    /// Instances that are not as they were before.
    pub(super) not_restored: Vec<String>,
    pub(super) marks: MarkSummary,
    /// From the effect until the system noticed.
    pub(super) detection_seconds: Option<f64>,
    /// From the effect to the last failure before the undo; null when it failed until the undo.
    pub(super) failover_seconds: Option<f64>,
    /// From the undo until all was as before.
    pub(super) recovery_seconds: Option<f64>,
    /// From the instance's start to the first real request that it served.
    pub(super) readmission_seconds: Option<f64>,
    /// From the undo to the last failure after it.
    pub(super) failback_seconds: Option<f64>,
    /// Requests on their way at the call.
    pub(super) in_flight: Option<u64>,
    /// Those of them that were not ok.
    pub(super) in_flight_lost: u64,
    pub(super) failed_during: u64,
    pub(super) unknown_during: u64,
    pub(super) failed_after: u64,
    pub(super) unknown_after: u64,
    pub(super) downtime_seconds: f64,
    /// The share of a yearly error budget that one such failure burns.
    pub(super) budget: Vec<BudgetSummary>,
}

/// Offsets in seconds from the begin of the run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MarkSummary {
    pub(super) call: Option<f64>,
    pub(super) effective: Option<f64>,
    pub(super) first_failure: Option<f64>,
    pub(super) last_failure: Option<f64>,
    pub(super) detected: Option<f64>,
    pub(super) undo: Option<f64>,
    pub(super) up: Option<f64>,
    pub(super) healthy: Option<f64>,
    pub(super) served: Option<f64>,
    pub(super) last_failure_after: Option<f64>,
    pub(super) in_band: Option<f64>,
    pub(super) restored: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BudgetSummary {
    /// The yearly availability aimed at.
    pub(super) target: f64,
    /// The share of its budget.
    pub(super) share: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OutageSummary {
    /// What was probed; the first target of a run is its front door.
    pub(super) target: String,
    pub(super) begin_seconds: f64,
    /// Null when the record ended first.
    pub(super) end_seconds: Option<f64>,
    pub(super) length_seconds: f64,
    pub(super) resolution_seconds: f64,
    pub(super) failed_probes: u64,
    /// The fault that explains it.
    pub(super) fault: Option<String>,
    pub(super) planned: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LatencySummary {
    /// Null for all phases but the warm-up.
    pub(super) phase: Option<String>,
    /// Null for all requests.
    pub(super) journey: Option<String>,
    /// Null for whole journeys, and for all requests.
    pub(super) step: Option<String>,
    /// `response`, `service` or `connect`.
    pub(super) latency: String,
    /// `all`, `ok` or `not ok`.
    pub(super) outcomes: String,
    pub(super) count: u64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorSummary {
    pub(super) cause: String,
    pub(super) phase: Option<String>,
    pub(super) journey: Option<String>,
    pub(super) step: Option<String>,
    pub(super) count: u64,
    pub(super) first_seconds: f64,
    pub(super) last_seconds: f64,
    /// The first words of one such error or answer, as they came.
    pub(super) sample: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ValiditySummary {
    /// Whether the seconds that count can be trusted.
    pub(super) sentence: String,
    /// Seconds that say more about the generator than about the system.
    pub(super) invalid_seconds: u64,
    /// Their share of all seconds but those of the warm-up.
    pub(super) invalid_share: f64,
    /// Why they are not valid; each second stands under the gravest of its reasons.
    pub(super) reasons: Vec<InvalidSummary>,
    /// First steps sent.
    pub(super) sends: u64,
    /// Of those, sent over 20 ms late.
    pub(super) late: u64,
    /// The 99th percentile of the send lateness in the worst second.
    pub(super) lateness_p99_ms: f64,
    pub(super) lateness_max_ms: f64,
    /// Requests not sent for want of ports or descriptors.
    pub(super) own_errors: u64,
    /// Journeys dropped while the generator was short of CPU.
    pub(super) dropped_own: u64,
    /// Journeys dropped because the system held on to their users.
    pub(super) dropped_system: u64,
    /// Probes made, over all targets.
    pub(super) probes: u64,
    /// Probes that say nothing: sent late, or not sent for want of our own means.
    pub(super) probes_excluded: u64,
}

/// A reason for which seconds are not valid.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InvalidSummary {
    /// The reason in words.
    pub(super) reason: String,
    /// How many seconds of the run it spoiled.
    pub(super) seconds: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GeneratorSummary {
    /// CPU time from the begin of the run to the end of the load; null when the run was cut off.
    pub(super) cpu_seconds: Option<f64>,
    /// Requests made meanwhile: ok, failed and unknown.
    pub(super) requests: u64,
    /// CPU time by requests, in microseconds.
    pub(super) cpu_us_per_request: Option<f64>,
    /// How late first steps were sent, from the merged distributions of all threads and seconds.
    pub(super) lateness: Option<LatenessSummary>,
    /// The mean of the busiest load thread's share of a core.
    pub(super) cpu_mean_share: f64,
    /// The same in the busiest second.
    pub(super) cpu_peak_share: f64,
    /// The mean share in which a load thread had a core or waited for one.
    pub(super) cpu_wanted_share: f64,
    /// The load threads one by one.
    pub(super) threads: Vec<ThreadSummary>,
    /// CPU time that the host took away from the machine, over its cores.
    pub(super) steal_seconds: Option<f64>,
    /// The longest time in which a load thread's event loop stood still.
    pub(super) stall_max_ms: f64,
    /// The largest resident memory; null when the run was cut off.
    pub(super) memory_peak_bytes: Option<u64>,
    /// Resident memory after a minute, or at the end of a shorter run.
    pub(super) memory_settled_bytes: Option<u64>,
    /// Resident memory in the last second.
    pub(super) memory_end_bytes: Option<u64>,
    /// Most file descriptors open at once.
    pub(super) descriptors_peak: u64,
    pub(super) descriptors_limit: Option<u64>,
    /// Most TCP sockets in use at once in our network namespace, whoever's they are.
    pub(super) ports_peak: Option<u64>,
    /// How many local ports connections may be made from.
    pub(super) ports_limit: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LatenessSummary {
    /// First steps sent.
    pub(super) count: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ThreadSummary {
    /// The mean share of a second in which it had a core.
    pub(super) cpu_mean_share: f64,
    /// The same in its busiest whole second.
    pub(super) cpu_peak_share: f64,
    /// How long it could have run and was given no core.
    pub(super) waited_seconds: f64,
    /// How often a core was taken from it.
    pub(super) preempted: u64,
}
