//! What can be said of a run while it goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use rehearsal_reports::event::What;
use rehearsal_reports::histogram::{DIGITS_SECOND, Histogram};
use rehearsal_reports::record::{Latency, Record};

/// The last whole second, and the sums so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The second that the numbers are of.
    pub second: u32,
    /// Journeys that were due in it.
    pub due: u64,
    /// Requests that ended ok in it.
    pub ok: u64,
    /// Requests that did not end ok in it.
    pub not_ok: u64,
    /// The 99th percentile of its response times, all outcomes.
    pub p99: Option<Duration>,
    /// Requests so far.
    pub requests: u64,
    /// Requests that were not ok so far.
    pub errors: u64,
    /// Journeys dropped so far.
    pub dropped: u64,
    /// The faults in effect, as `kill was-1`; one in several instances stands here once.
    pub active: Vec<String>,
}

/// Folds the records of a run into [`Live`], second by second.
#[derive(Debug)]
pub struct Watcher {
    steps: Vec<bool>,
    names: Vec<String>,
    /// Faults in effect, one entry for each instance.
    active: Vec<usize>,
    now: Live,
    response: Histogram,
}

impl Watcher {
    /// A watcher; `steps` tells which series are steps and not whole journeys, `names` are the
    /// names of the faults.
    #[must_use]
    pub fn new(steps: Vec<bool>, names: Vec<String>) -> Self {
        let response = Histogram::new(DIGITS_SECOND);
        Self { steps, names, active: Vec::new(), now: Live::default(), response }
    }

    /// Takes notice of `record`.
    pub fn see(&mut self, record: &Record) {
        match record {
            Record::Counters(counters) if self.steps.get(counters.series) == Some(&true) => {
                let not_ok = counters.failed + counters.unknown + counters.own;
                self.now.ok += counters.ok;
                self.now.not_ok += not_ok;
                self.now.requests += counters.ok + not_ok;
                self.now.errors += not_ok;
            }
            Record::Arrivals(arrivals) => {
                self.now.due += arrivals.due;
                self.now.dropped += arrivals.dropped;
            }
            Record::Interval(interval)
                if interval.second.is_some()
                    && interval.latency == Latency::Response
                    && self.steps.get(interval.series) == Some(&true) =>
            {
                self.response.add(&interval.histogram);
            }
            Record::Event(event) => self.hear(&event.what),
            _ => {}
        }
    }

    fn hear(&mut self, what: &What) {
        match what {
            What::Injected { fault, .. } => self.active.push(*fault),
            What::Restored { fault, .. } | What::NotRestored { fault, .. } => {
                let at = self.active.iter().position(|active| active == fault);
                at.map(|at| self.active.remove(at));
            }
            _ => return,
        }
        let faults: BTreeSet<usize> = self.active.iter().copied().collect();
        let names = faults.iter().filter_map(|fault| self.names.get(*fault).cloned());
        self.now.active = names.collect();
    }

    /// The second `second` is over: what can be said of it.
    pub fn close(&mut self, second: u32) -> Live {
        self.now.second = second;
        self.now.p99 = self.response.quantile(0.99);
        let closed = self.now.clone();
        self.response.clear();
        (self.now.due, self.now.ok, self.now.not_ok) = (0, 0, 0);
        closed
    }
}
