//! Conducts a run: engine, prober and nemesis over the phases, and the record of it all.
//!
//! Whatever happens on the way, what was broken is healed before the journal is closed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rehearsal_chaos::heal::End;
use rehearsal_chaos::instance::Instance;
use rehearsal_chaos::platform::Platform;
use rehearsal_chaos::recover::heal_pending;
use rehearsal_chaos::undo_log::{UndoLog, UndoLogError};
use rehearsal_reports::event::What;
use rehearsal_reports::journal::{JournalError, JournalWriter};
use rehearsal_reports::run::{self, Machine, Phase, ProbeTarget, Prober, Run, SCHEMA};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::data::Dealt;
use crate::engine::{self, Engine};
use crate::gauges;
use crate::live::Watcher;
use crate::nemesis::Nemesis;
use crate::plan::Plan;
use crate::prober;
use crate::progress::Progress;
use crate::scribe::{self, Letter, Post, Scribe};
use crate::secret::Secrets;
use crate::stop::{Reason, Stop, Stopper};
use crate::target::Endpoint;
use crate::timeline::{Blow, Timeline};

/// The file of the undo log inside a run directory.
pub const UNDO_FILE: &str = "undo.jsonl";

/// Time to make threads and connections ready before the epoch.
const AHEAD: Duration = Duration::from_millis(300);

/// Time between two looks at whether the load threads are still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a run is made of.
#[derive(Debug)]
pub struct Stage<'a, P> {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The values of its secrets.
    pub secrets: Arc<Secrets>,
    /// Its timeline, bound to instances.
    pub timeline: Timeline<'a>,
    /// The run's id.
    pub id: String,
    /// The run directory.
    pub directory: &'a Path,
    /// Where the instances run; `None` for a bare target.
    pub platform: Option<Arc<P>>,
    /// The instances.
    pub instances: Vec<Instance>,
    /// Where the load goes.
    pub endpoint: Endpoint,
    /// What is known of the run besides the plan.
    pub papers: Papers,
}

/// What the record tells of a run besides its plan.
#[derive(Clone, Debug)]
pub struct Papers {
    /// Why the target is believed to be the system meant.
    pub identity: Option<String>,
    /// The command line.
    pub command: Vec<String>,
    /// The scenario file's path.
    pub scenario_file: String,
    /// The scenario file's text.
    pub scenario: String,
    /// The engine in words.
    pub engine: Option<String>,
    /// Sentences for the record.
    pub notes: Vec<String>,
}

/// Why a run could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    /// The journal.
    #[error("{0}; the run was stopped for it. Make room, or name another directory with --out")]
    Journal(#[from] JournalError),
    /// The undo log.
    #[error(transparent)]
    Undo(#[from] UndoLogError),
    /// A thread of ours.
    #[error("the generator failed: {0}")]
    Generator(String),
}

/// The undo log of a run on `platform`.
pub fn open_undo_log<P: Platform>(
    platform: &P,
    directory: &Path,
    id: &str,
) -> Result<UndoLog, UndoLogError> {
    UndoLog::create(&directory.join(UNDO_FILE), id, platform.anchor())
}

/// The threads and tasks of a run.
struct Cast {
    clock: Clock,
    post: Post,
    stop: Stop,
    engine: Engine,
    prober: std::thread::JoinHandle<std::io::Result<()>>,
}

/// Conducts the run of `stage`; `log` is where faults are written down, if there are any.
pub async fn conduct<P: Platform>(
    stage: &Stage<'_, P>,
    log: Option<&UndoLog>,
    (stopper, stop): (&Stopper, &Stop),
    progress: &Progress,
) -> Result<(), ConductError> {
    let clock = Clock::starting_in(AHEAD);
    let run = record_of(stage, clock);
    let journal = JournalWriter::create(stage.directory, &run)?;
    let steps = run.series.iter().map(|series| series.step.is_some()).collect();
    let names = run.faults.iter().map(|fault| fault.name.clone()).collect();
    let watcher = Watcher::new(steps, names);
    let (scribe, post, live) = Scribe::start(journal, watcher, clock, stopper.clone());
    for text in &stage.papers.notes {
        post.event(Duration::ZERO, What::Note { text: text.clone() });
    }
    let follow = progress.follow(live, &run.phases);
    let acts = async {
        let end = act(stage, &run, log, (clock, &post, stopper, stop)).await;
        let written = finish(scribe, post, end.as_ref().ok().cloned()).await;
        end.map(drop).and(written.map_err(ConductError::from))
    };
    tokio::join!(acts, follow).0
}

/// Closes the journal; without an `end` it shows that the run was cut off.
async fn finish(
    scribe: Scribe,
    post: Post,
    end: Option<rehearsal_reports::record::End>,
) -> Result<(), JournalError> {
    let written = tokio::task::spawn_blocking(move || {
        if let Some(end) = end {
            post.send(Letter::End(end));
        }
        drop(post);
        scribe.finish()
    });
    written.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

async fn act<P: Platform>(
    stage: &Stage<'_, P>,
    run: &Run,
    log: Option<&UndoLog>,
    (clock, post, stopper, stop): (Clock, &Post, &Stopper, &Stop),
) -> Result<rehearsal_reports::record::End, ConductError> {
    let (addresses, targets) = watch::channel(addresses(stage, &stage.instances));
    let cpu_before = gauges::usage().0;
    let cast = start(stage, targets, (clock, post, stop));
    let mut tasks = JoinSet::new();
    tasks.spawn(tell_phases(run.phases.clone(), clock, post.clone(), stop.clone()));
    if let Some(platform) = &stage.platform {
        let names = stage.instances.clone();
        let services = stage.plan.prober.instances.clone();
        let tell = Tell { clock, post: post.clone(), names, services, addresses };
        tasks.spawn(tell_changes(Arc::clone(platform), tell));
    }
    let nemesis = stage.platform.as_ref().zip(log).map(|(platform, log)| Nemesis {
        platform: Arc::clone(platform),
        log: log.clone(),
        clock,
        post: post.clone(),
        stop: stop.clone(),
        in_flight: cast.engine.in_flight(),
    });
    let blows: Vec<Blow> = stage.timeline.blows.clone();
    let faults = async {
        if let Some(nemesis) = &nemesis {
            nemesis.work(blows).await;
            heal_the_rest(nemesis, run).await;
        }
    };
    // Healing may go on for long after the load; the CPU told is that of the load.
    let load = async {
        let ended = drive(cast, stage.plan.length(), stopper).await;
        (ended, gauges::usage().0.saturating_sub(cpu_before))
    };
    let ((load, cpu), ()) = tokio::join!(load, faults);
    tasks.shutdown().await;
    let account = load?;
    let interrupted = matches!(stop.reason(), Some(Reason::Signal(_)));
    if let Some(Reason::Signal(signal)) = stop.reason() {
        post.event(clock.now(), What::Interrupted { signal: signal.to_owned() });
    }
    Ok(scribe::end(clock.now(), interrupted, account.failures_left_out, cpu))
}

fn start<P>(
    stage: &Stage<'_, P>,
    targets: prober::Targets,
    (clock, post, stop): (Clock, &Post, &Stop),
) -> Cast {
    let engine = Engine::start(&engine::Brief {
        plan: Arc::clone(&stage.plan),
        endpoint: stage.endpoint.clone(),
        run: stage.id.clone(),
        secrets: Arc::clone(&stage.secrets),
        dealt: Arc::new(Dealt::new(stage.plan.tables.len())),
        clock,
        post: post.clone(),
        stop: stop.clone(),
    });
    let prober = prober::start(prober::Brief {
        plan: stage.plan.prober.clone(),
        transport: stage.plan.transport.clone(),
        length: stage.plan.length(),
        targets,
        clock,
        post: post.clone(),
        stop: stop.clone(),
    });
    Cast { clock, post: post.clone(), stop: stop.clone(), engine, prober }
}

/// Waits for load and prober to end.
async fn drive(
    cast: Cast,
    length: Duration,
    stopper: &Stopper,
) -> Result<engine::Account, ConductError> {
    let Cast { clock, post, mut stop, engine, prober } = cast;
    let over = async {
        while !clock.ahead(length).is_zero() {
            if engine.has_ended() {
                // Nothing more is broken for a load that is no longer there.
                stopper.stop(Reason::Generator);
            }
            tokio::time::sleep(clock.ahead(length).min(LOOK_EVERY)).await;
        }
    };
    tokio::select! {
        () = over => {}
        () = stop.asked() => {}
    }
    post.event(clock.now().min(length), What::LoadEnded);
    let ended = tokio::task::spawn_blocking(move || (engine.finish(), prober.join()));
    let (account, probed) =
        ended.await.map_err(|error| ConductError::Generator(error.to_string()))?;
    let probed = probed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    probed.map_err(|error| ConductError::Generator(format!("the prober: {error}")))?;
    match account.broken {
        Some(reason) => Err(ConductError::Generator(reason)),
        None => Ok(account),
    }
}

/// What no task has healed (one may have failed itself) is healed from the undo log.
async fn heal_the_rest<P: Platform>(nemesis: &Nemesis<P>, run: &Run) {
    let pending = nemesis.log.pending();
    if pending.is_empty() {
        return;
    }
    let recovered = heal_pending(&*nemesis.platform, &nemesis.log).await;
    for (act, healed) in recovered.healed {
        let intent = pending.iter().find(|intent| intent.act == act);
        let fault = intent.map_or(0, |intent| intent.fault).min(run.faults.len());
        let instance = intent.map_or_else(|| act.clone(), |intent| intent.instance.clone());
        let what = match healed.end {
            End::Restored => What::Restored { fault, instance },
            End::Gone => What::NotRestored { fault, instance, reason: "it is gone".to_owned() },
            End::NotRestored { reason } => What::NotRestored { fault, instance, reason },
        };
        nemesis.post.event(nemesis.clock.now(), what);
    }
}

async fn tell_phases(phases: Vec<Phase>, clock: Clock, post: Post, stop: Stop) {
    for phase in phases {
        tokio::time::sleep(clock.ahead(phase.begin)).await;
        if stop.reason().is_some() {
            return;
        }
        post.event(phase.begin, What::PhaseBegan { phase: phase.name });
    }
}

struct Tell {
    clock: Clock,
    post: Post,
    names: Vec<Instance>,
    services: Vec<String>,
    addresses: watch::Sender<Vec<Option<Endpoint>>>,
}

/// Tells what the platform says of the instances, and the prober where to find them again: an
/// ephemeral port changes with each start.
async fn tell_changes<P: Platform>(platform: Arc<P>, tell: Tell) {
    let Ok(mut changes) = platform.changes().await else {
        return tell.post.event(
            tell.clock.now(),
            What::Note { text: "the platform tells of no changes".to_owned() },
        );
    };
    while let Some(change) = changes.recv().await {
        let Some(one) = tell.names.iter().find(|one| one.id == change.id) else { continue };
        let action = match change.exit_code {
            Some(code) => format!("{}, exit code {code}", change.action),
            None => change.action.clone(),
        };
        let at = tell.clock.offset_of(change.at);
        tell.post.event(at, What::Platform { instance: one.name.clone(), action });
        if change.action == "start"
            && !tell.services.is_empty()
            && let Ok(instances) = platform.instances().await
        {
            let front = tell.addresses.borrow().first().cloned().flatten();
            tell.addresses.send_replace(all_addresses(front, &tell.services, &instances));
        }
    }
}

fn addresses<P>(stage: &Stage<'_, P>, instances: &[Instance]) -> Vec<Option<Endpoint>> {
    all_addresses(Some(stage.endpoint.clone()), &stage.plan.prober.instances, instances)
}

fn all_addresses(
    front: Option<Endpoint>,
    services: &[String],
    instances: &[Instance],
) -> Vec<Option<Endpoint>> {
    let probed = probed(services, instances);
    let direct = probed.map(|one| {
        let host = one.ports.first()?.host;
        Some(Endpoint::http(host.ip().to_string(), host.port()))
    });
    [front].into_iter().chain(direct).collect()
}

/// The instances that are probed one by one, in a fixed order.
fn probed<'a>(
    services: &'a [String],
    instances: &'a [Instance],
) -> impl Iterator<Item = &'a Instance> {
    instances.iter().filter(|one| services.contains(&one.service))
}

fn record_of<P>(stage: &Stage<'_, P>, clock: Clock) -> Run {
    let plan = &stage.plan;
    let papers = stage.papers.clone();
    let front = ProbeTarget {
        name: "front".to_owned(),
        url: format!("{}{}", stage.endpoint, plan.prober.path),
    };
    let direct = probed(&plan.prober.instances, &stage.instances)
        .map(|one| ProbeTarget { name: one.name.clone(), url: plan.prober.path.clone() });
    Run {
        schema: SCHEMA,
        id: stage.id.clone(),
        name: plan.name.clone(),
        started: clock.epoch_text(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: papers.command,
        seed: plan.seed,
        scenario_file: papers.scenario_file,
        scenario: papers.scenario,
        target: stage.endpoint.to_string(),
        identity: papers.identity,
        phases: plan.phases.clone(),
        series: plan.series.clone(),
        load: plan.profiles.iter().map(|profile| profile.words.clone()).collect(),
        transport: vec![plan.transport.words()],
        load_engine: plan.engine.word().to_owned(),
        users: u64::from(plan.users.count()),
        prober: Prober {
            period: plan.prober.period,
            timeout: plan.prober.timeout,
            targets: [front].into_iter().chain(direct).collect(),
        },
        instances: stage.instances.iter().map(instance).collect(),
        faults: stage.timeline.faults.clone(),
        objectives: plan.objectives.iter().map(ToString::to_string).collect(),
        machine: machine(papers.engine),
    }
}

fn instance(one: &Instance) -> run::Instance {
    run::Instance {
        name: one.name.clone(),
        service: one.service.clone(),
        id: one.id.clone(),
        hostname: one.hostname.clone(),
        image: one.image.clone(),
    }
}

fn machine(engine: Option<String>) -> Machine {
    let kernel = |what: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{what}"));
        text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    Machine {
        hostname: kernel("hostname"),
        cores: engine::cores(),
        kernel: kernel("osrelease"),
        engine,
    }
}
