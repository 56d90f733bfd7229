//! Docker: the containers of one compose project. The only file that names bollard.
//!
//! Containers are found by the labels that compose puts on them, and a verb refuses any container
//! that lacks the project's label: nothing outside the project is ever touched.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    io,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{
    API_DEFAULT_VERSION, Docker as Client,
    container::LogOutput,
    errors::Error,
    models::{
        ContainerConfig, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum,
        ContainerSummary, ContainerSummaryStateEnum, EndpointSettings, EventMessage,
        HealthStatusEnum, HostConfig, NetworkSettings, PortMap,
    },
    query_parameters::{
        EventsOptions, InspectContainerOptions, KillContainerOptions, ListContainersOptions,
        LogsOptions, RestartContainerOptions, StartContainerOptions, StopContainerOptions,
    },
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all};
use tokio::sync::mpsc;

use super::{Anchor, CHANGES_WAITING, Change, Platform, PlatformError, within};
use crate::{
    instance::{Endpoint, Health, Instance, Limits, Port, State, Status},
    signal::Signal,
};

/// Where an engine listens when `DOCKER_HOST` says nothing.
pub const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// For a call that the engine answers from memory, or by one system call; it takes milliseconds, and
/// a machine under full load stretches that a hundredfold.
const SHORT: Duration = Duration::from_secs(10);

/// For an inspection, which a frozen container's health check can hold up.
const INSPECT: Duration = Duration::from_secs(3);

/// For a call that starts or ends a container, beyond any grace.
const LONG: Duration = Duration::from_secs(30);

/// For thawing. When a health check was just being started as the container froze, the engine thaws
/// it only when the check's own time limit is over, which is 30 s unless configured.
const THAW: Duration = Duration::from_mins(1);

/// What the client itself waits for: more than any of the limits above, which say more of the call.
const CLIENT: Duration = Duration::from_mins(2);

/// How long to wait before a broken stream of events is opened again.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

/// What is told of. Health checks are commands in the container: unfiltered, their events come ten
/// times as often as all others.
const ACTIONS: [&str; 11] = [
    "create",
    "start",
    "restart",
    "kill",
    "stop",
    "die",
    "oom",
    "pause",
    "unpause",
    "destroy",
    "health_status",
];

/// The containers of one compose project.
#[derive(Debug)]
pub struct Docker {
    client: Client,
    host: String,
    project: String,
    /// The project's containers, by id, as they were when they last could be inspected.
    ours: Mutex<HashMap<String, ContainerInspectResponse>>,
}

impl Docker {
    /// Connects to the engine that `DOCKER_HOST` names, or to the local one.
    ///
    /// The project need not have containers yet.
    pub async fn connect(project: &str) -> Result<Self, PlatformError> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::connect_to(host.as_deref().unwrap_or(DEFAULT_HOST), project).await
    }

    /// Connects to the engine at `host`, in a form that `DOCKER_HOST` may have.
    pub async fn connect_to(host: &str, project: &str) -> Result<Self, PlatformError> {
        let limit = CLIENT.as_secs();
        let client = if host.starts_with("unix://") {
            Client::connect_with_unix(host, limit, API_DEFAULT_VERSION)
        } else if host.starts_with("tcp://") || host.starts_with("http://") {
            Client::connect_with_http(host, limit, API_DEFAULT_VERSION)
        } else {
            let why = "this form is not supported".to_owned();
            return Err(PlatformError::HostForm { host: host.to_owned(), why });
        };
        let connecting = async {
            let client = client.map_err(|error| failed(host, "connect", &error))?;
            client.negotiate_version().await.map_err(|error| failed(host, "connect", &error))
        };
        let client = within(&format!("connecting to `{host}`"), SHORT, connecting).await?;
        let (host, project) = (host.to_owned(), project.to_owned());
        Ok(Self { client, host, project, ours: Mutex::default() })
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Whether the engine has an image of this name.
    pub async fn has_image(&self, name: &str) -> Result<bool, PlatformError> {
        let call = format!("looking for the image `{name}`");
        let found = self.call(&call, SHORT, async {
            match self.client.inspect_image(name).await {
                Ok(_) => Ok(true),
                Err(error) if status_code(&error) == Some(404) => Ok(false),
                Err(error) => Err(error),
            }
        });
        found.await
    }

    /// The last lines that the container wrote.
    pub async fn log_tail(&self, id: &str, lines: usize) -> Result<String, PlatformError> {
        self.check_ours(id).await?;
        let tail = lines.to_string();
        let options = LogsOptions { stdout: true, stderr: true, tail, ..Default::default() };
        let reading = self.client.logs(id, Some(options)).try_collect::<Vec<LogOutput>>();
        let chunks = self.call(&format!("logs of `{id}`"), SHORT, reading).await?;
        Ok(chunks.iter().map(LogOutput::to_string).collect::<String>().trim_end().to_owned())
    }

    /// Runs one call to the engine under its time limit.
    async fn call<T>(
        &self,
        name: &str,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, PlatformError> {
        let call = async { call.await.map_err(|error| failed(&self.host, name, &error)) };
        within(name, limit, call).await
    }

    /// Refuses a container that does not carry the project's label.
    async fn check_ours(&self, id: &str) -> Result<(), PlatformError> {
        if self.ours().contains_key(id) || self.look(id).await?.is_some() {
            return Ok(());
        }
        let call = format!("looking for `{id}`");
        Err(PlatformError::Refused { call, why: "there is no such container".to_owned() })
    }

    fn ours(&self) -> MutexGuard<'_, HashMap<String, ContainerInspectResponse>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container, if it exists; an error if it is not ours.
    async fn look(&self, id: &str) -> Result<Option<ContainerInspectResponse>, PlatformError> {
        let Some(listed) = self.list("id", id).await?.pop() else { return Ok(None) };
        let labels = listed.labels.as_ref();
        if labels.and_then(|labels| labels.get(PROJECT)) != Some(&self.project) {
            let system = format!("the compose project `{}`", self.project);
            return Err(PlatformError::Foreign { id: id.to_owned(), system });
        }
        match self.look_closer(listed).await {
            // It may have been frozen between the list and the inspection.
            Err(PlatformError::TimedOut { call, limit }) => {
                let listed = self.list("id", id).await?.pop();
                match listed.filter(is_paused) {
                    Some(listed) => Ok(Some(self.frozen(listed))),
                    None => Err(PlatformError::TimedOut { call, limit }),
                }
            }
            found => found,
        }
    }

    /// The containers that match a filter, running or not.
    async fn list(&self, key: &str, value: &str) -> Result<Vec<ContainerSummary>, PlatformError> {
        let filters = Some(HashMap::from([(key.to_owned(), vec![value.to_owned()])]));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let listing = self.client.list_containers(Some(options));
        self.call("listing containers", SHORT, listing).await
    }

    /// All there is to know of a listed container of ours, if it still exists.
    ///
    /// A frozen one is not inspected: when a health check was just being started in it, the engine
    /// answers only when the check's own time limit is over.
    async fn look_closer(
        &self,
        listed: ContainerSummary,
    ) -> Result<Option<ContainerInspectResponse>, PlatformError> {
        if is_paused(&listed) {
            return Ok(Some(self.frozen(listed)));
        }
        let id = listed.id.unwrap_or_default();
        let call = format!("inspect `{id}`");
        let found = self.call(&call, INSPECT, async {
            match self.client.inspect_container(&id, None::<InspectContainerOptions>).await {
                Ok(found) => Ok(Some(found)),
                Err(error) if status_code(&error) == Some(404) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let found = found.await?;
        if let Some(found) = &found {
            self.ours().insert(id, found.clone());
        }
        Ok(found)
    }

    /// A frozen container: as it was when it could still be inspected, or as the list tells.
    fn frozen(&self, listed: ContainerSummary) -> ContainerInspectResponse {
        let id = listed.id.clone().unwrap_or_default();
        let mut found = self.ours().get(&id).cloned().unwrap_or_else(|| of_list(listed));
        let state = found.state.get_or_insert_default();
        state.status = Some(ContainerStateStatusEnum::PAUSED);
        found
    }

    /// The engine's own time, which is the time of its events.
    async fn engine_time(&self) -> Result<String, PlatformError> {
        let info = self.call("info", SHORT, self.client.info()).await?;
        let time = info.system_time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let time = time.ok_or_else(|| PlatformError::Refused {
            call: "info".to_owned(),
            why: "the engine did not tell its time".to_owned(),
        })?;
        Ok(since(time.as_nanosecond()))
    }
}

impl Platform for Docker {
    fn anchor(&self) -> Anchor {
        Anchor::Docker { host: self.host.clone(), project: self.project.clone() }
    }

    async fn describe(&self) -> Result<String, PlatformError> {
        let version = self.call("version", SHORT, self.client.version()).await?;
        let engine = version.version.unwrap_or_else(|| "of unknown version".to_owned());
        Ok(format!("Docker {engine}, API {}", self.client.client_version()))
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        let listed = self.list("label", &format!("{PROJECT}={}", self.project)).await?;
        let found = try_join_all(listed.into_iter().map(|one| self.look_closer(one))).await?;
        let mut instances: Vec<Instance> =
            found.into_iter().flatten().filter_map(instance).collect();
        if instances.is_empty() {
            let (host, project) = (self.host.clone(), self.project.clone());
            return Err(PlatformError::NoProject { host, project });
        }
        instances.sort_by(|a, b| (&a.service, a.index).cmp(&(&b.service, b.index)));
        Ok(instances)
    }

    async fn inspect(&self, id: &str) -> Result<State, PlatformError> {
        Ok(self.look(id).await?.map_or_else(State::default, |found| state(&found)))
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        let client = self.client.clone().with_timeout(grace + CLIENT);
        let options = StopContainerOptions { t: Some(whole_seconds(grace)), signal: None };
        let stopping = client.stop_container(id, Some(options));
        self.call(&format!("stop `{id}`"), grace + LONG, stopping).await
    }

    async fn kill(&self, id: &str, signal: Signal) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        let options = KillContainerOptions { signal: signal.to_string() };
        let killing = self.client.kill_container(id, Some(options));
        self.call(&format!("kill `{id}`"), LONG, killing).await
    }

    async fn pause(&self, id: &str) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        self.call(&format!("pause `{id}`"), SHORT, self.client.pause_container(id)).await
    }

    async fn resume(&self, id: &str) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        self.call(&format!("unpause `{id}`"), THAW, self.client.unpause_container(id)).await
    }

    async fn start(&self, id: &str) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        let starting = self.client.start_container(id, None::<StartContainerOptions>);
        self.call(&format!("start `{id}`"), LONG, starting).await
    }

    async fn restart(&self, id: &str, grace: Duration) -> Result<(), PlatformError> {
        self.check_ours(id).await?;
        let client = self.client.clone().with_timeout(grace + CLIENT);
        let options = RestartContainerOptions { t: Some(whole_seconds(grace)), signal: None };
        let restarting = client.restart_container(id, Some(options));
        self.call(&format!("restart `{id}`"), grace + LONG, restarting).await
    }

    async fn changes(&self) -> Result<mpsc::Receiver<Change>, PlatformError> {
        let (sender, receiver) = mpsc::channel(CHANGES_WAITING);
        let since = self.engine_time().await?;
        tokio::spawn(follow(self.client.clone(), self.project.clone(), since, sender));
        Ok(receiver)
    }
}

/// Tells the events of `project` after `since` to `told`, over as many streams as that takes.
///
/// A broken stream is resumed at the moment of the last event, which then comes a second time.
async fn follow(client: Client, project: String, mut since: String, told: mpsc::Sender<Change>) {
    let events = ACTIONS.map(str::to_owned).to_vec();
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        ("label".to_owned(), vec![format!("{PROJECT}={project}")]),
        ("event".to_owned(), events),
    ]);
    let mut last: Option<Change> = None;
    loop {
        let (start, filters) = (Some(since.clone()), Some(filters.clone()));
        let options = EventsOptions { since: start, until: None, filters };
        let mut events = std::pin::pin!(client.events(Some(options)));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = told.closed() => return,
            };
            let Some(Ok(event)) = event else { break };
            let Some(change) = change(&event) else { continue };
            if last.as_ref() == Some(&change) {
                continue;
            }
            since = self::since(event.time_nano.unwrap_or_default().into());
            last = Some(change.clone());
            if told.send(change).await.is_err() {
                return;
            }
        }
        tracing::debug!("the stream of events of `{project}` broke; resuming at {since}");
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// A moment in the form that the engine takes: seconds, a point, nanoseconds.
fn since(nanoseconds: i128) -> String {
    let second = 1_000_000_000;
    format!("{}.{:09}", nanoseconds / second, nanoseconds % second)
}

/// The event as a change, if it says whom and when.
fn change(event: &EventMessage) -> Option<Change> {
    let actor = event.actor.as_ref()?;
    let exit_code = actor.attributes.as_ref().and_then(|all| all.get("exitCode"));
    Some(Change {
        id: actor.id.clone()?,
        action: event.action.clone()?,
        exit_code: exit_code.and_then(|code| code.parse().ok()),
        at: moment(event.time_nano?)?,
    })
}

fn moment(nanoseconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
}

/// The container as an instance; `None` for one that compose does not count (`compose run`).
fn instance(found: ContainerInspectResponse) -> Option<Instance> {
    let state = state(&found);
    let config = found.config?;
    let labels: BTreeMap<String, String> = config.labels.unwrap_or_default().into_iter().collect();
    if labels.get(ONE_OFF).is_some_and(|one_off| one_off.eq_ignore_ascii_case("true")) {
        return None;
    }
    let service = labels.get(SERVICE)?.clone();
    let index = labels.get(NUMBER)?.parse().ok()?;
    let image = match (config.image, found.image) {
        (Some(name), Some(id)) => Some(format!("{name} ({id})")),
        (name, id) => name.or(id),
    };
    Some(Instance {
        name: Instance::name_of(&service, index),
        service,
        index,
        id: found.id?,
        hostname: config.hostname.unwrap_or_default(),
        image,
        labels,
        ports: found
            .network_settings
            .and_then(|settings| settings.ports)
            .map(|map| ports(&map))
            .unwrap_or_default(),
        state,
    })
}

fn is_paused(listed: &ContainerSummary) -> bool {
    listed.state == Some(ContainerSummaryStateEnum::PAUSED)
}

/// What the list tells of a container. Its hostname is the short id unless configured otherwise,
/// which compose does not do by itself.
fn of_list(listed: ContainerSummary) -> ContainerInspectResponse {
    let short = |id: &String| id.chars().take(12).collect();
    ContainerInspectResponse {
        config: Some(ContainerConfig {
            hostname: listed.id.as_ref().map(short),
            image: listed.image,
            labels: listed.labels,
            ..Default::default()
        }),
        id: listed.id,
        image: listed.image_id,
        network_settings: listed
            .network_settings
            .map(|settings| NetworkSettings { networks: settings.networks, ..Default::default() }),
        ..Default::default()
    }
}

/// The published TCP ports, in order.
fn ports(map: &PortMap) -> Vec<Port> {
    let published = map.iter().filter_map(|(container, bindings)| {
        let container = container.strip_suffix("/tcp")?.parse().ok()?;
        Some((container, bindings.as_ref()?))
    });
    let mut ports: Vec<Port> = published
        .flat_map(|(container, bindings)| {
            bindings.iter().filter_map(move |binding| {
                let address: IpAddr = binding.host_ip.as_deref()?.parse().ok()?;
                let port: u16 = binding.host_port.as_deref()?.parse().ok()?;
                Some(Port { host: (address, port).into(), container })
            })
        })
        .collect();
    ports.sort();
    ports
}

fn state(found: &ContainerInspectResponse) -> State {
    let Some(state) = &found.state else { return State::default() };
    let status = status(state);
    let ended = matches!(status, Status::Exited | Status::Restarting);
    let networks = found.network_settings.as_ref().and_then(|all| all.networks.as_ref());
    State {
        status,
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
        started_at: state.started_at.clone(),
        restarts: found.restart_count.and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
        health: health(state),
        exit_code: state.exit_code.filter(|_| ended),
        networks: networks
            .into_iter()
            .flatten()
            .map(|(name, settings)| (name.clone(), endpoint(settings)))
            .collect(),
        limits: found.host_config.as_ref().map(limits).unwrap_or_default(),
    }
}

fn status(state: &ContainerState) -> Status {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => Status::Created,
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => {
            Status::Running
        }
        Some(ContainerStateStatusEnum::PAUSED) => Status::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => Status::Restarting,
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => Status::Exited,
        _ => Status::Missing,
    }
}

fn health(state: &ContainerState) -> Option<Health> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
    }
}

fn endpoint(settings: &EndpointSettings) -> Endpoint {
    let fixed = settings.ipam_config.as_ref().and_then(|config| config.ipv4_address.as_ref());
    Endpoint {
        aliases: settings.aliases.iter().flatten().cloned().collect(),
        address: settings.ip_address.clone().filter(|address| !address.is_empty()),
        fixed: fixed.is_some_and(|address| !address.is_empty()),
    }
}

fn limits(config: &HostConfig) -> Limits {
    Limits {
        nano_cpus: config.nano_cpus.unwrap_or_default(),
        cpu_quota: config.cpu_quota.unwrap_or_default(),
        memory: config.memory.unwrap_or_default(),
        memory_swap: config.memory_swap.unwrap_or_default(),
        pids: config.pids_limit.unwrap_or_default(),
    }
}

/// The engine counts grace in whole seconds; a part of one becomes one.
fn whole_seconds(grace: Duration) -> i32 {
    let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn status_code(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What bollard's error means to the user.
fn failed(host: &str, call: &str, error: &Error) -> PlatformError {
    let unreachable = |why: String| PlatformError::Unreachable { host: host.to_owned(), why };
    match error {
        Error::DockerResponseServerError { message, .. } => {
            return PlatformError::Refused { call: call.to_owned(), why: message.clone() };
        }
        Error::SocketNotFoundError(_) => return unreachable("there is no such socket".to_owned()),
        Error::RequestTimeoutError => return unreachable("no answer in time".to_owned()),
        _ => {}
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(problem) if problem.kind() == io::ErrorKind::PermissionDenied => {
            PlatformError::NoPermission { host: host.to_owned() }
        }
        _ => unreachable(cause.to_string()),
    }
}
