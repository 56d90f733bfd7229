//! The container testbed, under the real binary. One test at a time, each in a project and on a port
//! of its own.
//!
//! Without an engine the tests are left out and say so in one line; with `REHEARSAL_REQUIRE_DOCKER=1`
//! that is a failure.

#![expect(clippy::print_stderr, reason = "a test that is left out says so")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Two loads at once on one small machine would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Phases that fit into a test.
const SHORT: &str = "phases={ warm-up: 4s, steady: 6s, fault: 6s, recovery: 8s }";

/// A compose project of one test.
struct Project {
    name: String,
    port: u16,
    files: TempDir,
    retries: &'static str,
    _turn: MutexGuard<'static, ()>,
}

impl Project {
    /// A project that is not up yet; `None` when there is no engine and none is required.
    fn new(test: &str) -> Option<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = docker(&["info"]).status.success();
        if !answers && std::env::var_os("REHEARSAL_REQUIRE_DOCKER").is_none_or(|var| var != "1") {
            eprintln!("left out: {test} needs a Docker engine, and none answers");
            return None;
        }
        assert!(answers, "REHEARSAL_REQUIRE_DOCKER=1, and no Docker engine answers");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let port = port.expect("a free port").port();
        let name = format!("rehearsal-test-{}-{port}", std::process::id());
        let files = tempfile::tempdir().expect("a directory");
        Some(Self { name, port, files, retries: "on", _turn: turn })
    }

    /// `rehearsal run` of a scenario of the library, in this project.
    fn command(&self, scenario: &str, out: &str, sets: &[&str]) -> Command {
        let root = root();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.arg("run").arg(root.join("scenarios").join(scenario));
        command.arg("--out").arg(self.out(out));
        let own = [
            format!("system.project={}", self.name),
            format!("system.target=http://127.0.0.1:{}", self.port),
            format!("system.env.REHEARSAL_PORT='{}'", self.port),
            format!("system.env.FRONT_RETRIES='{}'", self.retries),
            SHORT.to_owned(),
        ];
        for set in own.iter().map(String::as_str).chain(sets.iter().copied()) {
            command.args(["--set", set]);
        }
        command.env("REHEARSAL_STATE", self.files.path().join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, scenario: &str, out: &str, sets: &[&str]) -> Ended {
        let output = self.command(scenario, out, sets).output().expect("started");
        Ended::of(&output, &self.out(out))
    }

    fn out(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Ids of this project's containers that `filter` lets through.
    fn containers(&self, filter: &str) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.name);
        let output = docker(&["ps", "-aq", "--filter", &label, "--filter", filter]);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Another command of the program, in this test's world.
    fn other(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.args(args).env("REHEARSAL_STATE", self.files.path().join("state"));
        command.stdin(Stdio::null()).output().expect("started")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm"]),
        ] {
            let found = docker(&[&list[..], &["--filter", &label]].concat());
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let ids: Vec<&str> = found.lines().collect();
            if !ids.is_empty() {
                docker(&[&remove[..], &ids].concat());
            }
        }
    }
}

/// A run that has ended.
struct Ended {
    code: Option<i32>,
    words: String,
    summary: Value,
}

impl Ended {
    fn of(output: &Output, directory: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let summary = fs::read_to_string(directory.join("summary.json"));
        let summary = summary.ok().and_then(|text| serde_json::from_str(&text).ok());
        Self {
            code: output.status.code(),
            words: format!("{}{}", text(&output.stderr), text(&output.stdout)),
            summary: summary.unwrap_or(Value::Null),
        }
    }

    /// Requests that were not ok, warm-up and all.
    fn not_ok(&self) -> u64 {
        let count = |key: &str| self.summary["requests"][key].as_u64().expect("counted");
        count("failed") + count("unknown")
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn docker(args: &[&str]) -> Output {
    Command::new("docker")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|_| Command::new("false").output().expect("a program that fails"))
}

/// Reads the child's progress until a line holds `words`.
fn await_line(child: &mut Child, words: &str) -> BufReader<std::process::ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while lines.read_line(&mut line).expect("readable") > 0 {
        if line.contains(words) {
            return lines;
        }
        line.clear();
    }
    panic!("the run ended without saying `{words}`");
}

/// A child whose words nobody reads would stop at a full pipe.
fn read_to_end(mut rest: impl std::io::Read) {
    std::io::copy(&mut rest, &mut std::io::sink()).expect("readable");
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, signal).expect("signalled");
}

#[test]
fn with_retries_a_dead_was_costs_no_more_than_was_in_flight() {
    let Some(project) = Project::new("a dead WAS with retries") else { return };
    let run = project.run("kill-one-was.yaml", "on", &["load.0.rate=50/s"]);
    assert_eq!(run.code, Some(0), "{}", run.words);
    assert!(run.words.contains("this run brought up"), "{}", run.words);
    assert_eq!(run.summary["outages"].as_array().map(Vec::len), Some(0), "{}", run.summary);
    let in_flight = run.summary["faults"][0]["in_flight"].as_u64().expect("counted at the kill");
    assert!(run.not_ok() <= in_flight, "{} not ok, {in_flight} in flight", run.not_ok());

    let again = project.run("kill-one-was.yaml", "again", &["load.0.rate=50/s"]);
    assert!(again.words.contains("was already up"), "{}", again.words);
    assert_eq!(again.code, Some(0), "{}", again.words);
}

#[test]
fn without_retries_a_dead_was_costs_requests() {
    let Some(mut project) = Project::new("a dead WAS without retries") else { return };
    project.retries = "off";
    let run = project.run("kill-one-was.yaml", "off", &["load.0.rate=50/s"]);
    assert!(run.not_ok() > 0, "{}", run.words);
    let in_flight = run.summary["faults"][0]["in_flight"].as_u64().expect("counted at the kill");
    assert!(run.not_ok() > in_flight, "more than what was cut: {}", run.words);
    assert_eq!(run.code, Some(1), "{}", run.words);
}

#[test]
fn the_outage_of_all_was_agrees_with_their_own_logs() {
    let Some(project) = Project::new("the outage of all WAS") else { return };
    let sets = ["faults.0.on.pick=all", "objectives=[\"outage <= 1s\"]", "load.0.rate=50/s"];
    let run = project.run("kill-one-was.yaml", "all", &sets);
    assert_eq!(run.code, Some(1), "{}", run.words);
    let outages = run.summary["outages"].as_array().expect("listed");
    let measured = outages.iter().find(|one| one["target"] == "front").expect("at the front");
    let measured = measured["length_seconds"].as_f64().expect("in seconds");
    let served = longest_silence(&project.containers("label=com.docker.compose.service=was"));
    assert!((measured - served).abs() <= 0.2, "measured {measured} s, the logs say {served} s");
}

/// The longest time without a request in the logs of these containers, in seconds. Their own checks
/// and those of the web servers are no requests of users.
fn longest_silence(containers: &[String]) -> f64 {
    let mut times: Vec<f64> = Vec::new();
    for id in containers {
        let logs = docker(&["logs", id]);
        for line in String::from_utf8_lossy(&logs.stdout).lines() {
            let user = line.contains("path=") && !line.contains("path=/ready");
            if user && !line.contains("path=/health") {
                let stamp: jiff::Timestamp =
                    line.split(' ').next().and_then(|it| it.parse().ok()).expect("a timestamp");
                times.push(stamp.as_duration().as_secs_f64());
            }
        }
    }
    times.sort_by(f64::total_cmp);
    times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn the_second_of_two_runs_is_refused_with_the_first_ones_id() {
    let Some(project) = Project::new("two runs at once") else { return };
    let mut first = project.command("kill-one-was.yaml", "first", &[]).spawn().expect("started");
    let rest = await_line(&mut first, "steady:");
    let second = project.run("kill-one-was.yaml", "second", &[]);
    assert_eq!(second.code, Some(5), "{}", second.words);
    let record = fs::read_to_string(project.out("first").join("run.json")).expect("written");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    let id = record["id"].as_str().expect("an id");
    assert!(second.words.contains(id), "{} does not name {id}", second.words);
    signal(&first, Signal::SIGTERM);
    read_to_end(rest);
    assert_eq!(first.wait().expect("ended").code(), Some(130));
}

#[test]
fn an_interrupt_in_the_middle_of_a_pause_leaves_nothing_paused() {
    let Some(project) = Project::new("an interrupted pause") else { return };
    let sets = ["faults=[{ do: pause, on: { service: was }, during: fault }]"];
    let mut run = project.command("kill-one-was.yaml", "int", &sets).spawn().expect("started");
    let rest = await_line(&mut run, "now: pause");
    assert_eq!(project.containers("status=paused").len(), 1);
    signal(&run, Signal::SIGINT);
    read_to_end(rest);
    assert_eq!(run.wait().expect("ended").code(), Some(130));
    assert_eq!(project.containers("status=paused").len(), 0);
    assert!(project.out("int").join("report.html").exists());
}

#[test]
fn a_run_that_was_killed_can_be_reported_and_recovered() {
    let Some(project) = Project::new("a killed run") else { return };
    let faults = "faults=[{ do: pause, on: { service: was }, during: fault }]";
    // What is missed outranks what cannot be judged: without objectives, only the cut remains.
    let sets = [faults, "objectives=[]"];
    let mut run = project.command("kill-one-was.yaml", "killed", &sets).spawn().expect("started");
    let rest = await_line(&mut run, "now: pause");
    signal(&run, Signal::SIGKILL);
    run.wait().expect("ended");
    drop(rest);
    assert_eq!(project.containers("status=paused").len(), 1, "nobody is left to heal it");

    let directory = project.out("killed");
    let report = project.other(&["report", &directory.display().to_string()]);
    let words = String::from_utf8_lossy(&report.stdout).into_owned();
    assert_eq!(report.status.code(), Some(3), "{words}");
    assert!(directory.join("report.html").exists() && words.contains("cut off"), "{words}");

    let first = project.other(&["recover", "--all"]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stdout));
    assert_eq!(project.containers("status=paused").len(), 0);
    let second = project.other(&["recover", "--all"]);
    assert_eq!(String::from_utf8_lossy(&second.stdout), "nothing to recover\n");
}

#[test]
fn other_faults_are_proven_and_healed_and_down_takes_all_away() {
    let Some(project) = Project::new("the other faults") else { return };
    let faults = "faults=[\
        { do: kill, on: { service: db-replica }, at: 4s, for: 3s },\
        { do: stop, grace: 5s, on: { service: was, index: 1 }, at: 8s, for: 4s },\
        { do: restart, on: { service: web, pick: one }, at: 16s, planned: true }]";
    let sets = [faults, "load.0.rate=50/s", "objectives=[\"availability >= 99%\"]"];
    let mut command = project.command("kill-one-was.yaml", "many", &sets);
    let run = Ended::of(&command.arg("--down").output().expect("started"), &project.out("many"));
    assert_eq!(run.code, Some(0), "{}", run.words);
    let faults = run.summary["faults"].as_array().expect("listed");
    let restored: BTreeMap<&str, bool> = faults
        .iter()
        .map(|fault| (fault["name"].as_str().unwrap_or(""), fault["marks"]["restored"].is_f64()))
        .collect();
    assert_eq!(restored.len(), 3, "{restored:?}");
    assert!(restored.values().all(|restored| *restored), "{restored:?}");
    assert_eq!(project.containers("status=running").len(), 0);
}

#[test]
fn a_port_of_somebody_else_gets_no_load() {
    let Some(project) = Project::new("a port of somebody else") else { return };
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = stranger.local_addr().expect("an address").port();
    let target = format!("system.target=http://127.0.0.1:{port}");
    let run = project.run("kill-one-was.yaml", "stranger", &[&target]);
    assert_eq!(run.code, Some(5), "{}", run.words);
    assert!(run.words.contains("no load was sent"), "{}", run.words);
    stranger.set_nonblocking(true).expect("set");
    assert!(stranger.accept().is_err(), "somebody connected");
}

#[test]
fn an_unknown_service_is_told_before_anything_is_brought_up() {
    let Some(project) = Project::new("an unknown service") else { return };
    let run = project.run("kill-one-was.yaml", "typo", &["faults.0.on.service=wass"]);
    assert_eq!(run.code, Some(2), "{}", run.words);
    assert!(run.words.contains("did you mean `was`?"), "{}", run.words);
    assert_eq!(project.containers("label=com.docker.compose.service").len(), 0);
}
