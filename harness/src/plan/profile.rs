//! Load profiles, resolved: when each begins and ends, which journeys it makes, how many users it
//! needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::duration;
use crate::load::arrivals::{Arrivals, Leg, Line};
use crate::load::levels::Levels;
use crate::load::mix::Mix;
use crate::load::{Executor, GRACEFUL_STOP, JourneysWritten, LoadWritten, Spacing};
use crate::problem::{Problem, did_you_mean, or_list};
use crate::scenario::Read;
use crate::seed::derived;
use crate::yaml::Seg;

mod replay;

/// Users at most when nothing says how many: each may hold a connection of its own.
const USERS_LIMIT: f64 = 10_000.0;

/// Users at least when nothing says how many: a rate below one a second still has somebody for each
/// load thread.
const FEWEST: f64 = 16.0;

/// Users for whom descriptors are not asked for: files, sockets of the prober, timers.
const OTHER_DESCRIPTORS: u64 = 200;

/// A load profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// How users come.
    pub drive: Drive,
    /// Which journeys they make.
    pub mix: Mix,
    /// When it begins and ends.
    pub span: Range<Duration>,
    /// How long iterations on their way may go on after its end.
    pub graceful_stop: Duration,
    /// The seed of spacing and choices.
    pub seed: u64,
    /// The profile as a sentence.
    pub words: String,
}

/// How users come.
#[derive(Clone, Debug)]
pub enum Drive {
    /// When they are due, whatever the system does.
    Open(Open),
    /// Each again as soon as it is done.
    Closed(Closed),
}

/// An open model.
#[derive(Clone, Debug)]
pub struct Open {
    /// Where due times come from.
    pub source: DueTimes,
    /// Journeys on their way at once at most.
    pub max_vus: u32,
    /// Users made beforehand.
    pub pre_allocated: u32,
}

/// Where due times come from.
#[derive(Clone, Debug)]
pub enum DueTimes {
    /// The rate, and how arrivals are spaced.
    Rate(Line, Spacing),
    /// A record: offsets from the epoch, in order, and the journey of each where it was recorded.
    Record(Arc<[Duration]>, Option<Arc<[usize]>>),
}

/// A closed model.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The number of users over time.
    pub levels: Levels,
    /// The number of its first user; the others follow.
    pub first_user: u32,
    /// The least time from one begin of a user's journey to the next.
    pub pacing: Duration,
    /// How many journeys it makes at most.
    pub iterations: Iterations,
    /// How long the journey of a user who is to leave may go on.
    pub graceful_ramp_down: Duration,
}

/// How many journeys a closed model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iterations {
    /// As many as the time allows.
    Endless,
    /// So many for each user.
    Each(u64),
    /// So many for all users together.
    Shared(u64),
}

/// Whose the users are: those of closed models come first, each bound to its profile; the others
/// are drawn by arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Users of closed models.
    pub bound: u32,
    /// Users that arrivals draw from.
    pub drawn: u32,
    /// Whether their number was written: then all of them are used, one after the other; else no
    /// more than are needed.
    pub written: bool,
}

impl Users {
    /// All of them.
    #[must_use]
    pub fn count(self) -> u32 {
        self.bound + self.drawn
    }
}

impl Open {
    /// The due times of thread `place` of `of`.
    #[must_use]
    pub fn arrivals(&self, seed: u64, (place, of): (usize, usize)) -> Arrivals {
        let all = match &self.source {
            DueTimes::Rate(line, spacing) => Arrivals::on(line.clone(), *spacing, seed),
            DueTimes::Record(offsets, _) => Arrivals::recorded(Arc::clone(offsets)),
        };
        all.share(place, of)
    }
}

impl Profile {
    /// The journey that user `user` of a closed model makes as its own `number`th.
    #[must_use]
    pub fn journey_of(&self, user: u64, number: u64) -> usize {
        self.mix.pick_of(user, number, self.seed)
    }

    /// The journey of arrival or iteration `number`.
    #[must_use]
    pub fn journey(&self, number: u64) -> usize {
        if let Drive::Open(Open { source: DueTimes::Record(_, Some(journeys)), .. }) = &self.drive
            && let Some(place) = usize::try_from(number).ok().and_then(|it| journeys.get(it))
        {
            return *place;
        }
        self.mix.pick(number, self.seed)
    }
}

/// The profiles of the scenario, and the users that they need.
pub(super) fn resolve(
    read: &Read,
    length: Duration,
    seed: u64,
    problems: &mut Vec<Problem>,
) -> (Vec<Profile>, Users) {
    let spans = spans(read, length, problems);
    let mut resolver = Resolver { read, length, problems, bound: 0, most_drawn: 0 };
    let loads = read.scenario.load.iter().enumerate().zip(spans);
    let profiles = loads.filter_map(|((place, load), span)| {
        resolver.profile(place, load, span, derived(seed, "load", place))
    });
    let profiles: Vec<Profile> = profiles.collect();
    let (bound, most_drawn) = (resolver.bound, resolver.most_drawn);
    (profiles, users(read, bound, most_drawn, problems))
}

fn users(read: &Read, bound: u32, most_drawn: u32, problems: &mut Vec<Problem>) -> Users {
    let Some(written) = read.scenario.users else {
        return Users { bound, drawn: most_drawn, written: false };
    };
    let needed = bound + u32::from(most_drawn > 0);
    if written < needed {
        let message = format!("{written} users are not enough for the VUs of the closed profiles");
        let expected = format!("{needed} or more");
        problems.push(read.problem(&[Seg::from("users")], message, expected));
    }
    let drawn = if most_drawn == 0 { 0 } else { written.saturating_sub(bound) };
    Users { bound, drawn, written: true }
}

/// When each profile begins and ends.
fn spans(read: &Read, length: Duration, problems: &mut Vec<Problem>) -> Vec<Range<Duration>> {
    let loads = &read.scenario.load;
    let mut ends: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut spans = Vec::new();
    let waited_for = |name: &str| loads.iter().any(|it| it.start_after.as_deref() == Some(name));
    for (place, load) in loads.iter().enumerate() {
        let path = |key: &str| [Seg::from("load"), Seg::Index(place), Seg::from(key)];
        let after = match &load.start_after {
            None => Duration::ZERO,
            Some(name) => ends.get(name.as_str()).copied().unwrap_or_else(|| {
                problems.push(unknown_profile(read, &path("startAfter"), name, ends.keys()));
                Duration::ZERO
            }),
        };
        let begin = after + load.start_time.unwrap_or_default();
        if begin >= length && !length.is_zero() {
            let key = if load.start_time.is_some() { "startTime" } else { "startAfter" };
            let message = "the profile would begin after the run";
            let expected = format!("before {}, the end of the last phase", duration::show(length));
            problems.push(read.problem(&path(key), message, expected));
        }
        let whole = length.saturating_sub(begin);
        let own = load.executor.length();
        let end = begin + own.map_or(whole, |(_, own)| own);
        if let Some((key, own)) = own {
            let (shown, whole) = (duration::show(own), duration::show(whole));
            let fixed = key == "stages" && begin.is_zero() && !waited_for(load.name());
            if end > length || (fixed && end != length) {
                let verb = if key == "stages" { "the stages last" } else { "the profile lasts" };
                let message = format!("{verb} {shown} and the phases {whole}");
                let expected =
                    if fixed { format!("{whole} in all") } else { format!("up to {whole}") };
                let problem = read.problem(&path(key), message, expected);
                problems.push(problem.with_help("phases rule the length; make the two agree"));
            }
        }
        if ends.insert(load.name(), end).is_some() && waited_for(load.name()) {
            let message = format!("two profiles are called `{}`", load.name());
            let problem = read.problem(&path("executor"), message, "one of the two");
            problems.push(problem.with_help("give each a `name:` of its own"));
        }
        spans.push(begin..end.min(length));
    }
    spans
}

fn unknown_profile<'a>(
    read: &Read,
    path: &[Seg],
    name: &str,
    known: impl Iterator<Item = &'a &'a str> + Clone,
) -> Problem {
    let known = known.copied();
    let message = format!("no profile before this one is called `{name}`");
    let expected = format!("profiles before it: {}", or_list(known.clone()));
    let mut problem = read.problem(path, message, expected);
    problem.help = did_you_mean(name, known);
    problem
}

struct Resolver<'a> {
    read: &'a Read,
    length: Duration,
    problems: &'a mut Vec<Problem>,
    bound: u32,
    most_drawn: u32,
}

impl Resolver<'_> {
    fn complain(&mut self, path: &[Seg], message: &str, expected: &str) {
        self.problems.push(self.read.problem(path, message, expected));
    }

    fn profile(
        &mut self,
        place: usize,
        load: &LoadWritten,
        span: Range<Duration>,
        seed: u64,
    ) -> Option<Profile> {
        let path = [Seg::from("load"), Seg::Index(place)];
        let mix = self.mix(load, &path)?;
        let drive = match &load.executor {
            Executor::ConstantArrivalRate { .. }
            | Executor::RampingArrivalRate { .. }
            | Executor::Replay { .. } => Drive::Open(self.open(&load.executor, &span, &path)?),
            closed => Drive::Closed(self.closed(closed, &span, &path)),
        };
        let words = words(self.read, load, &span, self.length);
        let graceful_stop = load.graceful_stop.unwrap_or(GRACEFUL_STOP);
        Some(Profile { name: load.name().to_owned(), drive, mix, span, graceful_stop, seed, words })
    }

    fn mix(&mut self, load: &LoadWritten, path: &[Seg]) -> Option<Mix> {
        match (&load.journey, &load.journeys) {
            (Some(name), None) => {
                Some(Mix::InTurn(vec![self.journey(name, &with(path, "journey"))?]))
            }
            (None, Some(JourneysWritten::InTurn(names))) if !names.is_empty() => {
                let path = with(path, "journeys");
                let places = names.iter().enumerate().map(|(i, name)| {
                    self.journey(name, &[path.as_slice(), &[Seg::Index(i)]].concat())
                });
                Some(Mix::InTurn(places.collect::<Option<_>>()?))
            }
            (None, Some(JourneysWritten::Weighted(weights))) if !weights.is_empty() => {
                let path = with(path, "journeys");
                let places = weights.iter().map(|(name, weight)| {
                    let path = with(&path, name);
                    if !(weight.is_finite() && *weight > 0.0) {
                        self.complain(&path, "a weight that cannot be", "a number above 0");
                        return None;
                    }
                    Some((self.journey(name, &path)?, *weight))
                });
                Some(Mix::weighted(&places.collect::<Option<Vec<_>>>()?))
            }
            _ => {
                let expected = "either `journey: NAME` or `journeys:` with at least one";
                self.complain(path, "a profile needs to know what its users do", expected);
                None
            }
        }
    }

    fn journey(&mut self, name: &str, path: &[Seg]) -> Option<usize> {
        let journeys = &self.read.scenario.journeys;
        let place = journeys.get_index_of(name);
        if place.is_none() {
            let known = journeys.keys().map(String::as_str);
            let message = format!("unknown journey `{name}`");
            let expected = format!("journeys of this file: {}", or_list(known.clone()));
            let mut problem = self.read.problem(path, message, expected);
            problem.help = did_you_mean(name, known);
            self.problems.push(problem);
        }
        place
    }

    fn open(&mut self, executor: &Executor, span: &Range<Duration>, path: &[Seg]) -> Option<Open> {
        let (source, rate) = if let Executor::Replay { file, speed, .. } = executor {
            let speed = speed.unwrap_or(1.0);
            if !(speed.is_finite() && speed > 0.0) {
                self.complain(&with(path, "speed"), "a speed that cannot be", "above 0");
                return None;
            }
            let journeys = &self.read.scenario.journeys;
            let place = |name: &str| journeys.get_index_of(name);
            let record = replay::read(&self.read.directory().join(file), (speed, span), &place);
            match record {
                Ok(record) => (record, f64::INFINITY),
                Err(error) => {
                    let expected = "a file of recorded arrival times";
                    self.complain(&with(path, "file"), &error.to_string(), expected);
                    return None;
                }
            }
        } else {
            let legs = executor.legs(span.end.saturating_sub(span.start));
            let line = Line::new(span.start, &legs);
            if line.arrivals() < 1.0 && !self.length.is_zero() {
                let key = if legs.len() == 1 { "rate" } else { "stages" };
                let message = "nobody ever arrives at this rate";
                let expected = "at least one arrival in the run";
                let problem = self.read.problem(&with(path, key), message, expected);
                let help = "leave the profile out for a run without load";
                self.problems.push(problem.with_help(help));
            }
            let peak = legs.iter().flat_map(|leg| [leg.from, leg.to]).fold(0.0, f64::max);
            (DueTimes::Rate(line, spacing(executor)), peak)
        };
        if executor.max_vus() == Some(0) {
            self.complain(&with(path, "maxVUs"), "no journey could ever begin", "1 or more");
        }
        let needed = rate * self.read.scenario.timeouts.total.as_secs_f64();
        let max_vus = executor.max_vus().unwrap_or_else(|| default_max_vus(needed));
        self.most_drawn += max_vus;
        let pre_allocated = executor.pre_allocated_vus().unwrap_or(0).min(max_vus);
        Some(Open { source, max_vus, pre_allocated })
    }

    fn closed(&mut self, executor: &Executor, span: &Range<Duration>, path: &[Seg]) -> Closed {
        let (vus, iterations) = match executor {
            Executor::PerVuIterations { vus, iterations, .. } => {
                (*vus, Iterations::Each(iterations.unwrap_or(1)))
            }
            Executor::SharedIterations { vus, iterations, .. } => {
                (*vus, Iterations::Shared(iterations.unwrap_or(1)))
            }
            Executor::ConstantVus { vus, .. } => (*vus, Iterations::Endless),
            _ => (None, Iterations::Endless),
        };
        let mut graceful_ramp_down = GRACEFUL_STOP;
        let levels = match executor {
            Executor::RampingVus { start_vus, stages, graceful_ramp_down: written, .. } => {
                graceful_ramp_down = written.unwrap_or(GRACEFUL_STOP);
                Levels::ramping(*start_vus, stages, span.start)
            }
            _ => Levels::constant(vus.unwrap_or(1), span.clone()),
        };
        let key = if matches!(executor, Executor::RampingVus { .. }) { "stages" } else { "vus" };
        if levels.most() == 0 {
            self.complain(&with(path, key), "nobody ever comes", "1 user or more");
        }
        if matches!(iterations, Iterations::Each(0) | Iterations::Shared(0)) {
            self.complain(&with(path, "iterations"), "no journey is ever made", "1 or more");
        }
        let first_user = self.bound;
        self.bound += levels.most();
        let pacing = executor.pacing().unwrap_or_default();
        Closed { levels, first_user, pacing, iterations, graceful_ramp_down }
    }
}

fn with(path: &[Seg], key: &str) -> Vec<Seg> {
    path.iter().cloned().chain([Seg::from(key)]).collect()
}

fn spacing(executor: &Executor) -> Spacing {
    match executor {
        Executor::ConstantArrivalRate { arrival, .. }
        | Executor::RampingArrivalRate { arrival, .. } => *arrival,
        _ => Spacing::Uniform,
    }
}

/// As many as may be on their way when the system answers nothing, as far as descriptors go.
fn default_max_vus(needed: f64) -> u32 {
    let limits = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let descriptors = limits.map_or(1024, |(soft, _)| soft).saturating_sub(OTHER_DESCRIPTORS);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53, or cut off by the limit")]
    let most = (descriptors as f64).min(USERS_LIMIT);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 16 ..= 10,000"
    )]
    let vus = needed.ceil().clamp(FEWEST, most.max(FEWEST)) as u32;
    vus
}

fn words(read: &Read, load: &LoadWritten, span: &Range<Duration>, length: Duration) -> String {
    let journeys = match (&load.journey, &load.journeys) {
        (Some(name), _) => name.clone(),
        (None, Some(JourneysWritten::InTurn(names))) => format!("{} in turn", names.join(", ")),
        (None, Some(JourneysWritten::Weighted(weights))) => {
            let parts = weights.iter().map(|(name, weight)| format!("{name} x {weight}"));
            parts.collect::<Vec<_>>().join(", ")
        }
        (None, None) => String::new(),
    };
    let mut words = format!("{journeys}: {}", executor_words(read, &load.executor));
    if *span != (Duration::ZERO..length) {
        let (from, to) = (duration::show(span.start), duration::show(span.end));
        write!(words, ", from {from} to {to}").unwrap_or_default();
    }
    words
}

fn executor_words(read: &Read, executor: &Executor) -> String {
    let name = executor.word();
    let pace = executor.pacing().map(|pacing| format!(", one in {}", duration::show(pacing)));
    let pace = pace.unwrap_or_default();
    match executor {
        Executor::ConstantArrivalRate { .. } | Executor::RampingArrivalRate { .. } => {
            let spacing = match spacing(executor) {
                Spacing::Uniform => "evenly spaced",
                Spacing::Poisson => "Poisson arrivals",
            };
            format!("{name} {}, {spacing}", rates(&executor.legs(Duration::from_secs(1))))
        }
        Executor::Replay { file, speed, .. } => {
            let speed = speed.map(|speed| format!(", {speed} times as fast")).unwrap_or_default();
            format!("{name} of {}{speed}", read.directory().join(file).display())
        }
        Executor::ConstantVus { vus, .. } => format!("{name} {}{pace}", vus.unwrap_or(1)),
        Executor::RampingVus { start_vus, stages, .. } => {
            let stages = stages.iter();
            let stages =
                stages.map(|it| format!("{} in {}", it.target, duration::show(it.duration)));
            let stages: Vec<String> = stages.collect();
            format!("{name} from {start_vus} to {}{pace}", stages.join(", to "))
        }
        Executor::PerVuIterations { vus, iterations, .. } => {
            format!("{name} {} x {}{pace}", vus.unwrap_or(1), iterations.unwrap_or(1))
        }
        Executor::SharedIterations { vus, iterations, .. } => {
            let (vus, iterations) = (vus.unwrap_or(1), iterations.unwrap_or(1));
            format!("{name} {iterations} by {vus}{pace}")
        }
    }
}

fn rates(legs: &[Leg]) -> String {
    match legs {
        [one] if (one.from - one.to).abs() < f64::EPSILON => format!("{}/s", one.from),
        legs => {
            let first = legs.first().map_or(0.0, |leg| leg.from);
            let stages =
                legs.iter().map(|leg| format!("{}/s in {}", leg.to, duration::show(leg.length)));
            let stages: Vec<String> = stages.collect();
            format!("from {first}/s to {}", stages.join(", to "))
        }
    }
}
