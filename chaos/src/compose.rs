//! Compose: finds the compose command and drives it.
//!
//! Both generations are served: the plugin (`docker compose`) and the older `docker-compose`. They
//! are told the file and the project's name each time, so that the labels on the containers are the
//! ones we look for. What a file extension (`x-...`) says is read from the file itself, because the
//! older one does not show it.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::OnceCell,
};

use crate::{
    instance::{Health, Instance, Status},
    platform::{Platform, PlatformError, docker::Docker},
};

/// For commands that only read; the older compose takes a second to load.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// For `down`: each container may use its own grace.
const DOWN_LIMIT: Duration = Duration::from_mins(5);

/// How often to look whether the containers have become healthy.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much of an output or log an error shows.
const TAIL_LINES: usize = 15;

/// A compose file and the project that it makes.
#[derive(Debug)]
pub struct Compose {
    file: PathBuf,
    project: String,
    env: BTreeMap<String, String>,
    written: Value,
    command: OnceCell<Generation>,
}

#[derive(Clone, Copy, Debug)]
enum Generation {
    Plugin,
    Standalone,
}

/// Why compose did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The file cannot be read.
    #[error("cannot read the compose file `{}`: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is no YAML.
    #[error("`{}` is not a compose file: {why}", file.display())]
    NotYaml {
        /// The file.
        file: PathBuf,
        /// What is wrong and where.
        why: String,
    },
    /// Nothing of the name or the path makes a project name.
    #[error("`{from}` does not make a name for a compose project; give one with letters or digits")]
    NoName {
        /// What was tried.
        from: String,
    },
    /// Neither generation is installed.
    #[error("neither `docker compose` nor `docker-compose` answers; install one of them")]
    NoCommand,
    /// The command failed.
    #[error("`{command}` failed, {status}; its last lines:\n{tail}")]
    Failed {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        tail: String,
    },
    /// The command took too long.
    #[error("`{command}` took over {}; its last lines:\n{tail}", humantime::format_duration(*limit))]
    TimedOut {
        /// What was run.
        command: String,
        /// How long it was waited for.
        limit: Duration,
        /// The end of its output.
        tail: String,
    },
    /// A container did not come up.
    #[error("`{instance}` did not come up: it is {state}; the end of its log:\n{tail}")]
    NotUp {
        /// The container.
        instance: String,
        /// How it is.
        state: String,
        /// The end of its log.
        tail: String,
    },
    /// The engine could not be asked.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl Compose {
    /// The compose file at `file` as the project `project`, or as the name that compose itself would
    /// give it. `env` goes on top of our own environment wherever the file asks for variables.
    pub fn of(
        file: &Path,
        project: Option<&str>,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, ComposeError> {
        let unreadable = |source| ComposeError::Unreadable { file: file.to_owned(), source };
        let path = std::fs::canonicalize(file).map_err(unreadable)?;
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let written = read_yaml(file, &text)?;
        let given = project.map(str::to_owned).or_else(|| name_in_environment(env));
        let in_file = || written.get("name").and_then(Value::as_str).map(str::to_owned);
        let of_directory = || directory(&path).file_name()?.to_str().map(str::to_owned);
        let name = given.or_else(in_file).or_else(of_directory).unwrap_or_default();
        let project = normalised(&name);
        if project.is_empty() {
            return Err(ComposeError::NoName { from: name });
        }
        Ok(Self { file: path, project, env: env.clone(), written, command: OnceCell::new() })
    }

    /// The project's name, as it stands in the labels of its containers.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The compose file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the file says under a key of its top level that compose ignores, such as `x-rehearsal`.
    #[must_use]
    pub fn extension(&self, key: &str) -> Option<&Value> {
        self.written.get(key)
    }

    /// The program that builds the project's images, if the file names one as `build-images` under
    /// `x-rehearsal`.
    #[must_use]
    pub fn build_images(&self) -> Option<PathBuf> {
        let program = self.extension("x-rehearsal")?.get("build-images")?.as_str()?;
        Some(directory(&self.file).join(program))
    }

    /// The services that the file names, in order of their names.
    pub async fn services(&self) -> Result<Vec<String>, ComposeError> {
        let config = self.config().await?;
        let mut names: Vec<String> = services(&config).map(|(name, _)| name.clone()).collect();
        names.sort();
        Ok(names)
    }

    /// The images that the file names and the engine does not have.
    pub async fn missing_images(&self) -> Result<Vec<String>, ComposeError> {
        let config = self.config().await?;
        let docker = Docker::connect(&self.project).await?;
        let mut images: Vec<&str> =
            services(&config).filter_map(|(_, service)| service.get("image")?.as_str()).collect();
        images.sort_unstable();
        images.dedup();
        let mut missing = Vec::new();
        for image in images {
            if !docker.has_image(image).await? {
                missing.push(image.to_owned());
            }
        }
        Ok(missing)
    }

    /// Brings the project up and waits until each container runs and is healthy, within `limit`. A
    /// container without a health check need only run; one that has done its work and ended with 0
    /// is as good.
    pub async fn up(&self, limit: Duration) -> Result<(), ComposeError> {
        self.run(&["up", "-d"], limit).await?;
        let docker = Docker::connect(&self.project).await?;
        let mut last = None;
        let waiting = async {
            loop {
                let instances = docker.instances().await?;
                if let Some(broken) = instances.iter().find(|one| has_failed(one)) {
                    return Err(not_up(&docker, broken).await);
                }
                last = instances.into_iter().find(|one| !is_up(one));
                if last.is_none() {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match (tokio::time::timeout(limit, waiting).await, last) {
            (Ok(outcome), _) => outcome,
            (Err(_), Some(instance)) => Err(not_up(&docker, &instance).await),
            (Err(_), None) => Err(PlatformError::TimedOut {
                call: format!("looking at the containers of `{}`", self.project),
                limit,
            })?,
        }
    }

    /// Removes the project's containers and networks, and with `volumes` its data too.
    pub async fn down(&self, volumes: bool) -> Result<(), ComposeError> {
        let args: &[&str] = if volumes { &["down", "--volumes"] } else { &["down"] };
        self.run(args, DOWN_LIMIT).await.map(drop)
    }

    /// The file as compose understands it: variables filled in, files merged.
    async fn config(&self) -> Result<Value, ComposeError> {
        let text = self.run(&["config"], READ_LIMIT).await?;
        read_yaml(&self.file, &text)
    }

    /// Runs one compose command; returns its standard output.
    async fn run(&self, args: &[&str], limit: Duration) -> Result<String, ComposeError> {
        let generation = self.command.get_or_try_init(find).await?;
        let mut command = generation.command();
        command.arg("--project-name").arg(&self.project).arg("--file").arg(&self.file);
        command.arg("--project-directory").arg(directory(&self.file)).args(args);
        command.envs(&self.env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let name = format!("{} {}", generation.name(), args.join(" "));
        let mut child = command.spawn().map_err(|error| ComposeError::Failed {
            command: name.clone(),
            status: error.to_string(),
            tail: String::new(),
        })?;
        let mut tail = Tail::default();
        let ran = tokio::time::timeout(limit, follow(&mut child, &mut tail)).await;
        let (status, output) = match ran {
            Ok(Ok((status, output))) if status.success() => return Ok(output),
            Ok(Ok((status, output))) => (status.to_string(), output),
            Ok(Err(error)) => (error.to_string(), String::new()),
            Err(_) => {
                let tail = tail.text();
                return Err(ComposeError::TimedOut { command: name, limit, tail });
            }
        };
        output.lines().for_each(|line| tail.push(line));
        Err(ComposeError::Failed { command: name, status, tail: tail.text() })
    }
}

impl Generation {
    fn name(self) -> &'static str {
        match self {
            Self::Plugin => "docker compose",
            Self::Standalone => "docker-compose",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Plugin => {
                let mut command = Command::new("docker");
                command.arg("compose");
                command
            }
            Self::Standalone => Command::new("docker-compose"),
        }
    }
}

/// The generation that answers, the newer one first.
async fn find() -> Result<Generation, ComposeError> {
    for generation in [Generation::Plugin, Generation::Standalone] {
        let mut command = generation.command();
        command.arg("version").stdin(Stdio::null()).kill_on_drop(true);
        let answer = tokio::time::timeout(READ_LIMIT, command.output()).await;
        if matches!(answer, Ok(Ok(output)) if output.status.success()) {
            return Ok(generation);
        }
    }
    Err(ComposeError::NoCommand)
}

/// The last lines of an output.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    fn push(&mut self, line: &str) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Reads a command's output to its end; its progress, on standard error, goes to the log as it comes.
async fn follow(
    child: &mut Child,
    tail: &mut Tail,
) -> io::Result<(std::process::ExitStatus, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = String::new();
    let reading = each_line(stdout, |line| {
        output.push_str(line);
        output.push('\n');
    });
    let watching = each_line(stderr, |line| {
        tracing::info!(target: "compose", "{line}");
        tail.push(line);
    });
    tokio::try_join!(reading, watching)?;
    Ok((child.wait().await?, output))
}

async fn each_line(
    stream: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(&str),
) -> io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        take(&line);
    }
    Ok(())
}

fn is_up(instance: &Instance) -> bool {
    match instance.state.status {
        Status::Running => matches!(instance.state.health, None | Some(Health::Healthy)),
        Status::Exited => instance.state.exit_code == Some(0),
        _ => false,
    }
}

/// Whether it will not come up by waiting. An unhealthy one may: a slow start can use up its retries.
fn has_failed(instance: &Instance) -> bool {
    instance.state.status == Status::Exited && instance.state.exit_code != Some(0)
}

async fn not_up(docker: &Docker, instance: &Instance) -> ComposeError {
    let tail = docker.log_tail(&instance.id, TAIL_LINES).await;
    ComposeError::NotUp {
        instance: instance.name.clone(),
        state: instance.state.to_string(),
        tail: tail.unwrap_or_else(|error| error.to_string()),
    }
}

fn services(config: &Value) -> impl Iterator<Item = (&String, &Value)> {
    config.get("services").and_then(Value::as_object).into_iter().flatten()
}

fn read_yaml(file: &Path, text: &str) -> Result<Value, ComposeError> {
    serde_saphyr::from_str(text)
        .map_err(|error| ComposeError::NotYaml { file: file.to_owned(), why: error.to_string() })
}

fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

fn name_in_environment(env: &BTreeMap<String, String>) -> Option<String> {
    let variable = "COMPOSE_PROJECT_NAME";
    let name = env.get(variable).cloned().or_else(|| std::env::var(variable).ok());
    name.filter(|name| !name.is_empty())
}

/// A project's name as compose writes it: lower case letters, digits, `-` and `_`, the last two not
/// in front.
fn normalised(name: &str) -> String {
    let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(*c);
    let name: String = name.to_lowercase().chars().filter(kept).collect();
    name.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_named_as_compose_would() {
        let named = "name: from-file\nservices: {}\n";
        let plain = "services: {}\n";
        let env = |name: &str| BTreeMap::from([("COMPOSE_PROJECT_NAME".into(), name.into())]);
        assert_eq!(project(named, Some("Given"), &env("from-env")), "given");
        assert_eq!(project(named, None, &env("from-env")), "from-env");
        assert_eq!(project(named, None, &BTreeMap::new()), "from-file");
        assert_eq!(project(plain, None, &BTreeMap::new()), "my_shop2");
    }

    #[test]
    fn an_extension_is_read_from_the_file() {
        let (_directory, compose) = compose("x-rehearsal: { build-images: tools/build }\n");
        let program = compose.build_images().unwrap();
        assert_eq!(program, directory(compose.file()).join("tools/build"));
        assert_eq!(compose.extension("x-other"), None);
    }

    #[test]
    fn a_file_that_is_no_yaml_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("compose.yml");
        std::fs::write(&file, "services: [").unwrap();
        let error = Compose::of(&file, None, &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("compose.yml` is not a compose file"), "{error}");
    }

    fn project(text: &str, given: Option<&str>, env: &BTreeMap<String, String>) -> String {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("_My_Shop.2/compose.yml");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        Compose::of(&file, given, env).unwrap().project().to_owned()
    }

    fn compose(text: &str) -> (tempfile::TempDir, Compose) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("compose.yml");
        std::fs::write(&file, text).unwrap();
        let compose = Compose::of(&file, Some("shop"), &BTreeMap::new()).unwrap();
        (directory, compose)
    }
}
