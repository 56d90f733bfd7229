//! Faults in real child processes.
//!
//! The children are this test binary itself, run so that only [`child`] takes place: it listens on a
//! port and ends when its standard input does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, SystemTime},
};

use rehearsal_chaos::{
    fault::Fault,
    heal::{End, await_healthy},
    injection::{Order, inject},
    instance::{Health, Instance, State, Status},
    platform::{
        Platform, PlatformError,
        processes::{ProcessSpec, Processes},
    },
    recover::recover,
    undo_log::UndoLog,
};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn each_fault_is_proven_and_healed() {
    let stage = Stage::with(2).await;
    for fault in [
        r#"{ "do": "pause" }"#,
        r#"{ "do": "kill" }"#,
        r#"{ "do": "kill", "signal": "SIGTERM" }"#,
        r#"{ "do": "stop", "grace": "5s" }"#,
        r#"{ "do": "restart", "grace": "5s" }"#,
    ] {
        let fault: Fault = serde_json::from_str(fault).unwrap();
        let instance = stage.instance().await;
        let order = Order { number: 0, fault: fault.clone(), instance: instance.clone() };
        let injection = inject(&stage.processes, &stage.log, &order, &mut |_| ()).await.unwrap();
        let broken = stage.state().await;
        match &fault {
            Fault::Pause(_) => assert_eq!(broken.status, Status::Paused),
            Fault::Stop(_) | Fault::Kill(_) => assert_eq!(broken.status, Status::Exited),
            Fault::Restart(_) => assert_ne!(broken.pid, instance.state.pid),
        }
        let healed = injection.heal(&stage.processes, &stage.log, &mut |_| ()).await;
        assert_eq!(healed.end, End::Restored, "{fault}");
        await_healthy(&stage.processes, &instance, LIMIT).await.unwrap();
        assert_eq!(stage.log.pending(), []);
    }
}

#[tokio::test]
async fn the_end_of_a_child_is_told_with_its_code_and_leaves_no_zombie() {
    let stage = Stage::with(1).await;
    let mut changes = stage.processes.changes().await.unwrap();
    let pid = stage.instance().await.state.pid.unwrap();
    stage.processes.kill("was-1", rehearsal_chaos::signal::Signal::Kill).await.unwrap();
    let die = loop {
        let change = tokio::time::timeout(LIMIT, changes.recv()).await.unwrap().unwrap();
        if change.action == "die" {
            break change;
        }
    };
    assert_eq!((die.id.as_str(), die.exit_code), ("was-1", Some(137)));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(stage.state().await.exit_code, Some(137));
}

#[tokio::test]
async fn a_frozen_child_is_not_well_and_a_thawed_one_is() {
    let stage = Stage::with(1).await;
    stage.processes.pause("was-1").await.unwrap();
    assert_eq!(stage.state().await.health, Some(Health::Unhealthy));
    stage.processes.resume("was-1").await.unwrap();
    assert_eq!(stage.state().await.health, Some(Health::Healthy));
}

#[tokio::test]
async fn children_end_when_asked_to_and_frozen_ones_too() {
    let stage = Stage::with(2).await;
    let pids = stage.pids().await;
    stage.processes.pause("was-2").await.unwrap();
    stage.processes.shutdown(LIMIT).await;
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}

#[tokio::test]
async fn children_are_killed_when_dropped() {
    let Stage { processes, log: _, directory: _directory } = Stage::with(1).await;
    let pid = processes.instances().await.unwrap()[0].state.pid.unwrap();
    drop(processes);
    tokio::time::timeout(LIMIT, ended(pid)).await.unwrap();
}

#[tokio::test]
async fn a_child_that_ends_before_it_is_ready_is_an_error_with_its_last_words() {
    let directory = tempfile::tempdir().unwrap();
    let mut spec = spec(directory.path(), 1);
    spec.env.insert("CHILD_FAILS".into(), "the licence has expired".into());
    let error = Processes::start(vec![spec], epoch).await.unwrap_err();
    assert!(matches!(&error, PlatformError::NotReady { name, .. } if name == "was-1"));
    assert!(error.to_string().contains("the licence has expired"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_before_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = spec(directory.path(), 1);
    spec.ready = taken.local_addr().unwrap();
    let error = Processes::start(vec![spec], epoch).await.unwrap_err();
    assert!(error.to_string().contains("something else already listens"), "{error}");
}

#[tokio::test]
async fn a_process_that_is_not_ours_is_not_touched() {
    let stage = Stage::with(1).await;
    let error = stage.processes.pause("1").await.unwrap_err();
    assert!(matches!(error, PlatformError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn recovery_ends_a_child_that_its_run_left_frozen_once() {
    let stage = Stage::with(1).await;
    let instance = stage.instance().await;
    let fault: Fault = serde_json::from_str(r#"{ "do": "pause" }"#).unwrap();
    let order = Order { number: 0, fault, instance: instance.clone() };
    let injection = inject(&stage.processes, &stage.log, &order, &mut |_| ()).await.unwrap();

    let recovered = recover(stage.log.path()).await.unwrap();
    assert!(recovered.complete());
    assert_eq!(recovered.healed[0].1.steps, ["ended was-1, which its run had left behind"]);
    tokio::time::timeout(LIMIT, ended(instance.state.pid.unwrap())).await.unwrap();
    assert_eq!(recover(stage.log.path()).await.unwrap().healed, []);
    drop(injection);
}

/// What the children of the other tests do; on its own it has nothing to do.
#[test]
#[expect(clippy::exit, reason = "the way in which a service ends that cannot start")]
fn child() {
    if let Ok(reason) = std::env::var("CHILD_FAILS") {
        writeln!(std::io::stderr(), "{reason}").unwrap();
        std::process::exit(3);
    }
    let Ok(address) = std::env::var("CHILD_LISTENS") else { return };
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Some children, `was-1` and further, and an undo log.
struct Stage {
    processes: Processes,
    log: UndoLog,
    directory: tempfile::TempDir,
}

impl Stage {
    async fn with(children: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let specs = (1..=children).map(|index| spec(directory.path(), index)).collect();
        let processes = Processes::start(specs, epoch).await.unwrap();
        let path = directory.path().join("undo.jsonl");
        let log = UndoLog::create(&path, "run-1", processes.anchor()).unwrap();
        Self { processes, log, directory }
    }

    async fn instance(&self) -> Instance {
        self.processes.instances().await.unwrap().remove(0)
    }

    async fn state(&self) -> State {
        self.processes.inspect("was-1").await.unwrap()
    }

    async fn pids(&self) -> Vec<u32> {
        let instances = self.processes.instances().await.unwrap();
        instances.iter().filter_map(|instance| instance.state.pid).collect()
    }
}

fn spec(directory: &Path, index: u32) -> ProcessSpec {
    let ready = free_address();
    ProcessSpec {
        service: "was".into(),
        index,
        program: std::env::current_exe().unwrap(),
        args: ["--exact", "child", "--nocapture"].map(str::to_owned).into(),
        env: BTreeMap::from([("CHILD_LISTENS".to_owned(), ready.to_string())]),
        log: directory.join(format!("was-{index}.log")),
        ready,
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn epoch() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

/// Waits until the process is no more, or no more than a zombie that the runtime will wait for.
async fn ended(pid: u32) {
    let running = |stat: String| !stat.rsplit(')').next().unwrap_or("").trim().starts_with('Z');
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(running) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
