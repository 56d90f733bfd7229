//! The system under test: found or brought up, proven to be the one meant, and ready.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rehearsal_chaos::compose::{Compose, ComposeError};
use rehearsal_chaos::instance::{Instance, Status};
use rehearsal_chaos::platform::docker::Docker;
use rehearsal_chaos::platform::processes::{ProcessSpec, Processes};
use rehearsal_chaos::platform::{Platform, PlatformError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::LocalSet;

use crate::answer::Answer;
use crate::clock::{Clock, wall_now};
use crate::prober;
use crate::scenario::{EmbeddedWritten, IdentityWritten, SystemWritten, Timeouts};
use crate::target::{Client, Endpoint};
use crate::transport::Transport;

/// How long a project may take to come up.
const UP_LIMIT: Duration = Duration::from_mins(3);

/// How long a target may take to answer well once it should be there.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How long a target that we did not bring up may take.
const ATTACH_LIMIT: Duration = Duration::from_secs(5);

/// Time between two looks at a target that is not ready.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// Redirects that are followed to the page that proves who the target is.
const REDIRECTS: u32 = 10;

/// Ports for our own processes are looked for from here up to the range that the kernel hands out
/// to clients: a port in that range could be taken while its owner is killed.
const PORTS: std::ops::Range<u16> = 21_000..30_000;

/// Why there is no system to rehearse with.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The platform failed.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Compose failed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The images could not be built.
    #[error("`{}` did not build the images of the testbed ({why}); its output stands above", program.display())]
    Images {
        /// What was run.
        program: PathBuf,
        /// How it ended.
        why: String,
    },
    /// A file or a port of our own could not be had.
    #[error("cannot start the embedded testbed: {0}")]
    Embedded(std::io::Error),
    /// Nothing answers well.
    #[error(
        "`{url}` cannot be loaded: {last}; start the system first, or correct `system.target` and `prober.path`"
    )]
    NotReady {
        /// What was asked.
        url: String,
        /// The last answer.
        last: String,
    },
    /// Somebody else answers.
    #[error(
        "`{target}` answers, but it is not {wanted}: {found}; no load was sent. Correct `system.target`, or stop what holds the port"
    )]
    Stranger {
        /// What was asked.
        target: String,
        /// What it should be.
        wanted: String,
        /// What was seen.
        found: String,
    },
}

impl SystemError {
    /// Whether the scenario is to blame, and not the world.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Compose(
                ComposeError::Unreadable { .. }
                    | ComposeError::NotYaml { .. }
                    | ComposeError::NoName { .. }
            )
        )
    }
}

/// The compose project of a scenario, and its engine.
#[derive(Debug)]
pub struct Project {
    /// The compose file.
    pub compose: Compose,
    /// The engine.
    pub docker: Docker,
}

impl Project {
    /// Reads the compose file and reaches the engine; changes nothing.
    pub async fn find(system: &SystemWritten, file: &Path) -> Result<Self, SystemError> {
        let compose = Compose::of(file, system.project.as_deref(), &system.env)?;
        let docker = Docker::connect(compose.project()).await?;
        Ok(Self { compose, docker })
    }

    /// The running project's instances; `None` when it, or a part of it, is not up.
    pub async fn running(&self) -> Result<Option<Vec<Instance>>, SystemError> {
        let instances = match self.docker.instances().await {
            Err(PlatformError::NoProject { .. }) => return Ok(None),
            instances => instances?,
        };
        let services = self.compose.services().await?;
        let complete = services.iter().all(|service| {
            let mut own = instances.iter().filter(|instance| instance.service == *service);
            own.clone().next().is_some() && own.all(|one| one.state.status == Status::Running)
        });
        Ok(complete.then_some(instances))
    }

    /// Builds missing images and brings the project up. Says what it does through `say`.
    pub async fn up(&self, say: &dyn Fn(String)) -> Result<(), SystemError> {
        if let Some(program) = self.compose.build_images() {
            let missing = self.compose.missing_images().await?;
            if !missing.is_empty() {
                say(format!("building {} with {}", missing.join(", "), program.display()));
                build(&program, say).await?;
            }
        }
        say(format!("bringing up the compose project `{}`", self.compose.project()));
        Ok(self.compose.up(UP_LIMIT).await?)
    }

    /// Why `target` belongs to the project: one of its containers publishes the port.
    pub fn identity(
        &self,
        target: &Endpoint,
        instances: &[Instance],
    ) -> Result<String, SystemError> {
        let publishes =
            |one: &&Instance| one.ports.iter().any(|port| port.host.port() == target.port);
        match instances.iter().find(publishes) {
            Some(one) => Ok(format!(
                "port {} is published by {} of the compose project `{}`",
                target.port,
                one.name,
                self.compose.project()
            )),
            None => Err(SystemError::Stranger {
                target: target.to_string(),
                wanted: format!("part of the compose project `{}`", self.compose.project()),
                found: format!("none of its containers publishes port {}", target.port),
            }),
        }
    }
}

async fn build(program: &Path, say: &dyn Fn(String)) -> Result<(), SystemError> {
    let failed = |why: String| SystemError::Images { program: program.to_owned(), why };
    let mut child = tokio::process::Command::new(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(output) = child.stderr.take() {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            say(format!("  {line}"));
        }
    }
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

/// The services of the embedded testbed, for a plan that is made before it runs.
pub const EMBEDDED_SERVICES: [&str; 3] = ["front", "partner", "was"];

/// The embedded testbed's instances as they will be, for a plan that is made before it runs.
#[must_use]
pub fn embedded_instances(embedded: &EmbeddedWritten) -> Vec<Instance> {
    let was = (1..=embedded.was).map(|index| ("was", index));
    let all = [("front", 1), ("partner", 1)].into_iter().chain(was);
    let instances = all.map(|(service, index)| {
        let name = Instance::name_of(service, index);
        Instance {
            service: service.to_owned(),
            index,
            id: name.clone(),
            hostname: name.clone(),
            name,
            image: None,
            labels: BTreeMap::new(),
            ports: Vec::new(),
            state: rehearsal_chaos::instance::State::default(),
        }
    });
    instances.collect()
}

/// Starts the embedded testbed with its files in `directory`; returns its front door too.
pub async fn start_embedded(
    embedded: &EmbeddedWritten,
    directory: &Path,
) -> Result<(Processes, Endpoint), SystemError> {
    let directory = std::path::absolute(directory).map_err(SystemError::Embedded)?;
    std::fs::create_dir_all(directory.join("uploads")).map_err(SystemError::Embedded)?;
    let program = std::env::current_exe().map_err(SystemError::Embedded)?;
    let ports = free_ports(embedded.was as usize + 2)?;
    let at = |place: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, ports[place]));
    let spec = |service: &str, index: u32, port: usize, more: Vec<String>| {
        let name = Instance::name_of(service, index);
        let listen = at(port).to_string();
        let fixed = ["testbed", service, "--exit-with-stdin", "--listen", &listen];
        ProcessSpec {
            service: service.to_owned(),
            index,
            program: program.clone(),
            args: fixed.into_iter().map(str::to_owned).chain(more).collect(),
            env: BTreeMap::new(),
            log: directory.join(format!("{name}.log")),
            ready: at(port),
        }
    };
    let flags = |pairs: &[(&str, String)]| {
        pairs.iter().flat_map(|(flag, value)| [(*flag).to_owned(), value.clone()]).collect()
    };
    let mut specs = vec![spec("partner", 1, 1, Vec::new())];
    let mut upstreams = Vec::new();
    for (index, port) in (1..=embedded.was).zip(2..) {
        let database = format!("sqlite:{}", directory.join("orders.sqlite").display());
        specs.push(spec(
            "was",
            index,
            port,
            flags(&[
                ("--name", Instance::name_of("was", index)),
                ("--database", database),
                ("--uploads", directory.join("uploads").display().to_string()),
                ("--partner", format!("http://{}", at(1))),
            ]),
        ));
        upstreams.push(("--upstream", at(port).to_string()));
    }
    let retries = if embedded.retries { "on" } else { "off" };
    upstreams.push(("--retries", retries.to_owned()));
    specs.push(spec("front", 1, 0, flags(&upstreams)));
    let processes = Processes::start(specs, wall_now).await?;
    Ok((processes, Endpoint::http(Ipv4Addr::LOCALHOST.to_string(), ports[0])))
}

/// Ports on which nobody listens. Two runs that begin at once look from different places on.
fn free_ports(count: usize) -> Result<Vec<u16>, SystemError> {
    let span = usize::from(PORTS.end - PORTS.start);
    let begin = std::process::id() as usize * 37 % span;
    let candidates = (0..span).filter_map(|step| {
        let port = PORTS.start + u16::try_from((begin + step) % span).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    });
    let ports: Vec<u16> = candidates.take(count).collect();
    if ports.len() < count {
        let message = format!("no {count} free ports in {} to {}", PORTS.start, PORTS.end);
        return Err(SystemError::Embedded(std::io::Error::other(message)));
    }
    Ok(ports)
}

/// Waits until `endpoint` answers the path well; `brought_up` when we started it ourselves.
pub async fn await_ready(
    endpoint: &Endpoint,
    (transport, path): (&Transport, &str),
    brought_up: bool,
) -> Result<(), SystemError> {
    let limit = if brought_up { READY_LIMIT } else { ATTACH_LIMIT };
    let clock = Clock::starting_in(Duration::ZERO);
    let mut last = "no answer".to_owned();
    let mut answer = Answer::default();
    let looks = async {
        loop {
            match Client::probing(endpoint.clone(), transport, LOOK_LIMIT, clock) {
                Ok(client) => {
                    let exchange = prober::ask(&client, path, &mut answer).await;
                    match (prober::cause(&exchange, &answer), &exchange.result) {
                        (None, _) => return,
                        (Some(cause), Err(fault)) => {
                            last = format!("{cause} ({})", fault.message);
                        }
                        (Some(cause), Ok(())) => last = cause.to_string(),
                    }
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ready = tokio::time::timeout(limit, LocalSet::new().run_until(looks)).await;
    ready.map_err(|_| SystemError::NotReady { url: format!("{endpoint}{path}"), last })
}

/// Asks `endpoint` for what `identity` says it must show.
pub async fn prove(
    endpoint: &Endpoint,
    transport: &Transport,
    identity: &IdentityWritten,
) -> Result<String, SystemError> {
    let url = format!("{endpoint}{}", identity.path);
    let stranger = |found: String| SystemError::Stranger {
        target: url.clone(),
        wanted: "what `system.identity` describes".to_owned(),
        found,
    };
    let answer = identify(endpoint, transport, identity).await.map_err(&stranger)?;
    for (name, wanted) in &identity.header {
        let found = answer.header(name).and_then(|value| std::str::from_utf8(value).ok());
        if found != Some(wanted) {
            let found = found.unwrap_or("missing");
            return Err(stranger(format!("header `{name}` is `{found}`, not `{wanted}`")));
        }
    }
    if let Some(wanted) = &identity.body
        && !String::from_utf8_lossy(&answer.body).contains(wanted)
    {
        return Err(stranger(format!("its body does not hold `{wanted}`")));
    }
    Ok(format!("{url} shows what `system.identity` describes"))
}

/// The answer that is to prove who the target is; or why there is none.
async fn identify(
    endpoint: &Endpoint,
    transport: &Transport,
    identity: &IdentityWritten,
) -> Result<Answer, String> {
    let transport = Transport { redirects: REDIRECTS, ..transport.clone() };
    let limit = ATTACH_LIMIT;
    let timeouts = Timeouts { connect: limit, first_byte: limit, total: limit };
    let clock = Clock::starting_in(Duration::ZERO);
    let client = Client::new(endpoint.clone(), &transport, timeouts, clock);
    let client = client.map_err(|error| error.to_string())?;
    let mut answer = Answer::default();
    let asked = prober::ask(&client, &identity.path, &mut answer);
    let exchange = LocalSet::new().run_until(asked).await;
    exchange.result.map_err(|fault| fault.message)?;
    Ok(answer)
}
