//! A whole run: from a scenario file to a judged record on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rehearsal_chaos::lock::{Lock, LockError, state_dir};
use rehearsal_chaos::platform::docker::Docker;
use rehearsal_chaos::platform::{Platform, PlatformError};
use rehearsal_chaos::recover::recover_locked;
use rehearsal_chaos::registry::{self, RegistryError};
use rehearsal_chaos::undo_log::UndoLog;
use rehearsal_reports::format::FormatError;
use rehearsal_reports::journal::Journal;
use rehearsal_reports::report::{Report, ReportError};
use rehearsal_reports::verdict::Exit;

use crate::conduct::{ConductError, Papers, Stage, conduct, open_undo_log};
use crate::plan::Plan;
use crate::problem::{Problems, Source};
use crate::progress::Progress;
use crate::run_dir::{self, RunDirError};
use crate::scenario::{Read, ScenarioError};
use crate::secret::Secrets;
use crate::stop::{Stop, Stopper};
use crate::system::{self, Project, SystemError};
use crate::target::Endpoint;
use crate::timeline::{Inventory, Timeline};

/// How long the embedded testbed may take to end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How a run is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The scenario file; with `text`, what messages call it.
    pub file: PathBuf,
    /// The scenario, where no file holds it.
    pub text: Option<String>,
    /// The run directory; by default one under `runs/`.
    pub out: Option<PathBuf>,
    /// `KEY=VALUE` in place of the file's values.
    pub sets: Vec<String>,
    /// Take the compose project away afterwards, if this run brought it up.
    pub down: bool,
    /// The command line, for the record.
    pub command: Vec<String>,
}

impl Options {
    /// Reads the scenario.
    pub fn read(&self) -> Result<Read, ScenarioError> {
        let Some(text) = self.text.clone() else { return Read::file(&self.file, &self.sets) };
        let path = self.file.display().to_string();
        Ok(Read::text(Source { path, text, sets: self.sets.clone() })?)
    }
}

/// Why there was no run, or no record of it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The run directory.
    #[error(transparent)]
    Directory(#[from] RunDirError),
    /// The system.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Another run.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The list of unfinished runs.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Nowhere to keep locks.
    #[error("no place for locks and unfinished runs: set HOME, or REHEARSAL_STATE to a directory")]
    Homeless,
    /// An earlier run left something broken that cannot be healed.
    #[error(
        "the run `{run}` has left something broken that could not be healed: {reason}; mend it by hand, or `rehearsal recover --all`"
    )]
    LeftBroken {
        /// Which run.
        run: String,
        /// Why.
        reason: String,
    },
    /// The record.
    #[error(transparent)]
    Conduct(#[from] ConductError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A report's file.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Somebody stopped the run before it began.
    #[error("interrupted before the first request; nothing was broken")]
    Interrupted,
}

impl From<Problems> for RunError {
    fn from(problems: Problems) -> Self {
        Self::Scenario(problems.into())
    }
}

impl From<PlatformError> for RunError {
    fn from(error: PlatformError) -> Self {
        Self::System(error.into())
    }
}

impl RunError {
    /// How the program ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Scenario(_) | Self::Directory(RunDirError::Taken(_)) => Exit::Usage,
            Self::System(error) if error.is_usage() => Exit::Usage,
            Self::LeftBroken { .. } => Exit::NotRestored,
            Self::Interrupted => Exit::Interrupted,
            _ => Exit::Environment,
        }
    }
}

/// A scenario that was read, checked and given a name.
struct Rehearsal<'a> {
    options: &'a Options,
    read: Read,
    plan: Arc<Plan>,
    secrets: Arc<Secrets>,
    id: String,
    directory: PathBuf,
    ends: (&'a Stopper, &'a Stop),
    progress: &'a Progress,
}

/// Runs the scenario; returns what became of it. Reports lie in the run directory then.
pub async fn run(
    options: &Options,
    ends: (&Stopper, &Stop),
    progress: &Progress,
) -> Result<Report, RunError> {
    let read = options.read()?;
    let seed = read.scenario.seed.unwrap_or_else(run_dir::new_seed);
    let plan = Arc::new(Plan::of(&read, seed)?);
    let secrets = Arc::new(plan.secrets(&read)?);
    if let Some(embedded) = &plan.system.embedded {
        let expected = embedded_inventory(system::embedded_instances(embedded));
        Timeline::of(&plan, &read, &expected)?;
    }
    let id = run_dir::new_id();
    let directory = run_dir::create(options.out.as_deref(), &plan.name, &id)?;
    progress.say(&format!("run {id}, seed {seed}, in {}", directory.display()));
    let rehearsal = Rehearsal { options, read, plan, secrets, id, directory, ends, progress };
    let outcome = if rehearsal.plan.system.embedded.is_some() {
        rehearsal.embedded().await
    } else if rehearsal.plan.system.compose.is_some() {
        rehearsal.compose().await
    } else {
        rehearsal.bare().await
    };
    if outcome.is_err() {
        run_dir::discard(&rehearsal.directory);
    }
    outcome?;
    Ok(Report::of(Journal::open(&rehearsal.directory).map_err(ReportError::from)?)?)
}

impl Rehearsal<'_> {
    async fn embedded(&self) -> Result<(), RunError> {
        let Some(embedded) = &self.plan.system.embedded else { return Ok(()) };
        self.progress.say(&format!("starting the embedded testbed, {} WAS", embedded.was));
        let files = self.directory.join("testbed");
        let starting = system::start_embedded(embedded, &files);
        let (processes, endpoint) = self.unless_stopped(starting).await?;
        self.ready(&endpoint, true).await?;
        let platform = Arc::new(processes);
        let outcome = async {
            let state = state_dir().ok_or(RunError::Homeless)?;
            let lock = Lock::acquire(&state, &platform.anchor().key(), &self.id)?;
            let instances = platform.instances().await?;
            let timeline = self.timeline(&embedded_inventory(instances.clone()))?;
            let identity = Some("started by this run".to_owned());
            let papers = self.papers(identity, None, Vec::new());
            let stage = self.stage(timeline, (Arc::clone(&platform), instances), endpoint, papers);
            self.with_undo(&stage, &state, &lock).await
        };
        let outcome = outcome.await;
        if let Some(processes) = Arc::into_inner(platform) {
            processes.shutdown(SHUTDOWN_GRACE).await;
        }
        outcome
    }

    async fn compose(&self) -> Result<(), RunError> {
        let system = &self.plan.system;
        let (Some(file), Some(endpoint)) = (&system.compose, &self.plan.target) else {
            return Ok(());
        };
        let project = Project::find(system, file).await?;
        let state = state_dir().ok_or(RunError::Homeless)?;
        let lock = Lock::acquire(&state, &project.docker.anchor().key(), &self.id)?;
        self.heal_before_start(&state, &lock).await?;
        let services = Some(project.compose.services().await.map_err(SystemError::from)?);
        self.timeline(&Inventory { services: services.clone(), ..Inventory::default() })?;

        let mut notes = Vec::new();
        let found = project.running().await?;
        let brought_up = found.is_none();
        let name = project.compose.project();
        if brought_up {
            let say = |line: String| self.progress.say(&line);
            self.unless_stopped(project.up(&say)).await?;
            notes.push(format!("this run brought up the compose project `{name}`"));
        } else {
            notes.push(format!("the compose project `{name}` was already up"));
        }
        self.progress.say(&notes[0]);
        let outcome = self.with_project(&project, (services, notes), endpoint, (&state, &lock));
        let outcome = outcome.await;
        if self.options.down && brought_up {
            self.progress.say(&format!("taking down the compose project `{name}`"));
            project.compose.down(true).await.map_err(SystemError::from)?;
        }
        outcome
    }

    async fn with_project(
        &self,
        project: &Project,
        (services, notes): (Option<Vec<String>>, Vec<String>),
        endpoint: &Endpoint,
        (state, lock): (&Path, &Lock),
    ) -> Result<(), RunError> {
        let instances = project.docker.instances().await?;
        let identity = project.identity(endpoint, &instances)?;
        let identity = self.proven(endpoint, Some(identity)).await?;
        self.ready(endpoint, true).await?;
        let words = format!("the compose project `{}`", project.compose.project());
        let inventory = Inventory { services, instances: Some(instances.clone()), words };
        let timeline = self.timeline(&inventory)?;
        let engine = Some(project.docker.describe().await?);
        let platform = Docker::connect(project.compose.project()).await?;
        let papers = self.papers(identity, engine, notes);
        let stage = self.stage(timeline, (Arc::new(platform), instances), endpoint.clone(), papers);
        self.with_undo(&stage, state, lock).await
    }

    async fn bare(&self) -> Result<(), RunError> {
        let Some(endpoint) = &self.plan.target else { return Ok(()) };
        let identity = self.proven(endpoint, None).await?;
        self.ready(endpoint, false).await?;
        let words = format!("{endpoint}, of which nothing else is known");
        let timeline = self.timeline(&Inventory { words, ..Inventory::default() })?;
        let stage: Stage<'_, Docker> = Stage {
            plan: Arc::clone(&self.plan),
            secrets: Arc::clone(&self.secrets),
            timeline,
            id: self.id.clone(),
            directory: &self.directory,
            platform: None,
            instances: Vec::new(),
            endpoint: endpoint.clone(),
            papers: self.papers(identity, None, Vec::new()),
        };
        self.conduct(&stage, None).await
    }

    /// From here on there is a run, and a record of it.
    async fn conduct<P: Platform>(
        &self,
        stage: &Stage<'_, P>,
        log: Option<&UndoLog>,
    ) -> Result<(), RunError> {
        if self.options.out.is_none() {
            run_dir::point_latest(&self.directory);
        }
        Ok(conduct(stage, log, self.ends, self.progress).await?)
    }

    fn stage<'a, P>(
        &'a self,
        timeline: Timeline<'a>,
        (platform, instances): (Arc<P>, Vec<rehearsal_chaos::instance::Instance>),
        endpoint: Endpoint,
        papers: Papers,
    ) -> Stage<'a, P> {
        Stage {
            plan: Arc::clone(&self.plan),
            secrets: Arc::clone(&self.secrets),
            timeline,
            id: self.id.clone(),
            directory: &self.directory,
            platform: Some(platform),
            instances,
            endpoint,
            papers,
        }
    }

    fn timeline(&self, inventory: &Inventory) -> Result<Timeline<'_>, RunError> {
        Ok(Timeline::of(&self.plan, &self.read, inventory)?)
    }

    fn papers(
        &self,
        identity: Option<String>,
        engine: Option<String>,
        notes: Vec<String>,
    ) -> Papers {
        Papers {
            identity,
            command: self.masked(&self.options.command),
            scenario_file: self.read.source.path.clone(),
            scenario: self.read.source.text.clone(),
            engine,
            notes,
        }
    }

    /// The command line, which may hold a secret in a `--set`.
    fn masked(&self, command: &[String]) -> Vec<String> {
        command.iter().map(|word| self.secrets.redact(word).into_owned()).collect()
    }

    /// Runs `stage` with an undo log that others find if we die.
    async fn with_undo<P: Platform>(
        &self,
        stage: &Stage<'_, P>,
        state: &Path,
        lock: &Lock,
    ) -> Result<(), RunError> {
        let Some(platform) = stage.platform.as_deref().filter(|_| !stage.timeline.blows.is_empty())
        else {
            return self.conduct(stage, None).await;
        };
        let log = open_undo_log(platform, &self.directory, &self.id).map_err(ConductError::from)?;
        let entry = registry::enter(state, lock.key(), &self.id, log.path())?;
        let outcome = self.conduct(stage, Some(&log)).await;
        if log.pending().is_empty() {
            entry.leave()?;
        } else if let Err(error) = &outcome {
            // There may be no record to tell it, so it is told here.
            let reason = error.to_string();
            return Err(RunError::LeftBroken { run: self.id.clone(), reason });
        }
        outcome
    }

    async fn heal_before_start(&self, state: &Path, lock: &Lock) -> Result<(), RunError> {
        for (run, outcome) in recover_locked(state, lock).await? {
            let broken = |reason| RunError::LeftBroken { run: run.run_id.clone(), reason };
            let recovered = outcome.map_err(|error| broken(error.to_string()))?;
            for (act, healed) in &recovered.healed {
                self.progress
                    .say(&format!("undone what run {} left: {act}: {:?}", run.run_id, healed.end));
            }
            if !recovered.complete() {
                return Err(broken("see above".to_owned()));
            }
        }
        Ok(())
    }

    /// Why the target is believed; with `system.identity`, only what that says counts.
    async fn proven(
        &self,
        endpoint: &Endpoint,
        default: Option<String>,
    ) -> Result<Option<String>, RunError> {
        match &self.plan.system.identity {
            Some(identity) => {
                Ok(Some(system::prove(endpoint, &self.plan.transport, identity).await?))
            }
            None => Ok(default),
        }
    }

    async fn ready(&self, endpoint: &Endpoint, brought_up: bool) -> Result<(), RunError> {
        let way = (&self.plan.transport, self.plan.prober.path.as_str());
        self.unless_stopped(system::await_ready(endpoint, way, brought_up)).await
    }

    async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, SystemError>>,
    ) -> Result<T, RunError> {
        let mut stop = self.ends.1.clone();
        tokio::select! {
            outcome = work => Ok(outcome?),
            () = stop.asked() => Err(RunError::Interrupted),
        }
    }
}

/// What is known of the embedded testbed.
#[must_use]
pub fn embedded_inventory(instances: Vec<rehearsal_chaos::instance::Instance>) -> Inventory {
    Inventory {
        services: Some(system::EMBEDDED_SERVICES.map(str::to_owned).to_vec()),
        instances: Some(instances),
        words: "the embedded testbed".to_owned(),
    }
}
