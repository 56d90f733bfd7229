//! What a load thread remembers of the current seconds, handed over once a second.
//!
//! All counts belong to the second and phase of the due time, so a request that ends long after
//! its second is written adds to that second later. The recorder belongs to one thread: nothing
//! here is shared, locked or sent per request.
//!
//! ```text
//! sample --due--> page (second x phase) --series--> row --outcome--> cell: 2 digits
//!    |            phase                 --series-->      --outcome--> cell: 3 digits
//!    |--who answered--> census           |--why not--> failures
//! ```
//!
//! The steady state asks only whether the sample belongs to the page of the last one, and counts
//! at places known by number. Both precisions are recorded at once: each costs a few nanoseconds,
//! and taking 2 digits from 3 would round twice.

mod census;
mod failures;
mod pages;

use std::time::Duration;

use rehearsal_reports::histogram::{DIGITS_PHASE, DIGITS_SECOND, Histogram};
use rehearsal_reports::outcome::{Cause, Outcome};
use rehearsal_reports::record::Record;
use rehearsal_reports::run::Phase;

use self::census::Census;
use self::failures::Failures;
use self::pages::{Cells, Pages, Spans};

/// How often the distributions of a phase are written before it ends, so that little is lost when
/// the run is killed.
const PHASE_EVERY: u32 = 10;

/// One request, as the engine saw it.
#[derive(Clone, Copy, Debug)]
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

impl Sample<'_> {
    /// What the user may conclude.
    fn outcome(&self) -> Outcome {
        self.verdict.err().map_or(Outcome::Ok, |miss| miss.outcome)
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

/// The memory of one load thread.
#[derive(Debug)]
pub struct Recorder {
    pages: Pages,
    /// By phase and series.
    phases: Vec<Vec<Cells>>,
    census: Census,
    failures: Failures,
    gauge: Gauge,
    handed_over: u32,
}

impl Recorder {
    /// An empty memory for a run of these phases.
    #[must_use]
    pub fn new(phases: Vec<Phase>) -> Self {
        Self {
            phases: phases.iter().map(|_| Vec::new()).collect(),
            pages: Pages::new(phases),
            census: Census::default(),
            failures: Failures::default(),
            gauge: Gauge::default(),
            handed_over: 0,
        }
    }

    /// A journey was due and nobody was idle to make it.
    pub fn dropped(&mut self, series: usize, due: Duration) {
        let arrivals = &mut self.pages.at(due).row(series).arrivals;
        arrivals.due += 1;
        arrivals.dropped += 1;
        self.gauge.dropped += 1;
    }

    /// A journey that was due began `late`. In a closed model it is due when it begins.
    pub fn begun(&mut self, series: usize, due: Duration, late: Duration) {
        let arrivals = &mut self.pages.at(due).row(series).arrivals;
        arrivals.due += 1;
        arrivals.begun += 1;
        self.gauge.sends += 1;
        self.gauge.late += u64::from(late > LATE);
        self.gauge.lateness.record(late);
    }

    /// A request has ended.
    pub fn ended(&mut self, sample: &Sample<'_>) {
        let phase = self.count(sample);
        match (sample.verdict, sample.served_by) {
            (Ok(()), Some(by)) => self.census.count(by, sample.done),
            (Ok(()), None) => {}
            (Err(miss), _) => {
                self.gauge.own_errors += u64::from(miss.cause.is_own());
                self.failures.keep(sample, phase, miss);
            }
        }
    }

    /// A journey as a whole has ended, well or at the request that failed it.
    pub fn walked(&mut self, sample: &Sample<'_>) {
        self.count(sample);
    }

    /// Counts the sample where it was due; returns the phase.
    fn count(&mut self, sample: &Sample<'_>) -> usize {
        let page = self.pages.at(sample.due);
        let phase = page.phase;
        let row = page.row(sample.series);
        row.bytes += sample.bytes;
        if let Err(miss) = sample.verdict {
            row.blame(miss.cause);
            if miss.cause.is_own() {
                row.own += 1;
                return phase;
            }
        }
        let outcome = sample.outcome();
        let spans = Spans::of(sample);
        row.count(outcome);
        row.cells.record(spans, outcome, DIGITS_SECOND);
        if self.phases.len() <= phase {
            self.phases.resize_with(phase + 1, Vec::new);
        }
        let rows = &mut self.phases[phase];
        if rows.len() <= sample.series {
            rows.resize_with(sample.series + 1, Cells::default);
        }
        rows[sample.series].record(spans, outcome, DIGITS_PHASE);
        phase
    }

    /// How the thread fared since the last call.
    pub fn take_gauge(&mut self) -> Gauge {
        std::mem::take(&mut self.gauge)
    }

    /// Failures that were too many to keep.
    #[must_use]
    pub fn failures_left_out(&self) -> u64 {
        self.failures.left_out()
    }

    /// All that was remembered since the last call; the distributions of phases only now and then,
    /// and when it is the `last` call.
    pub fn take(&mut self, last: bool) -> Vec<Record> {
        self.handed_over += 1;
        let mut records = Vec::new();
        self.pages.take(&mut records);
        if last || self.handed_over.is_multiple_of(PHASE_EVERY) {
            for (phase, rows) in self.phases.iter_mut().enumerate() {
                for (series, cells) in rows.iter_mut().enumerate() {
                    cells.take((None, phase, series), &mut records);
                }
            }
        }
        self.census.take(&mut records);
        self.failures.take(&mut records);
        records
    }

    /// Things remembered, whatever their size: what must not grow with the length of a run.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        let phases = self.phases.iter().flatten().map(Cells::entries).sum::<usize>();
        phases + self.pages.entries() + self.census.entries() + self.failures.entries()
    }
}

#[cfg(test)]
mod tests;
