//! Faults on the fake platform: in which order things happen, and that all of it is undone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use rehearsal_chaos::{
    fault::Fault,
    heal::{End, Healed, Mark, await_healthy},
    injection::{InjectError, Injection, Order, inject},
    instance::{Health, Instance, Status},
    platform::{Anchor, Platform, fake::Fake},
    recover::{RecoverError, heal_pending, recover},
    undo_log::UndoLog,
};

#[tokio::test]
async fn a_fault_is_injected_proven_and_healed() {
    let stage = Stage::new().await;
    for (fault, calls) in [
        (r#"{ "do": "kill" }"#, "kill was-1, start was-1"),
        (r#"{ "do": "kill", "signal": "SIGTERM" }"#, "kill was-1 SIGTERM, start was-1"),
        (r#"{ "do": "stop", "grace": "3s" }"#, "stop was-1 3s, start was-1"),
        (r#"{ "do": "pause" }"#, "pause was-1, resume was-1"),
        (r#"{ "do": "restart" }"#, "restart was-1 10s"),
    ] {
        let before = stage.fake.calls().len();
        let injection = stage.inject(fault).await.unwrap();
        assert_eq!(stage.log.pending().len(), 1);
        let healed = stage.heal(injection).await;
        assert_eq!(healed.end, End::Restored, "{fault}");
        assert_eq!(stage.fake.calls()[before..].join(", "), calls);
        assert_eq!(stage.log.pending(), []);
    }
}

#[tokio::test]
async fn the_evidence_is_the_event_and_the_state() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "kill" }"#).await.unwrap();
    assert_eq!(
        injection.evidence,
        "event die with 137 at 1970-01-01T00:00:01.000Z, now exited with 137"
    );
    let _ = stage.heal(injection).await;
}

#[tokio::test]
async fn the_intent_is_on_disk_before_the_act_and_the_undo_before_the_undoing() {
    let stage = Stage::new().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (path, notes) = (stage.path.clone(), Arc::clone(&seen));
    stage.fake.watch(move |call| {
        let kinds = kinds(&fs::read_to_string(&path).unwrap()).join(" ");
        notes.lock().unwrap().push(format!("{call}: {kinds}"));
    });
    let injection = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    let _ = stage.heal(injection).await;
    assert_eq!(
        *seen.lock().unwrap(),
        ["pause was-1: header intent", "resume was-1: header intent applied undo-begin"]
    );
    let all = fs::read_to_string(&stage.path).unwrap();
    assert_eq!(kinds(&all), ["header", "intent", "applied", "undo-begin", "undone"]);
}

#[tokio::test]
async fn the_marks_come_in_order() {
    let stage = Stage::new().await;
    let mut marks = Vec::new();
    let order = stage.order(r#"{ "do": "kill" }"#);
    let injection =
        inject(&*stage.fake, &stage.log, &order, &mut |mark| marks.push(mark)).await.unwrap();
    let _ = injection.heal(&*stage.fake, &stage.log, &mut |mark| marks.push(mark)).await;
    assert_eq!(marks, [Mark::ActBegins, Mark::UndoBegins, Mark::Up]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_proven_is_undone_and_an_error() {
    let stage = Stage::new().await;
    stage.fake.ignore("pause was-1");
    let error = stage.inject(r#"{ "do": "pause" }"#).await.unwrap_err();
    assert_eq!(error.to_string(), "pause was-1 is not proven after 15s: it is running, events: []");
    assert_eq!(error.healed().unwrap().end, End::Restored);
    assert_eq!(stage.log.pending(), []);
}

#[tokio::test(start_paused = true)]
async fn a_state_without_its_event_is_no_proof_and_is_undone() {
    let stage = Stage::new().await;
    stage.fake.ignore("pause was-1");
    let fake = Arc::clone(&stage.fake);
    let hidden = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fake.happen("was-1", "exec_start", |state| state.status = Status::Paused);
    });
    let error = stage.inject(r#"{ "do": "pause" }"#).await.unwrap_err();
    hidden.await.unwrap();
    assert!(matches!(&error, InjectError::NotProven { .. }), "{error}");
    assert_eq!(stage.fake.calls(), ["pause was-1", "resume was-1"]);
}

#[tokio::test]
async fn an_act_that_fails_is_an_error_and_leaves_nothing_pending() {
    let stage = Stage::new().await;
    stage.fake.fail("kill was-1");
    let error = stage.inject(r#"{ "do": "kill" }"#).await.unwrap_err();
    assert_eq!(error.to_string(), "kill was-1 failed: kill was-1 failed: told to fail");
    assert_eq!(error.healed().unwrap().end, End::Restored);
    assert_eq!(stage.log.pending(), []);
}

#[tokio::test]
async fn an_instance_that_does_not_run_is_not_broken_further() {
    let stage = Stage::new().await;
    let pause = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    let error = stage.inject(r#"{ "do": "kill" }"#).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot kill was-1: it is paused, and only a running instance can be broken"
    );
    assert!(error.healed().is_none());
    assert_eq!(stage.heal(pause).await.end, End::Restored);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_tried_again() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    stage.fake.fail("resume was-1");
    stage.fake.fail("resume was-1");
    assert_eq!(stage.heal(injection).await.end, End::Restored);
    assert_eq!(stage.fake.calls().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_never_helps_is_said_and_stays_pending() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    for _ in 0..20 {
        stage.fake.fail("resume was-1");
    }
    let healed = stage.heal(injection).await;
    let End::NotRestored { reason } = healed.end else { panic!("{healed:?}") };
    assert_eq!(reason, "resume was-1 failed: told to fail");
    assert_eq!(stage.log.pending().len(), 1);
}

#[tokio::test]
async fn a_target_that_was_removed_is_gone() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    stage.fake.remove("was-1");
    assert_eq!(stage.heal(injection).await.end, End::Gone);
    assert_eq!(stage.log.pending(), []);
}

#[tokio::test]
async fn a_target_that_came_back_by_itself_is_left_alone() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "kill" }"#).await.unwrap();
    stage.fake.start_by_itself("was-1");
    let healed = stage.heal(injection).await;
    assert_eq!(healed.end, End::Restored);
    assert_eq!(healed.steps, ["was-1 had already been started again"]);
    assert_eq!(stage.fake.calls(), ["kill was-1"]);
}

#[tokio::test]
async fn a_paused_target_that_was_killed_is_started() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "pause" }"#).await.unwrap();
    stage.fake.happen("was-1", "die", |state| state.status = Status::Exited);
    let healed = stage.heal(injection).await;
    assert_eq!(healed.end, End::Restored);
    assert_eq!(healed.steps, ["started was-1"]);
}

#[tokio::test]
async fn a_target_that_came_back_different_is_not_restored() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "kill" }"#).await.unwrap();
    stage.fake.happen("was-1", "update", |state| state.limits.memory = 1 << 20);
    let healed = stage.heal(injection).await;
    assert!(matches!(&healed.end, End::NotRestored { reason } if reason.contains("its limits")));
    assert_eq!(stage.log.pending().len(), 1);
}

#[tokio::test]
async fn an_injection_that_was_cut_off_is_healed_from_the_log() {
    let stage = Stage::new().await;
    stage.fake.ignore("kill was-1");
    let cut = tokio::time::timeout(Duration::from_millis(50), stage.inject(r#"{ "do": "kill" }"#));
    assert!(cut.await.is_err(), "the proof never comes, and the caller gives up");
    stage.fake.happen("was-1", "die", |state| state.status = Status::Exited);

    let again = UndoLog::open(&stage.path).unwrap();
    let recovered = heal_pending(&*stage.fake, &again).await;
    assert!(recovered.complete());
    assert_eq!(recovered.healed[0].0, "kill was-1");
    assert_eq!(stage.fake.calls(), ["kill was-1", "start was-1"]);

    let twice = heal_pending(&*stage.fake, &UndoLog::open(&stage.path).unwrap()).await;
    assert_eq!(twice.healed, []);
    assert_eq!(stage.fake.calls().len(), 2);
}

#[tokio::test]
async fn recovery_says_when_the_platform_cannot_be_reached_again() {
    let stage = Stage::new().await;
    let injection = stage.inject(r#"{ "do": "kill" }"#).await.unwrap();
    let error = recover(&stage.path).await.unwrap_err();
    assert!(matches!(error, RecoverError::Unreachable { .. }));
    let _ = stage.heal(injection).await;
    assert_eq!(recover(&stage.path).await.unwrap().healed, []);
}

#[tokio::test(start_paused = true)]
async fn health_is_awaited_and_its_absence_is_told() {
    let stage = Stage::new().await;
    stage.fake.happen("was-1", "health", |state| state.health = Some(Health::Starting));
    let limit = Duration::from_secs(5);
    let error = await_healthy(&*stage.fake, &stage.instance, limit).await.unwrap_err();
    assert_eq!(error.to_string(), "`was-1` is not healthy after 5s: running, health starting");
    stage.fake.happen("was-1", "health", |state| state.health = Some(Health::Healthy));
    await_healthy(&*stage.fake, &stage.instance, limit).await.unwrap();
}

/// One instance, `was-1`, and an undo log in a directory of its own.
struct Stage {
    fake: Arc<Fake>,
    instance: Instance,
    log: UndoLog,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let fake = Arc::new(Fake::new(&[("was", 1)]));
        let instance = fake.instances().await.unwrap().remove(0);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", Anchor::Fake).unwrap();
        Self { fake, instance, log, path, _directory: directory }
    }

    fn order(&self, fault: &str) -> Order {
        let fault: Fault = serde_json::from_str(fault).unwrap();
        Order { number: 0, fault, instance: self.instance.clone() }
    }

    async fn inject(&self, fault: &str) -> Result<Injection, InjectError> {
        inject(&*self.fake, &self.log, &self.order(fault), &mut |_| ()).await
    }

    async fn heal(&self, injection: Injection) -> Healed {
        injection.heal(&*self.fake, &self.log, &mut |_| ()).await
    }
}

/// The kind of each line of an undo log.
fn kinds(log: &str) -> Vec<String> {
    let kind = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.as_object().unwrap().keys().next().unwrap().clone()
    };
    log.lines().map(kind).collect()
}
