//! The seconds that requests are due in, each with a row per series.

use std::time::Duration;

use rehearsal_reports::histogram::Histogram;
use rehearsal_reports::micros;
use rehearsal_reports::outcome::{Cause, Outcome};
use rehearsal_reports::record::{Arrivals, Counters, Interval, Latency, Record};
use rehearsal_reports::run::Phase;

use super::Sample;

/// The pages since the last hand-over: the current second, the one before it, and one for each
/// second whose requests ended late; at most as many as the longest time limit has seconds.
#[derive(Debug)]
pub(super) struct Pages {
    phases: Vec<Phase>,
    live: Vec<Page>,
    /// Where the last sample belonged.
    latest: usize,
}

/// One second of one phase.
#[derive(Debug)]
pub(super) struct Page {
    /// The phase, by place.
    pub(super) phase: usize,
    second: u32,
    begin: Duration,
    end: Duration,
    /// By series.
    rows: Vec<Row>,
}

/// What is counted of one series.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) arrivals: Arrived,
    pub(super) bytes: u64,
    pub(super) own: u64,
    pub(super) cells: Cells,
    ok: u64,
    failed: u64,
    unknown: u64,
    /// A handful of causes in a second, if any: a list is found through faster than a tree.
    causes: Vec<(Cause, u64)>,
}

/// Journeys of one series.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrived {
    pub(super) due: u64,
    pub(super) begun: u64,
    pub(super) dropped: u64,
}

/// The latencies of one series, by outcome; a cell is made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Cells([Option<Box<Cell>>; 3]);

/// The latencies of one series and outcome. Few connect anew, so that distribution is made when it
/// is first needed too.
#[derive(Debug, Default)]
struct Cell {
    response: Option<Histogram>,
    service: Option<Histogram>,
    connect: Option<Histogram>,
}

/// The latencies of one request, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    response: u64,
    service: Option<u64>,
    connect: Option<u64>,
}

impl Spans {
    pub(super) fn of(sample: &Sample<'_>) -> Self {
        let since = |begin: Duration| micros::of(sample.done.saturating_sub(begin));
        Self {
            response: since(sample.due),
            service: sample.sent.map(since),
            connect: sample.connect.map(micros::of),
        }
    }
}

impl Pages {
    pub(super) fn new(phases: Vec<Phase>) -> Self {
        Self { phases, live: Vec::new(), latest: 0 }
    }

    /// The page of what is due at `due`.
    pub(super) fn at(&mut self, due: Duration) -> &mut Page {
        let hit = self.live.get(self.latest).is_some_and(|page| page.holds(due));
        if !hit {
            self.latest = self.find(due);
        }
        &mut self.live[self.latest]
    }

    /// Newer pages stand behind older ones and are asked for more often.
    fn find(&mut self, due: Duration) -> usize {
        let known = self.live.iter().rposition(|page| page.holds(due));
        known.unwrap_or_else(|| {
            self.live.push(Page::of(due, &self.phases));
            self.live.len() - 1
        })
    }

    /// Writes all pages and forgets them.
    pub(super) fn take(&mut self, records: &mut Vec<Record>) {
        self.latest = 0;
        for page in self.live.drain(..) {
            page.finish(records);
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let rows = self.live.iter().flat_map(|page| &page.rows);
        self.live.len() + rows.map(|row| 1 + row.causes.len() + row.cells.entries()).sum::<usize>()
    }
}

impl Page {
    /// The page of the second and phase of `due`. A phase mark may cut a second in two; what is due
    /// after the last phase belongs to the last phase.
    fn of(due: Duration, phases: &[Phase]) -> Self {
        let last = phases.len().saturating_sub(1);
        let phase = phases.iter().position(|phase| due < phase.end).unwrap_or(last);
        let second = Duration::from_secs(due.as_secs());
        let next = second + Duration::from_secs(1);
        let begin = phases.get(phase).map_or(second, |phase| phase.begin.max(second));
        let open = phase == last;
        let end = phases.get(phase).filter(|_| !open).map_or(next, |phase| phase.end.min(next));
        let second = u32::try_from(due.as_secs()).unwrap_or(u32::MAX);
        Self { phase, second, begin, end, rows: Vec::new() }
    }

    fn holds(&self, due: Duration) -> bool {
        due >= self.begin && due < self.end
    }

    /// The row of `series`.
    pub(super) fn row(&mut self, series: usize) -> &mut Row {
        if self.rows.len() <= series {
            self.rows.resize_with(series + 1, Row::default);
        }
        &mut self.rows[series]
    }

    fn finish(self, records: &mut Vec<Record>) {
        let Self { phase, second, .. } = self;
        for (series, mut row) in self.rows.into_iter().enumerate() {
            row.cells.take((Some(second), phase, series), records);
            let Arrived { due, begun, dropped } = row.arrivals;
            if due > 0 {
                let arrivals = Arrivals { second, phase, series, due, begun, dropped };
                records.push(Record::Arrivals(arrivals));
            }
            let Row { bytes, own, ok, failed, unknown, .. } = row;
            if ok + failed + unknown + own > 0 {
                let causes = row.causes.into_iter().collect();
                records.push(Record::Counters(Counters {
                    second,
                    phase,
                    series,
                    ok,
                    failed,
                    unknown,
                    own,
                    causes,
                    bytes,
                }));
            }
        }
    }
}

impl Row {
    /// One request more with this outcome.
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }

    /// One request more for this cause.
    pub(super) fn blame(&mut self, cause: Cause) {
        match self.causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += 1,
            None => self.causes.push((cause, 1)),
        }
    }
}

impl Cells {
    /// Records the latencies of a request with this outcome, with so many digits.
    pub(super) fn record(&mut self, spans: Spans, outcome: Outcome, digits: u8) {
        let cell = self.0[outcome as usize].get_or_insert_default();
        let record = |place: &mut Option<Histogram>, span: u64| {
            place.get_or_insert_with(|| Histogram::new(digits)).record_micros(span);
        };
        record(&mut cell.response, spans.response);
        if let Some(service) = spans.service {
            record(&mut cell.service, service);
        }
        if let Some(connect) = spans.connect {
            record(&mut cell.connect, connect);
        }
    }

    /// Writes the latencies of a second, phase and series, and forgets them.
    pub(super) fn take(
        &mut self,
        (second, phase, series): (Option<u32>, usize, usize),
        records: &mut Vec<Record>,
    ) {
        for outcome in Outcome::ALL {
            let Some(cell) = self.0[outcome as usize].take() else { continue };
            let Cell { response, service, connect } = *cell;
            let parts = [
                (Latency::Response, response),
                (Latency::Service, service),
                (Latency::Connect, connect),
            ];
            for (latency, histogram) in parts {
                let Some(histogram) = histogram else { continue };
                let interval = Interval { second, phase, series, outcome, latency, histogram };
                records.push(Record::Interval(interval));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.0.iter().flatten().count()
    }
}
