//! The journal, read once from end to end and folded into what the analysis needs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use crate::event::{Event, What};
use crate::histogram::{DIGITS_SECOND, Histogram};
use crate::journal::{Journal, JournalError};
use crate::outcome::{Cause, Outcome};
use crate::record::{End, Failure, Generator, Probe, Record, Served};
use crate::run::Run;
use crate::seconds::{Second, Seconds};
use crate::series::PhaseTables;

/// A probe, without what only the prober needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// When it was due.
    pub due: Duration,
    /// When it ended.
    pub done: Duration,
    /// Why it failed; `None` when it was good.
    pub cause: Option<Cause>,
    /// Whether it says something about the system: it was sent in time and by means at hand.
    pub valid: bool,
}

/// A request that was not ok, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hurt {
    /// When it was due.
    pub due: Duration,
    /// When it ended.
    pub done: Duration,
    /// Its outcome.
    pub outcome: Outcome,
}

/// Everything that the journal says, summed.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// By phase and series.
    pub phases: PhaseTables,
    /// By second, in order.
    pub seconds: Vec<Second>,
    /// How the generator fared, by second; the distributions of its lateness are below.
    pub generator: BTreeMap<u32, Generator>,
    /// How late the generator sent, by phase.
    pub lateness: BTreeMap<usize, Histogram>,
    /// The probes of each target, in due order.
    pub probes: Vec<Vec<Probed>>,
    /// Requests that were not ok and are not the generator's own fault, in order of due time; as
    /// many as the journal holds raw.
    pub hurts: Vec<Hurt>,
    /// The first raw failure of each phase, series and cause.
    pub samples: BTreeMap<(usize, usize, Cause), Failure>,
    /// Due time of the last raw failure of each phase, series and cause.
    pub last: BTreeMap<(usize, usize, Cause), Duration>,
    /// Who answered when, in order of time.
    pub served: Vec<Served>,
    /// What happened, in order of time.
    pub events: Vec<Event>,
    /// The last record; `None` when the run was cut off.
    pub end: Option<End>,
    /// Bytes behind the last good record.
    pub unread: u64,
}

impl Tables {
    /// Reads `journal` to its end, or to where it is torn.
    pub fn read(journal: &mut Journal) -> Result<Self, JournalError> {
        let run = journal.run.clone();
        let mut tables =
            Self { probes: vec![Vec::new(); run.prober.targets.len()], ..Self::default() };
        let mut seconds = Seconds::default();
        while let Some(record) = journal.next()? {
            tables.add(record, &run, &mut seconds);
        }
        tables.unread = journal.unread();
        tables.seconds = seconds.finish();
        for probes in &mut tables.probes {
            probes.sort_by_key(|probe| probe.due);
        }
        tables.hurts.sort_by_key(|hurt| hurt.due);
        tables.served.sort_by_key(|served| served.first);
        tables.events.sort_by_key(|event| event.at);
        Ok(tables)
    }

    fn add(&mut self, record: Record, run: &Run, seconds: &mut Seconds) {
        let whole =
            |series: usize| run.series.get(series).is_some_and(|series| series.step.is_none());
        match record {
            Record::Begin(_) => {}
            Record::Event(event) => self.events.push(event),
            Record::Interval(interval) => {
                self.phases.add_interval(&interval);
                if !whole(interval.series) {
                    seconds.add_interval(&interval);
                }
            }
            Record::Counters(counters) => {
                self.phases.add_counters(&counters);
                seconds.add_counters(&counters, whole(counters.series));
            }
            Record::Arrivals(arrivals) => seconds.add_arrivals(&arrivals),
            Record::Served(served) => self.served.push(served),
            Record::Generator(generator) => self.add_generator(*generator, run),
            Record::Probe(probe) => self.add_probe(&probe, run.prober.period),
            Record::Failure(failure) if whole(failure.series) => {}
            Record::Failure(failure) => self.add_failure(failure),
            Record::End(end) => self.end = Some(end),
        }
    }

    /// Distributions are summed at once and not kept: a second's takes as much memory as an hour's.
    fn add_generator(&mut self, mut generator: Generator, run: &Run) {
        if let Some(lateness) = generator.lateness.take() {
            let begin = Duration::from_secs(u64::from(generator.second));
            let sum = self.lateness.entry(run.phase_at(begin));
            sum.or_insert_with(|| Histogram::new(DIGITS_SECOND)).add(&lateness);
        }
        match self.generator.entry(generator.second) {
            Entry::Occupied(mut known) => known.get_mut().add(generator),
            Entry::Vacant(place) => {
                place.insert(generator);
            }
        }
    }

    fn add_probe(&mut self, probe: &Probe, period: Duration) {
        let Probe { target, due, sent, done, cause } = *probe;
        let late = sent.saturating_sub(due) > period;
        let valid = !late && !cause.is_some_and(Cause::is_own);
        if let Some(probes) = self.probes.get_mut(target) {
            probes.push(Probed { due, done, cause, valid });
        }
    }

    fn add_failure(&mut self, failure: Failure) {
        let Failure { series, phase, due, done, outcome, cause, .. } = failure;
        if !cause.is_own() {
            self.hurts.push(Hurt { due, done, outcome });
        }
        let key = (phase, series, cause);
        let last = self.last.entry(key).or_default();
        *last = due.max(*last);
        let sample = self.samples.entry(key).or_insert_with(|| failure.clone());
        if due < sample.due {
            *sample = failure;
        }
    }

    /// When the load ended: as the journal says, else the end of its last whole second.
    #[must_use]
    pub fn load_end(&self) -> Duration {
        let ended = |event: &&Event| event.what == What::LoadEnded;
        let said = self.events.iter().find(ended).map(|event| event.at);
        let probed = self.probes.iter().filter_map(|probes| probes.last()).map(|probe| probe.due);
        let counted = self.seconds.last().map(|row| Duration::from_secs(u64::from(row.second) + 1));
        said.or_else(|| probed.chain(counted).max()).unwrap_or_default()
    }
}
