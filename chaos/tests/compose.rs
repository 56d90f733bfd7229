//! The compose command, driven for real.
//!
//! Without an engine, the image or compose itself the tests say so and pass; under
//! `REHEARSAL_REQUIRE_DOCKER=1` they fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use rehearsal_chaos::{
    compose::{Compose, ComposeError},
    platform::{Platform, PlatformError, docker::Docker},
};

const IMAGE: &str = "debian:bookworm-slim";
const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_project_comes_up_healthy_and_goes_down() {
    let Some(stage) = Stage::new("up", "sleep 1000", "true") else { return };
    stage.compose.up(LIMIT).await.unwrap();
    assert_eq!(stage.compose.services().await.unwrap(), ["db", "was"]);
    let docker = Docker::connect(stage.compose.project()).await.unwrap();
    let names: Vec<String> =
        docker.instances().await.unwrap().into_iter().map(|instance| instance.name).collect();
    assert_eq!(names, ["db-1", "was-1"]);
    stage.compose.down(true).await.unwrap();
    let error = docker.instances().await.unwrap_err();
    assert!(matches!(error, PlatformError::NoProject { .. }), "{error}");
}

#[tokio::test]
async fn what_does_not_come_up_is_named_with_the_end_of_its_log() {
    let Some(stage) = Stage::new("ends", "bash -c 'echo no licence; exit 3'", "true") else {
        return;
    };
    let error = stage.compose.up(LIMIT).await.unwrap_err();
    let ComposeError::NotUp { instance, tail, .. } = &error else { panic!("{error}") };
    assert_eq!((instance.as_str(), tail.as_str()), ("was-1", "no licence"));
}

#[tokio::test]
async fn what_never_becomes_healthy_is_named_when_the_time_is_over() {
    let Some(stage) = Stage::new("unwell", "sleep 1000", "false") else { return };
    let error = stage.compose.up(Duration::from_secs(10)).await.unwrap_err();
    assert!(error.to_string().starts_with("`was-1` did not come up: it is running"), "{error}");
}

#[tokio::test]
async fn images_that_the_engine_lacks_are_told() {
    let Some(stage) = Stage::new("images", "sleep 1000", "true") else { return };
    assert_eq!(stage.compose.missing_images().await.unwrap(), ["rehearsal-nobody/has-this:1"]);
}

/// A project of two services, of which `was` runs a command and is judged by another; and one that
/// is only there for its image. Goes down when dropped.
struct Stage {
    compose: Compose,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn new(name: &str, command: &str, check: &str) -> Option<Self> {
        if !available() {
            return None;
        }
        let extra = match name {
            "images" => "  lack: { image: 'rehearsal-nobody/has-this:1' }\n",
            _ => "",
        };
        let text = format!(
            "x-rehearsal: {{ build-images: build }}\nservices:\n  \
             db: {{ image: '{IMAGE}', command: sleep 1000, stop_grace_period: 1s }}\n  \
             was:\n    image: ${{IMAGE}}\n    command: {command}\n    stop_grace_period: 1s\n    \
             healthcheck: {{ test: [CMD, '{check}'], interval: 200ms, timeout: 1s }}\n{extra}"
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("docker-compose.yml");
        std::fs::write(&file, format!("version: '3.8'\n{text}")).unwrap();
        let project = format!("rehearsal-compose-{}-{name}", std::process::id());
        let env = BTreeMap::from([("IMAGE".to_owned(), IMAGE.to_owned())]);
        let compose = Compose::of(&file, Some(&project), &env).unwrap();
        Some(Self { compose, _directory: directory })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.compose.project());
        for container in docker(&["ps", "--all", "--quiet", "--filter", &filter]).lines() {
            docker(&["rm", "--force", "--volumes", container]);
        }
        for network in docker(&["network", "ls", "--quiet", "--filter", &filter]).lines() {
            docker(&["network", "rm", network]);
        }
    }
}

fn available() -> bool {
    let answers = |command: &mut Command| {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    let image = answers(Command::new("docker").args(["image", "inspect", IMAGE]));
    let compose = answers(Command::new("docker").args(["compose", "version"]))
        || answers(Command::new("docker-compose").arg("version"));
    let required = std::env::var("REHEARSAL_REQUIRE_DOCKER").is_ok_and(|value| value == "1");
    let found = image && compose;
    assert!(found || !required, "no Docker engine with the image `{IMAGE}` and compose");
    if !found {
        // Written past the capture of the test's output, so that a skipped test can be seen.
        let said =
            writeln!(std::io::stderr(), "skipped: no Docker engine with `{IMAGE}`, or no compose");
        said.unwrap();
    }
    found
}

/// Runs the Docker command; returns what it prints.
fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
