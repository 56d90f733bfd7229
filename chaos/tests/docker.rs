//! Faults in real containers.
//!
//! Each test makes a project of its own out of labels, and removes whatever carries them. Without an
//! engine and the image they say so and pass; under `REHEARSAL_REQUIRE_DOCKER=1` they fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use rehearsal_chaos::{
    fault::Fault,
    heal::{End, await_healthy},
    injection::{Injection, Order, inject},
    instance::{Health, Instance, State, Status},
    platform::{Change, Platform, PlatformError, docker::Docker},
    recover::recover,
    signal::Signal,
    undo_log::UndoLog,
};
use tokio::sync::mpsc;

const IMAGE: &str = "debian:bookworm-slim";
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_fault_is_proven_and_healed() {
    let Some(stage) = Stage::new("faults").await else { return };
    for fault in [
        r#"{ "do": "pause" }"#,
        r#"{ "do": "kill" }"#,
        r#"{ "do": "stop", "grace": "5s" }"#,
        r#"{ "do": "restart", "grace": "5s" }"#,
    ] {
        let before = stage.state().await;
        let injection = stage.inject(fault).await;
        let broken = stage.state().await;
        match serde_json::from_str(fault).unwrap() {
            Fault::Pause(_) => assert_eq!(broken.status, Status::Paused),
            Fault::Kill(_) => assert_eq!(broken.exit_code, Some(137)),
            Fault::Stop(_) => assert_eq!(broken.exit_code, Some(0), "it ends gracefully"),
            Fault::Restart(_) => assert_ne!(broken.started_at, before.started_at),
        }
        assert!(injection.evidence.starts_with("event "), "{}", injection.evidence);
        let healed = injection.heal(&stage.docker, &stage.log, &mut |_| ()).await;
        assert_eq!(healed.end, End::Restored, "{fault}");
        await_healthy(&stage.docker, &stage.instance, LIMIT).await.unwrap();
        let after = stage.state().await;
        assert_eq!((after.status, after.health), (Status::Running, Some(Health::Healthy)));
        assert_eq!(after.networks[&stage.project].aliases, before.networks[&stage.project].aliases);
        assert_eq!(stage.log.pending(), []);
    }
}

#[tokio::test]
async fn an_instance_is_known_by_its_labels() {
    let Some(stage) = Stage::new("labels").await else { return };
    let instance = &stage.instance;
    assert_eq!((instance.name.as_str(), instance.index), ("was-1", 1));
    assert_eq!(instance.hostname, instance.id[..12]);
    assert!(instance.image.as_ref().unwrap().starts_with("debian:bookworm-slim (sha256:"));
    assert_eq!(instance.ports.len(), 1);
    assert_eq!(instance.ports[0].container, 8080);
    assert!(stage.state().await.networks[&stage.project].aliases.contains("was"));
    let described = stage.docker.describe().await.unwrap();
    assert!(described.starts_with("Docker ") && described.contains(", API 1."), "{described}");
}

#[tokio::test]
async fn health_checks_do_not_flood_the_changes() {
    let Some(stage) = Stage::new("events").await else { return };
    let mut changes = stage.docker.changes().await.unwrap();
    stage.docker.kill(&stage.instance.id, Signal::default()).await.unwrap();
    stage.docker.start(&stage.instance.id).await.unwrap();
    let mut actions = Vec::new();
    while actions.last().is_none_or(|action| action != "health_status: healthy") {
        let change = next(&mut changes).await;
        assert_eq!(change.id, stage.instance.id);
        actions.push(change.action);
    }
    assert_eq!(actions, ["kill", "die", "start", "health_status: healthy"]);
}

/// A health check that is just being started when its container freezes makes the engine keep an
/// inspection waiting until the check's time limit is over; often enough, one of these pauses meets one.
#[tokio::test]
async fn a_paused_container_is_seen_at_once_whatever_its_health_check_does() {
    let Some(stage) = Stage::new("frozen").await else { return };
    for _ in 0..20 {
        stage.docker.pause(&stage.instance.id).await.unwrap();
        assert_eq!(stage.state().await.status, Status::Paused);
        assert_eq!(stage.docker.instances().await.unwrap()[0].name, "was-1");
        let stranger = Docker::connect(&stage.project).await.unwrap();
        let seen = stranger.instances().await.unwrap().remove(0);
        assert_eq!(
            (seen.state.status, seen.hostname),
            (Status::Paused, stage.instance.hostname.clone())
        );
        stage.docker.resume(&stage.instance.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_paused_container_that_somebody_kills_is_started_again() {
    let Some(stage) = Stage::new("killed").await else { return };
    let injection = stage.inject(r#"{ "do": "pause" }"#).await;
    docker(&["kill", &stage.instance.id]);
    let healed = injection.heal(&stage.docker, &stage.log, &mut |_| ()).await;
    assert_eq!((healed.end, healed.steps), (End::Restored, vec!["started was-1".to_owned()]));
}

#[tokio::test]
async fn a_container_that_somebody_removes_is_gone() {
    let Some(stage) = Stage::new("removed").await else { return };
    let injection = stage.inject(r#"{ "do": "kill" }"#).await;
    docker(&["rm", "-f", &stage.instance.id]);
    let healed = injection.heal(&stage.docker, &stage.log, &mut |_| ()).await;
    assert_eq!(healed.end, End::Gone);
    let error = stage.docker.instances().await.unwrap_err();
    assert!(matches!(error, PlatformError::NoProject { .. }), "{error}");
}

#[tokio::test]
async fn recovery_heals_what_a_dead_run_left_and_then_finds_nothing() {
    let Some(stage) = Stage::new("recover").await else { return };
    drop(stage.inject(r#"{ "do": "pause" }"#).await);
    let recovered = recover(stage.log.path()).await.unwrap();
    assert!(recovered.complete());
    assert_eq!(recovered.healed[0].1.steps, ["resumed was-1"]);
    assert_eq!(stage.state().await.status, Status::Running);
    assert_eq!(recover(stage.log.path()).await.unwrap().healed, []);
}

#[tokio::test]
async fn a_container_of_another_project_is_not_touched() {
    let Some(stage) = Stage::new("ours").await else { return };
    let Some(other) = Stage::new("theirs").await else { return };
    let error = stage.docker.kill(&other.instance.id, Signal::default()).await.unwrap_err();
    assert!(matches!(error, PlatformError::Foreign { .. }), "{error}");
    assert_eq!(other.state().await.status, Status::Running);
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named_with_the_way_out() {
    for (host, part) in [
        ("unix:///nowhere/docker.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("ssh://somewhere", "forms that work are"),
    ] {
        let error = Docker::connect_to(host, "shop").await.unwrap_err().to_string();
        let complete = error.contains(host) && error.contains(part);
        assert!(complete && error.contains("DOCKER_HOST"), "{error}");
    }
}

/// A project with one container, `was-1`, on a network of its own, and an undo log.
struct Stage {
    project: String,
    docker: Docker,
    instance: Instance,
    log: UndoLog,
    _directory: tempfile::TempDir,
}

impl Stage {
    /// `None` when there is no Docker and none is required.
    async fn new(name: &str) -> Option<Self> {
        if !available() {
            return None;
        }
        let project = format!("rehearsal-chaos-{}-{name}", std::process::id());
        let project_label = label(&project);
        docker(&["network", "create", "--label", &project_label, &project]);
        let script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
        let own = [
            "run",
            "--detach",
            "--label",
            &project_label,
            "--network",
            &project,
            "--label",
            "com.docker.compose.service=was",
            "--label",
            "com.docker.compose.container-number=1",
            "--network-alias",
            "was",
            "--publish",
            "127.0.0.1::8080",
            "--health-cmd",
            "true",
            "--health-interval",
            "100ms",
            "--health-timeout",
            "1s",
            IMAGE,
            "bash",
            "-c",
            script,
        ];
        docker(&own);
        let docker = Docker::connect(&project).await.unwrap();
        let instance = docker.instances().await.unwrap().remove(0);
        await_healthy(&docker, &instance, LIMIT).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", docker.anchor()).unwrap();
        Some(Self { project, docker, instance, log, _directory: directory })
    }

    async fn state(&self) -> State {
        self.docker.inspect(&self.instance.id).await.unwrap()
    }

    async fn inject(&self, fault: &str) -> Injection {
        let fault = serde_json::from_str(fault).unwrap();
        let order = Order { number: 0, fault, instance: self.instance.clone() };
        inject(&self.docker, &self.log, &order, &mut |_| ()).await.unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let filter = format!("label={}", label(&self.project));
        let containers = docker(&["ps", "--all", "--quiet", "--filter", &filter]);
        for container in containers.lines() {
            docker(&["rm", "--force", "--volumes", container]);
        }
        docker(&["network", "rm", &self.project]);
    }
}

fn label(project: &str) -> String {
    format!("com.docker.compose.project={project}")
}

fn available() -> bool {
    let mut look = Command::new("docker");
    let found = look.args(["image", "inspect", IMAGE]).stdout(Stdio::null()).stderr(Stdio::null());
    let found = found.status().is_ok_and(|status| status.success());
    let required = std::env::var("REHEARSAL_REQUIRE_DOCKER").is_ok_and(|value| value == "1");
    assert!(found || !required, "no Docker engine with the image `{IMAGE}`");
    if !found {
        // Written past the capture of the test's output, so that a skipped test can be seen.
        let said = writeln!(std::io::stderr(), "skipped: no Docker engine with `{IMAGE}`");
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

async fn next(changes: &mut mpsc::Receiver<Change>) -> Change {
    tokio::time::timeout(LIMIT, changes.recv()).await.unwrap().unwrap()
}
