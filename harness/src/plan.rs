//! The plan: a scenario with names bound and everything checked. Pure.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rehearsal_chaos::fault::Fault;
use rehearsal_chaos::selector::Selector;
use rehearsal_reports::objective::Objective;
use rehearsal_reports::run::{Phase, Series};

use crate::data::Table;
use crate::duration;
use crate::load::Executor;
use crate::problem::{Problem, Problems, did_you_mean, or_list};
use crate::scenario::{EngineWritten, FaultWritten, Read, SystemWritten, Timeouts};
use crate::script::{self, Journeys, Script, SecretNamed};
use crate::secret::Secrets;
use crate::seed::derived;
use crate::target::{self, Endpoint};
use crate::transport::{Transport, TransportWritten};
use crate::yaml::Seg;

pub mod profile;

use profile::{Drive, Profile, Users};

/// A scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is rehearsed.
    pub name: String,
    /// Where every random choice comes from.
    pub seed: u64,
    /// The system, as written; paths are resolved.
    pub system: SystemWritten,
    /// Where the load goes; `None` for the embedded testbed, which is yet to be started.
    pub target: Option<Endpoint>,
    /// The phases, from the epoch on.
    pub phases: Vec<Phase>,
    /// The load profiles.
    pub profiles: Vec<Profile>,
    /// Who lets users begin.
    pub engine: EngineWritten,
    /// The journeys.
    pub scripts: Vec<Script>,
    /// The series that they feed.
    pub series: Vec<Series>,
    /// The data that they draw from.
    pub tables: Vec<Arc<Table>>,
    /// The secrets that they send; their values are read when the run begins.
    pub secrets: Vec<SecretNamed>,
    /// How many users there are, and whose.
    pub users: Users,
    /// Time limits of every request.
    pub timeouts: Timeouts,
    /// How requests travel.
    pub transport: Transport,
    /// The prober.
    pub prober: ProberPlan,
    /// The faults, in order of their time.
    pub strikes: Vec<Strike>,
    /// What must hold.
    pub objectives: Vec<Objective>,
}

/// The prober's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ProberPlan {
    /// The path to ask.
    pub path: String,
    /// The time between two probes.
    pub period: Duration,
    /// How long a probe waits.
    pub timeout: Duration,
    /// Services whose instances are probed one by one.
    pub instances: Vec<String>,
}

/// A fault and its time.
#[derive(Clone, Debug)]
pub struct Strike {
    /// Its name, where one is written.
    pub name: Option<String>,
    /// What is done.
    pub fault: Fault,
    /// To whom.
    pub on: Selector,
    /// The seed of the choice.
    pub seed: u64,
    /// When.
    pub begin: Duration,
    /// When it is undone; `None` for a fault that ends by itself.
    pub end: Option<Duration>,
    /// Whether it stands for planned work.
    pub planned: bool,
    /// Its place in the file.
    pub place: usize,
}

impl Plan {
    /// Checks and binds a scenario; tells all that is wrong with it.
    pub fn of(read: &Read, seed: u64) -> Result<Self, Problems> {
        let scenario = &read.scenario;
        let mut problems = read.problems.clone();
        let phases = phases(read, &mut problems);
        let length = phases.last().map_or(Duration::ZERO, |phase| phase.end);
        let journeys = script::compile(read).unwrap_or_else(|found| {
            problems.extend(found);
            Journeys::default()
        });
        let Journeys { scripts, series, tables, secrets } = journeys;
        let (profiles, users) = profile::resolve(read, length, seed, &mut problems);
        check_engine(read, &mut problems);
        let target = endpoint(read, &mut problems);
        let transport = transport(read, target.as_ref(), &mut problems);
        let prober = prober(read, &mut problems);
        let strikes = strikes(read, &phases, seed, &mut problems);
        check_objectives(read, &series, &mut problems);
        if !problems.is_empty() {
            return Err(Problems::new(&read.source, problems));
        }
        Ok(Self {
            name: scenario.name.clone(),
            seed,
            system: resolved(&scenario.system, read),
            target,
            phases,
            profiles,
            engine: scenario.engine,
            scripts,
            series,
            tables,
            secrets,
            users,
            timeouts: scenario.timeouts,
            transport,
            prober,
            strikes,
            objectives: scenario.objectives.clone(),
        })
    }

    /// The values of the secrets, from the environment.
    pub fn secrets(&self, read: &Read) -> Result<Secrets, Problems> {
        let names = self.secrets.iter().map(|secret| secret.name.as_str());
        Secrets::read(names, &|name| std::env::var(name).ok()).map_err(|errors| {
            let problems = errors.into_iter().filter_map(|error| {
                let secret = self.secrets.iter().find(|secret| secret.name == error.name())?;
                let expected = "the value is read from the environment when the run begins";
                let problem = Problem::new(secret.place.clone(), error.to_string(), expected);
                Some(
                    problem
                        .with_help(format!("`export {}=...` before `rehearsal run`", secret.name)),
                )
            });
            Problems::new(&read.source, problems.collect())
        })
    }

    /// Load threads that all have somebody to send: arrivals are dealt out to threads, and one
    /// without users would drop its own.
    #[must_use]
    pub fn most_threads(&self) -> usize {
        let open = self.profiles.iter().filter_map(|profile| match &profile.drive {
            Drive::Open(open) => Some(open.max_vus.min(self.users.drawn)),
            Drive::Closed(_) => None,
        });
        open.min().map_or(usize::MAX, |fewest| fewest.max(1) as usize)
    }

    /// How long the run is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.end)
    }
}

/// The system with its paths relative to where we are instead of to the file.
fn resolved(system: &SystemWritten, read: &Read) -> SystemWritten {
    let mut system = system.clone();
    system.compose = system.compose.map(|path| read.directory().join(path)).map(|path| {
        let joined: PathBuf = path.components().collect();
        joined
    });
    system
}

fn phases(read: &Read, problems: &mut Vec<Problem>) -> Vec<Phase> {
    let path = [Seg::from("phases")];
    if read.scenario.phases.is_empty() {
        let expected = "such as `{ warm-up: 10s, steady: 30s }`";
        problems.push(read.problem(&path, "a run needs a phase", expected));
    }
    let mut begin = Duration::ZERO;
    let mut phase = |(name, length): (&String, &crate::scenario::DurationWritten)| {
        if length.0.is_zero() {
            let path = [Seg::from("phases"), Seg::from(name.as_str())];
            problems.push(read.problem(&path, "a phase of no length", "longer than `0s`"));
        }
        let end = begin + length.0;
        let phase = Phase { name: name.clone(), begin, end };
        begin = end;
        phase
    };
    read.scenario.phases.iter().map(&mut phase).collect()
}

/// Whether `engine: goose` can do what it is asked for.
fn check_engine(read: &Read, problems: &mut Vec<Problem>) {
    if read.scenario.engine == EngineWritten::Native {
        return;
    }
    let path = [Seg::from("engine")];
    let mut complain = |message: &str, expected: &str| {
        problems.push(read.problem(&path, message, expected));
    };
    if cfg!(not(feature = "goose")) {
        complain(
            "this build has no goose",
            "`native`; or build with `cargo build --release --features goose`",
        );
    }
    if read.scenario.transport != TransportWritten::default() {
        complain("goose has its own connections", "no `transport` beside it");
    }
    if read.scenario.system.target.as_ref().is_some_and(|target| !target.starts_with("http://")) {
        complain("goose is only used over plain TCP here", "a target with `http`");
    }
    let loads = &read.scenario.load;
    if loads.len() != 1 {
        complain("goose runs one profile at a time", "one profile under `load`");
    }
    let known = |executor: &Executor| {
        matches!(
            executor,
            Executor::ConstantVus { .. }
                | Executor::RampingVus { .. }
                | Executor::PerVuIterations { .. }
        )
    };
    for load in loads.iter().filter(|load| !known(&load.executor)) {
        complain(
            &format!("goose does not know the executor `{}`", load.executor.word()),
            "`constant-vus`, `ramping-vus` or `per-vu-iterations`",
        );
    }
}

fn endpoint(read: &Read, problems: &mut Vec<Problem>) -> Option<Endpoint> {
    let system = &read.scenario.system;
    let path = |key: &str| [Seg::from("system"), Seg::from(key)];
    if system.embedded.is_some() {
        for (key, written) in
            [("target", system.target.is_some()), ("compose", system.compose.is_some())]
        {
            if written {
                let message = format!("`{key}` does not go with `embedded`");
                problems.push(read.problem(&path(key), message, "leave one of the two out"));
            }
        }
        return None;
    }
    let Some(written) = &system.target else {
        let problem =
            read.problem(&path("target"), "`target` is missing", "where does the load go?");
        problems.push(problem.with_help("write `target: http://127.0.0.1:8080`, or `embedded: {}` for the testbed that comes with rehearsal"));
        return None;
    };
    match written.parse() {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            let problem = read.problem(&path("target"), error, "such as `http://127.0.0.1:8080`");
            problems.push(problem);
            None
        }
    }
}

/// How requests travel, as far as it goes with the target.
fn transport(read: &Read, endpoint: Option<&Endpoint>, problems: &mut Vec<Problem>) -> Transport {
    let resolved = Transport::of(&read.scenario.transport, &read.directory());
    // The embedded testbed is yet to be started, but how it is spoken to is known.
    let embedded = read.scenario.system.embedded.as_ref().map(|_| Endpoint::http("127.0.0.1", 0));
    let misfits = match (&resolved, endpoint.or(embedded.as_ref())) {
        (Ok(transport), Some(endpoint)) => target::misfits(endpoint, transport),
        (Ok(_), None) => Vec::new(),
        (Err(misfits), _) => misfits.clone(),
    };
    problems.extend(misfits.into_iter().map(|misfit| {
        let keys = ["transport"].into_iter().chain(misfit.key);
        let path: Vec<Seg> = keys.map(Seg::from).collect();
        read.problem(&path, misfit.message, misfit.expected)
    }));
    resolved.unwrap_or_default()
}

fn prober(read: &Read, problems: &mut Vec<Problem>) -> ProberPlan {
    let written = &read.scenario.prober;
    let path = |key: &str| [Seg::from("prober"), Seg::from(key)];
    let rate = written.rate.per_second(Duration::from_secs(1));
    if rate <= 0.0 || rate > 1000.0 {
        problems.push(read.problem(
            &path("rate"),
            "a rate that cannot be",
            "above 0, up to 1000/s",
        ));
    }
    if written.timeout.is_zero() {
        problems.push(read.problem(&path("timeout"), "a time limit of nothing", "such as `500ms`"));
    }
    if !written.path.starts_with('/') {
        problems.push(read.problem(&path("path"), "not a path", "a path that begins with `/`"));
    }
    ProberPlan {
        path: written.path.clone(),
        period: Duration::from_secs_f64(1.0 / rate.clamp(0.001, 1000.0)),
        timeout: written.timeout,
        instances: written.instances.clone(),
    }
}

fn strikes(read: &Read, phases: &[Phase], seed: u64, problems: &mut Vec<Problem>) -> Vec<Strike> {
    let system = &read.scenario.system;
    let mut strikes = Vec::new();
    for (place, written) in read.scenario.faults.iter().enumerate() {
        let path = [Seg::from("faults"), Seg::Index(place)];
        if system.embedded.is_none() && system.compose.is_none() {
            let message = "a bare target cannot be broken";
            let expected = "needs `system.compose` or `system.embedded`";
            problems.push(read.problem(&path, message, expected));
        }
        if written.lasting.is_some() && !written.fault.has_undo() {
            let path = [Seg::from("faults"), Seg::Index(place), Seg::from("for")];
            let message = format!("a {} ends by itself", written.fault);
            problems.push(read.problem(&path, message, "leave `for` out"));
        }
        match span(written, phases) {
            Ok((begin, end)) => strikes.push(Strike {
                name: written.name.clone(),
                fault: written.fault.clone(),
                on: written.on.clone(),
                seed: derived(seed, "fault", place),
                begin,
                end: written.fault.has_undo().then_some(end),
                planned: written.planned,
                place,
            }),
            Err((key, message, expected)) => {
                let path = [Seg::from("faults"), Seg::Index(place), Seg::from(key)];
                let mut problem = read.problem(&path, message, expected);
                if let (Some(phase), "during") = (&written.during, key) {
                    problem.help =
                        did_you_mean(phase, phases.iter().map(|phase| phase.name.as_str()));
                }
                problems.push(problem);
            }
        }
    }
    strikes.sort_by_key(|strike| strike.begin);
    strikes
}

/// Begin and end of a fault; or which key is wrong, why, and what was expected.
fn span(
    written: &FaultWritten,
    phases: &[Phase],
) -> Result<(Duration, Duration), (&'static str, String, String)> {
    let length = phases.last().map_or(Duration::ZERO, |phase| phase.end);
    let (begin, end) = match (&written.during, written.at) {
        (Some(name), None) => {
            let known = phases.iter().find(|phase| phase.name == *name).ok_or_else(|| {
                let names = or_list(phases.iter().map(|phase| phase.name.as_str()));
                (
                    "during",
                    format!("unknown phase `{name}`"),
                    format!("phases of this file: {names}"),
                )
            })?;
            (known.begin, known.end)
        }
        (None, Some(at)) => (at, length),
        _ => {
            let message = "a fault has one time".to_owned();
            return Err(("do", message, "either `during: PHASE` or `at: OFFSET`".to_owned()));
        }
    };
    if begin >= length && !length.is_zero() {
        let expected = format!("before {}, the end of the last phase", duration::show(length));
        return Err(("at", "the fault would begin after the run".to_owned(), expected));
    }
    let end = match written.lasting {
        None => end,
        Some(lasting) if begin + lasting <= length => begin + lasting,
        Some(_) => {
            let expected =
                format!("undone by {}, the end of the last phase", duration::show(length));
            return Err(("for", "the fault would outlast the run".to_owned(), expected));
        }
    };
    Ok((begin, end))
}

fn check_objectives(read: &Read, series: &[Series], problems: &mut Vec<Problem>) {
    let scenario = &read.scenario;
    let phases: Vec<&str> = scenario.phases.keys().map(String::as_str).collect();
    for (place, objective) in scenario.objectives.iter().enumerate() {
        if let Err(error) = objective.check_names(&phases, series) {
            let path = [Seg::from("objectives"), Seg::Index(place)];
            problems.push(read.problem(&path, error.to_string(), "this objective matches nothing"));
        }
    }
}
