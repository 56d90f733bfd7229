//! Child processes: a system under test without Docker.
//!
//! Each child reads its standard input from us and must exit when that closes, so that nothing is
//! left running when we die, however we die. Its state comes from waiting for it and from `/proc`.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use nix::sys::signal::Signal as Os;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    signal::unix::{self, SignalKind},
    sync::mpsc,
    task::JoinHandle,
};

use super::{Anchor, Change, Platform, PlatformError, fanout::Fanout, proc, proc::Stat, within};
use crate::{
    instance::{Health, Instance, Port, State, Status},
    signal::Signal,
};

/// A child starts in milliseconds; a busy machine stretches that, and nothing stretches it to this.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// How long a signal that cannot be caught may take to show in `/proc`.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);

/// A connection on the loopback is made or refused at once; a full backlog answers with silence.
const CONNECT_LIMIT: Duration = Duration::from_millis(250);

/// How often to look again at what no event tells.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How much of a log an error shows.
const TAIL_LINES: usize = 10;

/// A child to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpec {
    /// The service it is a copy of.
    pub service: String,
    /// Which copy, from 1.
    pub index: u32,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables on top of our own environment.
    pub env: BTreeMap<String, String>,
    /// Where its standard output and error are appended.
    pub log: PathBuf,
    /// It is ready when this address accepts connections.
    pub ready: SocketAddr,
}

/// Children of this process. Dropping it kills them all.
#[derive(Debug)]
pub struct Processes {
    family: Arc<Family>,
    reaper: JoinHandle<()>,
}

#[derive(Debug)]
struct Family {
    /// By name, which is also the id.
    members: BTreeMap<String, Member>,
    changes: Fanout,
    now: fn() -> SystemTime,
}

#[derive(Debug)]
struct Member {
    spec: ProcessSpec,
    life: Mutex<Life>,
}

/// What becomes of one member over its starts and ends.
#[derive(Debug, Default)]
struct Life {
    child: Option<(Child, u64)>,
    exit_code: Option<i64>,
    started: Option<u64>,
}

impl Processes {
    /// Starts a child for each of `specs` and waits until all are ready. `now` tells the wall-clock
    /// time of their changes. When one fails, all are ended.
    pub async fn start(
        specs: Vec<ProcessSpec>,
        now: fn() -> SystemTime,
    ) -> Result<Self, PlatformError> {
        let ended = unix::signal(SignalKind::child())
            .map_err(|error| refused("listening for SIGCHLD", &error.to_string()))?;
        let members = specs.into_iter().map(|spec| {
            let name = Instance::name_of(&spec.service, spec.index);
            (name, Member { spec, life: Mutex::default() })
        });
        let members = members.collect();
        let family = Arc::new(Family { members, changes: Fanout::default(), now });
        let reaper = tokio::spawn(reap(Arc::clone(&family), ended));
        let processes = Self { family, reaper };
        for (name, member) in &processes.family.members {
            if connects(member.spec.ready).await {
                let why = format!("something else already listens on {}", member.spec.ready);
                return Err(member.not_started(name, why));
            }
            processes.family.spawn(name, member)?;
        }
        for (name, member) in &processes.family.members {
            processes.family.await_ready(name, member).await?;
        }
        Ok(processes)
    }

    /// Ends all children: their standard input closes, and whoever still runs after `grace` is
    /// killed.
    pub async fn shutdown(self, grace: Duration) {
        for member in self.family.members.values() {
            let mut life = member.life();
            if let Some((child, started)) = &mut life.child {
                drop(child.stdin.take());
                for signal in [Os::SIGTERM, Os::SIGCONT] {
                    let sent = child.id().map(|pid| proc::send(pid, *started, signal));
                    tracing::trace!(?sent, %signal, "shutting down");
                }
            }
        }
        let all = async {
            for (name, member) in &self.family.members {
                self.family.await_end(name, member).await;
            }
        };
        let ended = tokio::time::timeout(grace, all).await;
        tracing::debug!(in_time = ended.is_ok(), "children shut down");
    }

    fn member(&self, id: &str) -> Result<&Member, PlatformError> {
        self.family.members.get(id).ok_or_else(|| PlatformError::Foreign {
            id: id.to_owned(),
            system: "the processes that this run has started".to_owned(),
        })
    }

    async fn state(&self, name: &str, member: &Member) -> State {
        self.family.notice_end(name, member);
        let mut state = member.life().state();
        if state.status == Status::Running {
            let ready = connects(member.spec.ready).await;
            state.health = Some(if ready { Health::Healthy } else { Health::Starting });
        } else {
            state.health = Some(Health::Unhealthy);
        }
        state
    }

    /// Sends a signal to the child and waits until `done` holds of its status.
    async fn signal(
        &self,
        id: &str,
        signal: Os,
        done: impl Fn(Status) -> bool,
    ) -> Result<(), PlatformError> {
        let member = self.member(id)?;
        let call = format!("sending {signal} to `{id}`");
        if !member.send(&call, signal)? {
            return Err(refused(&call, "it does not run"));
        }
        within(&call, SIGNAL_LIMIT, async {
            while !done(member.life().state().status) {
                tokio::time::sleep(LOOK_EVERY).await;
                self.family.notice_end(id, member);
            }
            Ok(())
        })
        .await
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.reaper.abort();
        for member in self.family.members.values() {
            let mut life = member.life();
            if let Some((child, _)) = &mut life.child {
                let killed = child.start_kill();
                tracing::trace!(?killed, "killed a child");
            }
        }
    }
}

impl Platform for Processes {
    fn anchor(&self) -> Anchor {
        Anchor::Processes { owner: std::process::id(), boot: proc::boot() }
    }

    async fn describe(&self) -> Result<String, PlatformError> {
        Ok(format!("{} child processes", self.family.members.len()))
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        let mut instances = Vec::new();
        for (name, member) in &self.family.members {
            let spec = &member.spec;
            instances.push(Instance {
                service: spec.service.clone(),
                index: spec.index,
                name: name.clone(),
                id: name.clone(),
                hostname: name.clone(),
                image: None,
                labels: BTreeMap::new(),
                ports: vec![Port { host: spec.ready, container: spec.ready.port() }],
                state: self.state(name, member).await,
            });
        }
        instances.sort_by(|a, b| (&a.service, a.index).cmp(&(&b.service, b.index)));
        Ok(instances)
    }

    async fn inspect(&self, id: &str) -> Result<State, PlatformError> {
        match self.family.members.get(id) {
            Some(member) => Ok(self.state(id, member).await),
            None => Ok(State::default()),
        }
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        let member = self.member(id)?;
        let call = format!("stop `{id}`");
        // A frozen process gets the request only when it thaws.
        for signal in [Os::SIGTERM, Os::SIGCONT] {
            member.send(&call, signal)?;
        }
        if tokio::time::timeout(grace, self.family.await_end(id, member)).await.is_err() {
            self.signal(id, Os::SIGKILL, |status| status == Status::Exited).await?;
        }
        self.family.tell(id, "stop", None);
        Ok(())
    }

    async fn kill(&self, id: &str, signal: Signal) -> Result<(), PlatformError> {
        let signal = match signal {
            Signal::Kill => Os::SIGKILL,
            Signal::Term => Os::SIGTERM,
            Signal::Int => Os::SIGINT,
            Signal::Quit => Os::SIGQUIT,
            Signal::Abrt => Os::SIGABRT,
        };
        let call = format!("kill `{id}`");
        if !self.member(id)?.send(&call, signal)? {
            return Err(refused(&call, "it does not run"));
        }
        self.family.tell(id, "kill", None);
        Ok(())
    }

    async fn pause(&self, id: &str) -> Result<(), PlatformError> {
        self.signal(id, Os::SIGSTOP, |status| status != Status::Running).await?;
        self.family.tell(id, "pause", None);
        Ok(())
    }

    async fn resume(&self, id: &str) -> Result<(), PlatformError> {
        self.signal(id, Os::SIGCONT, |status| status != Status::Paused).await?;
        self.family.tell(id, "unpause", None);
        Ok(())
    }

    async fn start(&self, id: &str) -> Result<(), PlatformError> {
        let member = self.member(id)?;
        self.family.notice_end(id, member);
        self.family.spawn(id, member)
    }

    async fn restart(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        self.stop(id, grace).await?;
        self.start(id).await?;
        self.family.tell(id, "restart", None);
        Ok(())
    }

    async fn changes(&self) -> Result<mpsc::Receiver<Change>, PlatformError> {
        Ok(self.family.changes.subscribe())
    }
}

impl Family {
    fn tell(&self, name: &str, action: &str, exit_code: Option<i64>) {
        let (id, action) = (name.to_owned(), action.to_owned());
        self.changes.tell(&Change { id, action, exit_code, at: (self.now)() });
    }

    /// Starts the member's child, unless it runs.
    fn spawn(&self, name: &str, member: &Member) -> Result<(), PlatformError> {
        let mut life = member.life();
        if life.child.is_some() {
            return Ok(());
        }
        let spec = &member.spec;
        let failed = |error: std::io::Error| member.not_started(name, error.to_string());
        let log = append(&spec.log).map_err(failed)?;
        let mut child = Command::new(&spec.program)
            .args(&spec.args)
            .envs(&spec.env)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .kill_on_drop(true)
            // Ctrl-C in the terminal is ours to handle: the children live until all is healed.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let Some(stat) = child.id().and_then(Stat::of) else {
            let killed = child.start_kill();
            tracing::debug!(?killed, "a child that /proc does not show");
            return Err(member.not_started(name, "/proc does not show it".to_owned()));
        };
        *life = Life {
            child: Some((child, stat.started)),
            exit_code: None,
            started: Some(stat.started),
        };
        drop(life);
        self.tell(name, "start", None);
        Ok(())
    }

    /// Waits for the child if it has ended, and tells of it once.
    fn notice_end(&self, name: &str, member: &Member) {
        let mut life = member.life();
        let Some((child, _)) = &mut life.child else { return };
        let Ok(Some(status)) = child.try_wait() else { return };
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        // A shell's way to count, and Docker's.
        let code = status.code().or(signal.map(|signal| 128 + signal)).map(i64::from);
        life.child = None;
        life.exit_code = code;
        drop(life);
        self.tell(name, "die", code);
    }

    /// Waits until the child accepts connections; its end before that is an error.
    async fn await_ready(&self, name: &str, member: &Member) -> Result<(), PlatformError> {
        let log = &member.spec.log;
        let not_ready = |why: String| PlatformError::NotReady {
            name: name.to_owned(),
            why,
            log: log.clone(),
            tail: tail(log),
        };
        let address = member.spec.ready;
        let waiting = async {
            loop {
                self.notice_end(name, member);
                let state = member.life().state();
                if state.status == Status::Exited {
                    return Err(not_ready(format!("it {state}")));
                }
                if connects(address).await {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(READY_LIMIT, waiting).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(READY_LIMIT);
            Err(not_ready(format!("{address} accepts no connection after {limit}")))
        })
    }

    async fn await_end(&self, name: &str, member: &Member) {
        loop {
            self.notice_end(name, member);
            if member.life().child.is_none() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Member {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal to the child; says whether it runs. It cannot hit another process: nobody else
    /// waits for the child, so its number stays taken as long as it is held here.
    fn send(&self, call: &str, signal: Os) -> Result<bool, PlatformError> {
        let life = self.life();
        let Some((child, started)) = &life.child else { return Ok(false) };
        let sent = child.id().map_or(Ok(false), |pid| proc::send(pid, *started, signal));
        sent.map_err(|error| refused(call, error.desc()))
    }

    fn not_started(&self, name: &str, why: String) -> PlatformError {
        let (name, program) = (name.to_owned(), self.spec.program.clone());
        PlatformError::NotStarted { name, program, why }
    }
}

impl Life {
    fn state(&self) -> State {
        let running = self.child.as_ref().and_then(|(child, _)| child.id());
        let stat = running.and_then(Stat::of);
        let status = match (running, stat.map(|stat| stat.state)) {
            (Some(_), Some('T' | 't')) => Status::Paused,
            (Some(_), Some('Z' | 'X') | None) => Status::Exited,
            (Some(_), Some(_)) => Status::Running,
            (None, _) if self.started.is_some() => Status::Exited,
            (None, _) => Status::Created,
        };
        State {
            status,
            pid: running,
            started_at: self.started.map(|ticks| ticks.to_string()),
            exit_code: self.exit_code,
            ..State::default()
        }
    }
}

/// Notices the end of children as the kernel tells of it.
async fn reap(family: Arc<Family>, mut ended: unix::Signal) {
    while ended.recv().await.is_some() {
        for (name, member) in &family.members {
            family.notice_end(name, member);
        }
    }
}

/// Ends what a dead run has left frozen: a process that does not run cannot see that its standard
/// input has closed. Says whether there was such a process.
pub async fn end_left_behind(boot: &str, state: &State) -> Result<bool, PlatformError> {
    let started = state.started_at.as_deref().and_then(|ticks| ticks.parse().ok());
    let (Some(pid), Some(started)) = (state.pid, started) else { return Ok(false) };
    if boot != proc::boot() {
        return Ok(false);
    }
    let call = format!("ending process {pid}");
    let mut found = false;
    for signal in [Os::SIGTERM, Os::SIGCONT, Os::SIGKILL] {
        let sent = proc::send(pid, started, signal);
        found |= sent.map_err(|error| refused(&call, error.desc()))?;
        if signal == Os::SIGCONT {
            tokio::time::sleep(LOOK_EVERY * 20).await;
        }
    }
    within(&call, SIGNAL_LIMIT, async {
        while Stat::of(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z') {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

fn refused(call: &str, why: &str) -> PlatformError {
    PlatformError::Refused { call: call.to_owned(), why: why.to_owned() }
}

/// Whether `address` accepts a connection at once.
async fn connects(address: SocketAddr) -> bool {
    let connecting = TcpStream::connect(address);
    matches!(tokio::time::timeout(CONNECT_LIMIT, connecting).await, Ok(Ok(_)))
}

fn append(log: &Path) -> std::io::Result<File> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().create(true).append(true).open(log)
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
