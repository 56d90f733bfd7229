//! What a load thread remembers of the current seconds, handed over once a second.
//!
//! All counts belong to the second and phase of the due time, so a request that ends long after
//! its second is written adds to that second later. The recorder belongs to one thread: nothing
//! here is shared, locked or sent per request.

use std::collections::BTreeMap;
use std::time::Duration;

use rehearsal_reports::histogram::{DIGITS_PHASE, DIGITS_SECOND, Histogram};
use rehearsal_reports::outcome::{Cause, Outcome};
use rehearsal_reports::record::{Arrivals, Counters, Failure, Interval, Latency, Record, Served};
use rehearsal_reports::run::Phase;

/// Requests that were not ok and are kept in full, per thread and second. An outage at a high rate
/// repeats itself; the counters hold all of it.
const FAILURES_KEPT: usize = 200;

/// How long the texts kept of a failure are.
const MESSAGE_KEPT: usize = 300;

/// How often the distributions of a phase are written before it ends, so that little is lost when
/// the run is killed.
const PHASE_EVERY: u32 = 10;

/// One request, as the engine saw it.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// Its series.
    pub series: usize,
    /// The user.
    pub user: u64,
    /// When it was due.
    pub due: Duration,
    /// When it was sent.
    pub sent: Option<Duration>,
    /// When the first byte of the answer came.
    pub first_byte: Option<Duration>,
    /// When it ended.
    pub done: Duration,
    /// How long connecting took.
    pub connect: Option<Duration>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The answer's status.
    pub status: Option<u16>,
    /// Who answered.
    pub served_by: Option<&'a str>,
    /// What became of it.
    pub verdict: Result<(), &'a Miss>,
}

/// Why a request was not ok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// What the user may conclude.
    pub outcome: Outcome,
    /// What was seen.
    pub cause: Cause,
    /// In words.
    pub message: String,
}

/// The latencies of one series and outcome.
#[derive(Debug)]
struct Cell {
    response: Histogram,
    service: Histogram,
    connect: Histogram,
}

impl Cell {
    fn new(digits: u8) -> Self {
        let empty = Histogram::new(digits);
        Self { response: empty.clone(), service: empty.clone(), connect: empty }
    }

    fn record(&mut self, sample: &Sample<'_>) {
        self.response.record(sample.done.saturating_sub(sample.due));
        if let Some(sent) = sample.sent {
            self.service.record(sample.done.saturating_sub(sent));
        }
        if let Some(connect) = sample.connect {
            self.connect.record(connect);
        }
    }

    fn parts(self) -> [(Latency, Histogram); 3] {
        [
            (Latency::Response, self.response),
            (Latency::Service, self.service),
            (Latency::Connect, self.connect),
        ]
    }
}

/// How a load thread fared since it was last asked.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// First steps sent.
    pub sends: u64,
    /// Of those, sent more than 20 ms after they were due.
    pub late: u64,
    /// How late they were sent.
    pub lateness: Histogram,
    /// Journeys dropped.
    pub dropped: u64,
    /// Requests that could not be sent for want of ports or descriptors.
    pub own_errors: u64,
}

/// Sends later than this make a second suspect.
const LATE: Duration = Duration::from_millis(20);

impl Default for Gauge {
    fn default() -> Self {
        let lateness = Histogram::new(DIGITS_SECOND);
        Self { sends: 0, late: 0, lateness, dropped: 0, own_errors: 0 }
    }
}

/// A second and a phase, by place.
type When = (u32, usize);

/// The memory of one load thread.
#[derive(Debug)]
pub struct Recorder {
    phases: Vec<Phase>,
    seconds: BTreeMap<(When, usize, Outcome), Cell>,
    phase_cells: BTreeMap<(usize, usize, Outcome), Cell>,
    counters: BTreeMap<(When, usize), Counters>,
    arrivals: BTreeMap<(When, usize), Arrivals>,
    served: BTreeMap<(u32, String), Served>,
    failures: Vec<Failure>,
    failures_left_out: u64,
    gauge: Gauge,
    handed_over: u32,
}

impl Recorder {
    /// An empty memory for a run of these phases.
    #[must_use]
    pub fn new(phases: Vec<Phase>) -> Self {
        Self {
            phases,
            seconds: BTreeMap::new(),
            phase_cells: BTreeMap::new(),
            counters: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            served: BTreeMap::new(),
            failures: Vec::new(),
            failures_left_out: 0,
            gauge: Gauge::default(),
            handed_over: 0,
        }
    }

    fn when(&self, due: Duration) -> When {
        let phase = self.phases.iter().position(|phase| due < phase.end);
        let second = u32::try_from(due.as_secs()).unwrap_or(u32::MAX);
        (second, phase.unwrap_or(self.phases.len().saturating_sub(1)))
    }

    fn arrival(&mut self, series: usize, due: Duration) -> &mut Arrivals {
        let when = self.when(due);
        let (second, phase) = when;
        let blank = || Arrivals { second, phase, series, ..Arrivals::default() };
        let arrival = self.arrivals.entry((when, series)).or_insert_with(blank);
        arrival.due += 1;
        arrival
    }

    /// A journey was due and nobody was idle to make it.
    pub fn dropped(&mut self, series: usize, due: Duration) {
        self.arrival(series, due).dropped += 1;
        self.gauge.dropped += 1;
    }

    /// A journey that was due began `late`.
    pub fn begun(&mut self, series: usize, due: Duration, late: Duration) {
        self.arrival(series, due).begun += 1;
        self.gauge.sends += 1;
        self.gauge.late += u64::from(late > LATE);
        self.gauge.lateness.record(late);
    }

    /// A request has ended.
    pub fn ended(&mut self, sample: &Sample<'_>) {
        let phase = self.count(sample);
        match sample.verdict {
            Ok(()) => self.answered(sample.served_by, sample.done),
            Err(miss) => self.failed(sample, phase, miss),
        }
    }

    /// A journey as a whole has ended, well or at the request that failed it.
    pub fn walked(&mut self, sample: &Sample<'_>) {
        self.count(sample);
    }

    /// Counts the sample where it was due; returns the phase.
    fn count(&mut self, sample: &Sample<'_>) -> usize {
        let when = self.when(sample.due);
        let (second, phase) = when;
        let series = sample.series;
        let blank = || Counters { second, phase, series, ..Counters::default() };
        let counters = self.counters.entry((when, series)).or_insert_with(blank);
        counters.bytes += sample.bytes;
        if let Err(miss) = sample.verdict {
            *counters.causes.entry(miss.cause).or_default() += 1;
            if miss.cause.is_own() {
                counters.own += 1;
                self.gauge.own_errors += 1;
                return phase;
            }
        }
        let outcome = sample.verdict.as_ref().err().map_or(Outcome::Ok, |miss| miss.outcome);
        match outcome {
            Outcome::Ok => counters.ok += 1,
            Outcome::Failed => counters.failed += 1,
            Outcome::Unknown => counters.unknown += 1,
        }
        let cell = self.seconds.entry((when, series, outcome));
        cell.or_insert_with(|| Cell::new(DIGITS_SECOND)).record(sample);
        let cell = self.phase_cells.entry((phase, series, outcome));
        cell.or_insert_with(|| Cell::new(DIGITS_PHASE)).record(sample);
        phase
    }

    fn answered(&mut self, by: Option<&str>, done: Duration) {
        let Some(by) = by.map(str::to_owned) else { return };
        let second = u32::try_from(done.as_secs()).unwrap_or(u32::MAX);
        let blank = Served { second, by: by.clone(), count: 0, first: done, last: done };
        let served = self.served.entry((second, by)).or_insert(blank);
        served.count += 1;
        served.last = done;
    }

    fn failed(&mut self, sample: &Sample<'_>, phase: usize, miss: &Miss) {
        if self.failures.len() >= FAILURES_KEPT {
            self.failures_left_out += 1;
            return;
        }
        self.failures.push(Failure {
            series: sample.series,
            phase,
            user: sample.user,
            due: sample.due,
            sent: sample.sent,
            first_byte: sample.first_byte,
            done: sample.done,
            outcome: miss.outcome,
            cause: miss.cause,
            status: sample.status,
            served_by: sample.served_by.map(str::to_owned),
            message: miss.message.chars().take(MESSAGE_KEPT).collect(),
        });
    }

    /// How the thread fared since the last call.
    pub fn take_gauge(&mut self) -> Gauge {
        std::mem::take(&mut self.gauge)
    }

    /// Failures that were too many to keep.
    #[must_use]
    pub fn failures_left_out(&self) -> u64 {
        self.failures_left_out
    }

    /// All that was remembered since the last call; the distributions of phases only now and then,
    /// and when it is the `last` call.
    pub fn take(&mut self, last: bool) -> Vec<Record> {
        self.handed_over += 1;
        let mut records = Vec::new();
        for (((second, phase), series, outcome), cell) in std::mem::take(&mut self.seconds) {
            intervals(cell, (Some(second), phase, series, outcome), &mut records);
        }
        if last || self.handed_over.is_multiple_of(PHASE_EVERY) {
            for ((phase, series, outcome), cell) in std::mem::take(&mut self.phase_cells) {
                intervals(cell, (None, phase, series, outcome), &mut records);
            }
        }
        records.extend(std::mem::take(&mut self.counters).into_values().map(Record::Counters));
        records.extend(std::mem::take(&mut self.arrivals).into_values().map(Record::Arrivals));
        records.extend(std::mem::take(&mut self.served).into_values().map(Record::Served));
        records.extend(std::mem::take(&mut self.failures).into_iter().map(Record::Failure));
        records
    }
}

fn intervals(
    cell: Cell,
    (second, phase, series, outcome): (Option<u32>, usize, usize, Outcome),
    records: &mut Vec<Record>,
) {
    for (latency, histogram) in cell.parts() {
        if !histogram.is_empty() {
            let interval = Interval { second, phase, series, outcome, latency, histogram };
            records.push(Record::Interval(interval));
        }
    }
}
