//! The records of the journal, one kind each.
//!
//! Intervals, counters and arrivals are additive: a second may come in several records (a slow
//! request is counted in the second in which it was due, long after that second was written), and
//! what is true of it is their sum.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::histogram::Histogram;
use crate::micros;
use crate::outcome::{Cause, Outcome};

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first record: which run this is the journal of.
    Begin(Begin),
    /// Something happened.
    Event(Event),
    /// Latencies of one second.
    Interval(Interval),
    /// Counts of one second.
    Counters(Counters),
    /// Arrivals of one second.
    Arrivals(Arrivals),
    /// Who answered in one second.
    Served(Served),
    /// How the generator itself fared in one second.
    Generator(Box<Generator>),
    /// One probe.
    Probe(Probe),
    /// One request that was not ok.
    Failure(Failure),
    /// The last record; without it the run was cut off.
    End(End),
}

/// Opens the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The version of the format, [`crate::run::SCHEMA`].
    pub schema: u32,
    /// The run's id.
    pub run: String,
}

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latency {
    /// From the due time to the last byte: what the user feels.
    Response,
    /// From the moment of sending to the last byte.
    Service,
    /// From the begin of connecting to a usable connection; only requests that had to connect.
    Connect,
}

/// Latencies of one series, outcome and kind; of one second (2 digits), or of the part of a phase
/// since the last such record (3 digits).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The second of the due times, counted from the epoch; `None` for a phase's 3-digit record.
    pub second: Option<u32>,
    /// The phase of the due times, by place.
    pub phase: usize,
    /// The series, by place.
    pub series: usize,
    /// The outcome they had.
    pub outcome: Outcome,
    /// Which latency.
    pub latency: Latency,
    /// The latencies.
    pub histogram: Histogram,
}

/// Counts of requests due in one second of one phase, for one series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The second of the due times.
    pub second: u32,
    /// The phase of the due times, by place.
    pub phase: usize,
    /// The series, by place.
    pub series: usize,
    /// Requests with outcome ok.
    pub ok: u64,
    /// Requests with outcome failed, those of the generator's own fault not counted.
    pub failed: u64,
    /// Requests with outcome unknown.
    pub unknown: u64,
    /// Requests that the generator could not send; in neither of the three above.
    pub own: u64,
    /// Failed, unknown and own requests by their cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
}

/// Arrivals due in one second of one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals {
    /// The second of the due times.
    pub second: u32,
    /// The phase of the due times, by place.
    pub phase: usize,
    /// The journey, by its whole-journey series' place.
    pub series: usize,
    /// Journeys that were due.
    pub due: u64,
    /// Journeys that began.
    pub begun: u64,
    /// Journeys dropped because no user was idle: lost requests, never latency.
    pub dropped: u64,
}

/// Ok answers of one instance to requests done in one second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The second in which they were done.
    pub second: u32,
    /// What the instance called itself.
    pub by: String,
    /// How many.
    pub count: u64,
    /// When the first of them was done.
    #[serde(with = "micros")]
    pub first: Duration,
    /// When the last of them was done.
    #[serde(with = "micros")]
    pub last: Duration,
}

/// How the generator fared in one second of wall-clock time. What the kernel does not tell is
/// `None`; what version 1 of the journal did not hold is left at its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// The second.
    pub second: u32,
    /// How long the account of it really was: shorter at the end of a run. Zero in version 1.
    #[serde(default, with = "micros")]
    pub length: Duration,
    /// First steps sent.
    pub sends: u64,
    /// Of those, sent over 20 ms after their due time.
    pub late: u64,
    /// The median of the send lateness.
    #[serde(default, with = "micros")]
    pub lateness_p50: Duration,
    /// The 99th percentile of the send lateness.
    #[serde(with = "micros")]
    pub lateness_p99: Duration,
    /// The longest send lateness.
    #[serde(with = "micros")]
    pub lateness_max: Duration,
    /// The send lateness (2 digits), so that seconds can be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Histogram>,
    /// CPU time that the load threads used, in seconds of one core.
    pub cpu: f64,
    /// CPU time that was at hand: the load threads, times the second's length.
    pub cpu_limit: f64,
    /// The load threads one by one.
    #[serde(default)]
    pub threads: Vec<ThreadUse>,
    /// CPU time that the whole process used, in seconds of one core.
    #[serde(default)]
    pub process_cpu: Option<f64>,
    /// CPU time that the host took away from this machine, in seconds of one core.
    #[serde(default)]
    pub steal: Option<f64>,
    /// The longest time in which a load thread's event loop looked after nobody.
    #[serde(default, with = "micros")]
    pub stall_max: Duration,
    /// Requests on their way at the end of the second.
    pub in_flight: u64,
    /// Journeys dropped.
    pub dropped: u64,
    /// Requests that could not be sent for want of ports or descriptors.
    pub own_errors: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many file descriptors may be open.
    #[serde(default)]
    pub descriptors_limit: Option<u64>,
    /// TCP sockets in use or waiting for their end (`TIME_WAIT`) in our network namespace,
    /// whoever's they are: at least as many as the ports that we hold.
    #[serde(default)]
    pub ports_used: Option<u64>,
    /// How many local ports connections may be made from.
    #[serde(default)]
    pub ports_limit: Option<u64>,
    /// Resident memory of our process, in bytes.
    #[serde(default)]
    pub memory: Option<u64>,
}

/// How one load thread fared in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadUse {
    /// The share of the second in which it had a core.
    pub busy: f64,
    /// How long it could have run and was given no core.
    #[serde(default, with = "micros::option")]
    pub waited: Option<Duration>,
    /// How often a core was taken from it.
    #[serde(default)]
    pub preempted: Option<u64>,
}

impl Generator {
    /// Takes in another account of the same second: that of a thread which came late. Percentiles
    /// are those of all sends where both accounts hold their distributions, else the worse ones.
    pub fn add(&mut self, other: Self) {
        self.length = self.length.max(other.length);
        self.sends += other.sends;
        self.late += other.late;
        self.lateness_p50 = self.lateness_p50.max(other.lateness_p50);
        self.lateness_p99 = self.lateness_p99.max(other.lateness_p99);
        self.lateness_max = self.lateness_max.max(other.lateness_max);
        match (&mut self.lateness, other.lateness) {
            (Some(sum), Some(lateness)) => {
                sum.add(&lateness);
                self.lateness_p50 = sum.quantile(0.5).unwrap_or_default();
                self.lateness_p99 = sum.quantile(0.99).unwrap_or_default();
            }
            (sum, lateness) => *sum = sum.take().or(lateness),
        }
        self.cpu += other.cpu;
        self.cpu_limit += other.cpu_limit;
        self.threads.extend(other.threads);
        self.process_cpu = self.process_cpu.or(other.process_cpu);
        self.steal = self.steal.or(other.steal);
        self.stall_max = self.stall_max.max(other.stall_max);
        self.in_flight += other.in_flight;
        self.dropped += other.dropped;
        self.own_errors += other.own_errors;
        self.descriptors = self.descriptors.max(other.descriptors);
        self.descriptors_limit = self.descriptors_limit.or(other.descriptors_limit);
        self.ports_used = self.ports_used.max(other.ports_used);
        self.ports_limit = self.ports_limit.or(other.ports_limit);
        self.memory = self.memory.max(other.memory);
    }
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The target, by place.
    pub target: usize,
    /// When it was due.
    #[serde(with = "micros")]
    pub due: Duration,
    /// When it was sent; a probe sent late says nothing about the system.
    #[serde(with = "micros")]
    pub sent: Duration,
    /// When it ended.
    #[serde(with = "micros")]
    pub done: Duration,
    /// Why it failed; `None` when it was good.
    pub cause: Option<Cause>,
}

/// One request that was not ok.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The series, by place.
    pub series: usize,
    /// The phase of the due time, by place.
    pub phase: usize,
    /// The user, counted from 0.
    pub user: u64,
    /// When it was due.
    #[serde(with = "micros")]
    pub due: Duration,
    /// When it was sent; `None` when there was no connection to send it on.
    #[serde(with = "micros::option")]
    pub sent: Option<Duration>,
    /// When the first byte of the answer came.
    #[serde(with = "micros::option")]
    pub first_byte: Option<Duration>,
    /// When it ended.
    #[serde(with = "micros")]
    pub done: Duration,
    /// What the user may conclude.
    pub outcome: Outcome,
    /// What was seen.
    pub cause: Cause,
    /// The status of the answer, where one came.
    pub status: Option<u16>,
    /// The instance that answered, where it said so.
    pub served_by: Option<String>,
    /// The first words of the error or of the answer, as they came: hostile until escaped.
    pub message: String,
}

/// Closes the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When the journal was closed.
    #[serde(with = "micros")]
    pub at: Duration,
    /// Whether the run was stopped early by its user.
    pub interrupted: bool,
    /// Requests that were not ok and are not among the [`Failure`]s, because there were too many.
    pub failures_left_out: u64,
    /// CPU time of the generator from the epoch to the end of the load, in seconds.
    pub cpu_seconds: f64,
    /// The largest resident memory of our process, in bytes.
    pub memory_peak: u64,
}
