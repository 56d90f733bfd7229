//! What each fault did to the users, told by its marks.
//!
//! ```text
//!  call   effect  first      last                 undo    up   healthy  served   in band
//!   |-------|-----failure----failure----------------|------|------|--------|--------|
//!           |                   |                   |      |               |        |
//!           |<---- failover --->|                   |      |<-readmission->|        |
//!           |<- detection ->                        |<--------- recovery ---------->|
//!                                                   |<- fail-back ->last failure after
//! ```
//!
//! Undoing a fault is a second fault: what fails after it is counted apart, as fail-back. A request
//! hurts from the moment it was due, and one that was on its way when the fault was called from the
//! moment it ended. A system that fails now and then by itself is not blamed on the fault: only
//! seconds with more failures than was usual before set marks.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use crate::analysis::marks::Marks;
use crate::event::What;
use crate::number;
use crate::outcome::Outcome;
use crate::record::Served;
use crate::run::Run;
use crate::seconds::Second;
use crate::tables::Tables;

/// Without a failure for this long before the undo, the system had failed over.
const SUSTAINED: Duration = Duration::from_secs(1);

/// Seconds in a row that must look as before until performance counts as back.
const BACK_IN_BAND_FOR: usize = 3;

/// How far the 99th percentile of a second may exceed what was usual before: half as much again.
const BAND_P99: f64 = 1.5;

/// How much of the usual share of ok requests a second must reach.
const BAND_OK: f64 = 0.9;

/// Words by which platforms and balancers say that they noticed.
const DETECTED: [&str; 4] = ["unhealthy", "down", "promoted", "failover"];

/// Requests that were not ok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Certainly not served.
    pub failed: u64,
    /// Outcome unknown.
    pub unknown: u64,
}

/// What one fault did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// What the run noted.
    pub marks: Marks,
    /// The first failure that a client saw.
    pub first_failure: Option<Duration>,
    /// The last failure before the undo.
    pub last_failure: Option<Duration>,
    /// The last failure after the undo.
    pub last_failure_after: Option<Duration>,
    /// The system noticed by itself.
    pub detected: Option<Duration>,
    /// The last instance answered a real request again.
    pub served: Option<Duration>,
    /// Performance is back where it was before the first fault.
    pub in_band: Option<Duration>,
    /// From the effect until the system noticed.
    pub detection: Option<Duration>,
    /// From the effect to the last failure before the undo; zero when nothing failed, `None` when
    /// it failed until the undo.
    pub failover: Option<Duration>,
    /// From the undo (or the effect, where nothing is undone) until all is as before: no failures,
    /// every instance healthy and serving, performance in band.
    pub recovery: Option<Duration>,
    /// From the instance's start to the first real request that it served.
    pub readmission: Option<Duration>,
    /// From the undo to the last failure after it; zero when nothing failed.
    pub failback: Option<Duration>,
    /// Requests not ok between the call and the undo.
    pub during: Harm,
    /// Requests not ok after the undo: the harm of failing back.
    pub after: Harm,
    /// Requests on their way at the call that were not ok.
    pub in_flight_lost: u64,
    /// Downtime at the front door that this fault explains.
    pub downtime: Duration,
}

/// What each fault did, by its place; the downtime is not filled in yet.
#[must_use]
pub fn failovers(run: &Run, tables: &Tables, marks: &[Marks]) -> Vec<Failover> {
    let before = usual_seconds(run, tables, marks);
    let band = Band::of(&before);
    let calm = calm_seconds(tables, &before);
    let all = marks.iter().zip(&run.faults);
    all.map(|(own, fault)| {
        let Some(began) = own.began else {
            return Failover { marks: own.clone(), ..Failover::default() };
        };
        let end = window_end(own, marks).unwrap_or_else(|| tables.load_end());
        let mut story = Failover { marks: own.clone(), ..Failover::default() };
        story.find_failures(tables, &calm, began..end);
        story.find_detection(tables, began..end);
        let from = own.undo_began.or(own.effective).unwrap_or(began);
        story.in_band = band.as_ref().and_then(|band| band.back(tables, &calm, from..end));
        let served_before = |name: &str| answers(run, tables, name).any(|one| one.first < began);
        let served: Vec<_> =
            fault.instances.iter().filter(|name| served_before(name)).map(String::as_str).collect();
        let again = served.iter().map(|name| served_again(run, tables, name, own));
        story.served = again.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        story.measure(from, end, !served.is_empty());
        story
    })
    .collect()
}

/// Where the next fault takes over: its begin, when it begins after this one's undo.
fn window_end(own: &Marks, marks: &[Marks]) -> Option<Duration> {
    let from = own.undo_began.or(own.began)?;
    marks.iter().filter_map(|other| other.began).filter(|began| *began > from).min()
}

impl Failover {
    fn find_failures(&mut self, tables: &Tables, calm: &BTreeSet<u32>, window: Range<Duration>) {
        let Range { start: began, end } = window;
        let undo = self.marks.undo_began.unwrap_or(end);
        for hurt in &tables.hurts {
            if hurt.done < began || hurt.due >= end {
                continue;
            }
            let in_flight = hurt.due < began;
            self.in_flight_lost += u64::from(in_flight);
            let moment = if in_flight { hurt.done } else { hurt.due };
            if !calm.contains(&second_of(hurt.due)) {
                self.see(moment, undo);
            }
            let harm = if moment < undo { &mut self.during } else { &mut self.after };
            harm.add(hurt.outcome);
        }
        for probe in tables.probes.iter().take(1).flatten() {
            let counts = probe.valid && probe.cause.is_some();
            if counts && probe.done >= began && probe.due < end {
                self.see(probe.due.max(began), undo);
            }
        }
        if left_out(tables, began..end) {
            self.count_by_second(&tables.seconds, calm, began..end, undo);
        }
    }

    /// The raw failures are not all there: whole seconds know how many there were.
    fn count_by_second(
        &mut self,
        rows: &[Second],
        calm: &BTreeSet<u32>,
        window: Range<Duration>,
        undo: Duration,
    ) {
        let (mut during, mut after) = (Harm::default(), Harm::default());
        for row in rows.iter().filter(|row| row.requests.not_ok() > 0) {
            let second = Duration::from_secs(u64::from(row.second));
            if second + Duration::from_secs(1) <= window.start || second >= window.end {
                continue;
            }
            let moment = second.max(window.start);
            if !calm.contains(&row.second) {
                self.see(moment, undo);
            }
            let harm = if moment < undo { &mut during } else { &mut after };
            harm.failed += row.requests.failed;
            harm.unknown += row.requests.unknown;
        }
        (self.during, self.after) = (during, after);
    }

    fn see(&mut self, moment: Duration, undo: Duration) {
        let first = self.first_failure.get_or_insert(moment);
        *first = moment.min(*first);
        let last =
            if moment < undo { &mut self.last_failure } else { &mut self.last_failure_after };
        *last = (*last).max(Some(moment));
    }

    fn find_detection(&mut self, tables: &Tables, window: Range<Duration>) {
        let noticed = |action: &str| {
            let action = action.to_lowercase();
            DETECTED.iter().any(|word| action.contains(word))
        };
        let found = tables.events.iter().find(|event| {
            let said = matches!(&event.what, What::Platform { action, .. } if noticed(action));
            said && window.contains(&event.at)
        });
        self.detected = found.map(|event| event.at);
    }

    fn measure(&mut self, from: Duration, end: Duration, served_before: bool) {
        let Marks { began, effective, undo_began, up, healthy, .. } = self.marks;
        let Some(effect) = effective.or(began) else {
            return;
        };
        self.detection = self.detected.map(|at| at.saturating_sub(effect));
        let until = undo_began.unwrap_or(end);
        self.failover = match self.last_failure {
            None => Some(Duration::ZERO),
            Some(last) if last + SUSTAINED > until => None,
            Some(last) => Some(last.saturating_sub(effect)),
        };
        let after = |undo: Duration| {
            self.last_failure_after.map_or(Duration::ZERO, |last| last.saturating_sub(undo))
        };
        self.failback = undo_began.map(after);
        self.readmission = self.served.zip(up).map(|(served, up)| served.saturating_sub(up));
        let all_serve = self.served.is_some() || !served_before || undo_began.is_none();
        let last = [self.in_band, healthy, self.served, self.last_failure_after].into_iter().max();
        let last = last.flatten().filter(|_| self.in_band.is_some() && all_serve);
        self.recovery = last.map(|last| last.saturating_sub(from));
    }
}

impl Harm {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => {}
            Outcome::Failed => self.failed += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }

    /// Failed and unknown together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.failed + self.unknown
    }
}

/// The answers of the instance called `name`, in order of time.
fn answers<'a>(
    run: &'a Run,
    tables: &'a Tables,
    name: &'a str,
) -> impl Iterator<Item = &'a Served> {
    let known = run.instances.iter().find(|instance| instance.name == name);
    let hostname = known.map(|instance| instance.hostname.as_str());
    tables.served.iter().filter(move |one| one.by == name || Some(one.by.as_str()) == hostname)
}

/// When `name` answered a real request again. In the second of the undo itself only the last
/// answer is certain to be a new one.
fn served_again(run: &Run, tables: &Tables, name: &str, marks: &Marks) -> Option<Duration> {
    let from = marks.up.filter(|up| Some(*up) >= marks.undo_began).or(marks.undo_began)?;
    let again = answers(run, tables, name).find(|one| one.last >= from)?;
    Some(if again.first >= from { again.first } else { again.last })
}

/// The whole seconds before the first fault, the warm-up left out: what is usual.
fn usual_seconds<'a>(run: &Run, tables: &'a Tables, marks: &[Marks]) -> Vec<&'a Second> {
    let first = marks.iter().filter_map(|marks| marks.began).min().unwrap_or_default();
    let scope = run.scope();
    let rows = tables.seconds.iter().filter(|row| {
        let end = Duration::from_secs(u64::from(row.second) + 1);
        scope.contains(&row.phase) && end <= first && row.due > 0
    });
    rows.collect()
}

/// The seconds in which no more went wrong than was usual; three standard deviations of a Poisson
/// count are allowed.
fn calm_seconds(tables: &Tables, usual: &[&Second]) -> BTreeSet<u32> {
    let sum = |count: fn(&Second) -> u64| usual.iter().map(|row| count(row)).sum();
    let share = number::share(sum(|row| row.requests.not_ok()), sum(|row| row.requests.total()));
    let calm = tables.seconds.iter().filter(|row| {
        let expected = share.unwrap_or(0.0) * number::float(row.requests.total());
        number::float(row.requests.not_ok()) <= expected + 3.0 * expected.sqrt()
    });
    calm.map(|row| row.second).collect()
}

/// Whether failures of the seconds of `window` were too many to be kept one by one.
fn left_out(tables: &Tables, window: Range<Duration>) -> bool {
    let first = second_of(window.start);
    let end = u32::try_from(window.end.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
    let rows = tables.seconds.iter().filter(|row| (first..end).contains(&row.second));
    let counted: u64 = rows.map(|row| row.requests.not_ok()).sum();
    let before = |second| tables.hurts.partition_point(|hurt| second_of(hurt.due) < second);
    counted > before(end).saturating_sub(before(first)) as u64
}

fn second_of(moment: Duration) -> u32 {
    u32::try_from(moment.as_secs()).unwrap_or(u32::MAX)
}

/// What was usual before the first fault.
struct Band {
    /// Ok requests per journey due.
    ok_share: f64,
    /// The 99th percentile that nine of ten seconds stayed below.
    p99: Duration,
}

impl Band {
    /// `None` when there are too few seconds to know what is usual.
    fn of(usual: &[&Second]) -> Option<Self> {
        let mut p99s: Vec<Duration> = usual.iter().filter_map(|row| row.p99).collect();
        p99s.sort_unstable();
        let p99 = *p99s.get(p99s.len() * 9 / 10)?;
        let due = usual.iter().map(|row| row.due).sum();
        let ok = usual.iter().map(|row| row.requests.ok).sum();
        let ok_share = number::share(ok, due)?;
        (usual.len() >= BACK_IN_BAND_FOR).then_some(Self { ok_share, p99 })
    }

    /// The ok requests of a second are compared with what its own arrivals would have made, so
    /// that a changing load is no disturbance. Three standard deviations of a Poisson count are
    /// allowed besides.
    fn holds(&self, row: &Second, calm: &BTreeSet<u32>) -> bool {
        let expected = self.ok_share * number::float(row.due);
        let least = BAND_OK * expected - 3.0 * expected.sqrt();
        let fast = row.p99.is_some_and(|p99| p99 <= self.p99.mul_f64(BAND_P99));
        number::float(row.requests.ok) >= least && calm.contains(&row.second) && fast
    }

    /// When the first of `BACK_IN_BAND_FOR` good seconds in a row begins.
    fn back(
        &self,
        tables: &Tables,
        calm: &BTreeSet<u32>,
        window: Range<Duration>,
    ) -> Option<Duration> {
        let begin = |row: &Second| Duration::from_secs(u64::from(row.second));
        let rows = tables.seconds.iter().filter(|row| {
            begin(row) + Duration::from_secs(1) > window.start
                && begin(row) + Duration::from_secs(1) <= window.end
        });
        let rows: Vec<&Second> = rows.filter(|row| row.due > 0).collect();
        let good = |rows: &&[&Second]| rows.iter().all(|row| self.holds(row, calm));
        let found = rows.windows(BACK_IN_BAND_FOR).find(good)?;
        Some(begin(found[0]).max(window.start))
    }
}
