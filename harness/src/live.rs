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
    /// Journeys that were due in it: the load offered.
    pub due: u64,
    /// Those of them that began.
    pub begun: u64,
    /// Requests on their way, as of the second before.
    pub in_flight: u64,
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
                self.now.begun += arrivals.begun;
                self.now.dropped += arrivals.dropped;
            }
            Record::Interval(interval)
                if interval.second.is_some()
                    && interval.latency == Latency::Response
                    && self.steps.get(interval.series) == Some(&true) =>
            {
                self.response.add(&interval.histogram);
            }
            Record::Generator(generator) => self.now.in_flight = generator.in_flight,
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

    /// Things remembered, whatever their size: what must not grow with the length of a run.
    #[cfg(test)]
    fn entries(&self) -> usize {
        self.steps.len() + self.names.len() + self.active.len() + self.now.active.len()
    }

    /// The second `second` is over: what can be said of it.
    pub fn close(&mut self, second: u32) -> Live {
        self.now.second = second;
        self.now.p99 = self.response.quantile(0.99);
        let closed = self.now.clone();
        self.response.clear();
        (self.now.due, self.now.begun, self.now.ok, self.now.not_ok) = (0, 0, 0, 0);
        closed
    }
}

#[cfg(test)]
mod tests {
    use rehearsal_reports::outcome::{Cause, Outcome};
    use rehearsal_reports::record::Generator;
    use rehearsal_reports::run::Phase;

    use super::*;
    use crate::recorder::{Miss, Recorder, Sample};

    /// The series of the journey as a whole and of its one step.
    const WHOLE: usize = 0;
    const STEP: usize = 1;

    #[test]
    fn a_second_tells_what_was_offered_what_began_and_what_is_on_its_way() {
        let mut recorder = Recorder::new(vec![hours(1)]);
        for ms in [0, 200, 400] {
            recorder.begun(WHOLE, Duration::from_millis(ms), Duration::ZERO);
        }
        recorder.dropped(WHOLE, Duration::from_millis(600));
        let mut watcher = Watcher::new(vec![false, true], Vec::new());
        let generator = Generator { in_flight: 7, ..Generator::default() };
        watcher.see(&Record::Generator(Box::new(generator)));
        recorder.take(false).iter().for_each(|record| watcher.see(record));
        let live = watcher.close(0);
        assert_eq!((live.due, live.begun, live.dropped, live.in_flight), (4, 3, 1, 7));
        assert_eq!((watcher.close(1).due, watcher.close(2).dropped), (0, 1));
    }

    #[test]
    fn three_hours_leave_no_more_behind_than_forty_minutes() {
        let mut recorder = Recorder::new(vec![hours(3)]);
        let mut watcher = Watcher::new(vec![false, true], Vec::new());
        let mut after = Vec::new();
        // Every sixth second of them is as good as all, and takes a debug build a sixth.
        for second in (0..3 * 3600).step_by(6) {
            live_through(&mut recorder, second);
            recorder.take_gauge();
            recorder.take(false).iter().for_each(|record| watcher.see(record));
            watcher.close(u32::try_from(second).expect("few"));
            if second == 2_394 || second == 3 * 3600 - 6 {
                after.push(recorder.entries() + watcher.entries());
            }
        }
        assert_eq!(after[0], after[1]);
        assert!(after[0] > 500, "messages and names are remembered up to their limits");
    }

    /// A second with late ends, failures of ever new words and answers by ever new names.
    fn live_through(recorder: &mut Recorder, second: u64) {
        for place in 0..12 {
            let due = Duration::from_millis(second * 1000 + place * 80);
            recorder.begun(WHOLE, due, Duration::from_micros(place));
            let miss = Miss {
                outcome: Outcome::Failed,
                cause: Cause::Status(500),
                message: format!("error {second}-{place}"),
            };
            let by = format!("was-{second}-{place}");
            let late = if place == 0 { 20 } else { 0 };
            let sample = Sample {
                series: STEP,
                user: place,
                due: due.saturating_sub(Duration::from_secs(late)),
                sent: Some(due),
                first_byte: None,
                done: due + Duration::from_millis(5),
                connect: None,
                bytes: 10,
                status: Some(200),
                served_by: Some(&by),
                verdict: if place % 3 == 0 { Err(&miss) } else { Ok(()) },
            };
            recorder.ended(&sample);
            recorder.walked(&Sample { series: WHOLE, sent: None, ..sample });
        }
    }

    fn hours(hours: u64) -> Phase {
        let end = Duration::from_hours(hours);
        Phase { name: "steady".to_owned(), begin: Duration::ZERO, end }
    }
}
