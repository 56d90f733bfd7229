//! Starts the real binary in a world of its own, and says what it left there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rehearsal_reports::event::What;
use rehearsal_reports::journal::Journal;
use rehearsal_reports::record::Record;
use serde_json::Value;
use tempfile::TempDir;

/// Time between two looks at a thing that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A run that needs more looks than this hangs: two minutes.
const LOOKS: usize = 6_000;

/// Looks until a process that has been told to end must have ended: two seconds.
const AFTERMATH: usize = 100;

/// The files that every run leaves in its directory.
pub(crate) const FILES: [&str; 10] = [
    "run.json",
    "journal",
    "summary.txt",
    "summary.json",
    "seconds.csv",
    "failures.csv",
    "junit.xml",
    "summary.md",
    "report.html",
    "latency.hlog",
];

/// The embedded testbed with a little load and no fault; a test changes what it is about.
pub(crate) const EMBEDDED: &str = r#"name: end to end
system:
  embedded: { was: 3 }
phases: { warm-up: 1s, steady: 3s, fault: 3s, recovery: 4s }
seed: 7
users: 20
load:
  - executor: constant-arrival-rate
    rate: 30/s
    journey: order
journeys:
  order:
    - once:
        - post: /login
          form: { user: "u{{ user }}", password: secret }
          expect: { status: 200 }
    - get: /whoami
      expect: { status: 200, json: { user: "u{{ user }}" } }
    - let: { order: "{{ uuid }}" }
    - post: /orders
      json: { item: 1, id: "{{ order }}" }
      expect: { status: 201 }
prober: { path: /version }
faults: []
objectives:
  - outage <= 1s
"#;

/// `EMBEDDED` with this fault.
pub(crate) fn with_fault(fault: &str) -> String {
    changed(EMBEDDED, "faults: []", &format!("faults:\n  - {fault}"))
}

/// `text` with its one `old` replaced; a test that changes nothing tests nothing.
pub(crate) fn changed(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "`{old}` stands once in:\n{text}");
    text.replace(old, new)
}

/// The workspace.
pub(crate) fn root() -> PathBuf {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.parent().expect("the workspace").to_owned()
}

/// Looks until `seen` is there; a panic that says what was waited for when it never is.
pub(crate) fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    looks(LOOKS, &mut seen).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

fn looks<T>(count: usize, mut seen: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..count {
        if let Some(seen) = seen() {
            return Some(seen);
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two looks")]
        std::thread::sleep(LOOK_EVERY);
    }
    None
}

/// A directory with a state of its own, in which commands run one after another or at once.
pub(crate) struct World {
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of this name and text.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// The program with `args`, in this world; `name` is for its output.
    pub(crate) fn command(&self, name: &str, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let file = |end: &str| File::create(self.path(&format!("{name}.{end}"))).expect("a file");
        command.args(args).current_dir(self.directory.path());
        command.env("REHEARSAL_STATE", self.path("state")).env_remove("REHEARSAL_LOG");
        command.env("DOCKER_HOST", "unix:///nonexistent.sock");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        command
    }

    /// Runs `rehearsal` with `args` to its end.
    pub(crate) fn rehearsal(&self, args: &[&str]) -> Ended {
        let command = self.command("command", binary(), args);
        Going::start(self, command, "command", self.path("none")).end()
    }

    /// Processes of this world that live: they have its state directory in their environment.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let mark = format!("REHEARSAL_STATE={}", self.path("state").display());
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let ours = pids.filter(|pid: &i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        ours.filter_map(Process::of).collect()
    }

    /// Waits until no process of this world is left: they need a moment to end after whoever
    /// started them.
    pub(crate) fn await_nobody(&self) {
        let mut left = Vec::new();
        let gone = looks(AFTERMATH, || {
            left = self.processes();
            left.is_empty().then_some(())
        });
        assert!(gone.is_some(), "left running: {left:?}");
    }

    /// The names in the world's directory, but for the outputs of commands.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("the world").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> =
            names.filter(|name| !name.ends_with(".stdout") && !name.ends_with(".stderr")).collect();
        names.sort();
        names
    }
}

impl Drop for World {
    /// A test that failed half-way leaves nobody behind either.
    fn drop(&mut self) {
        for process in self.processes() {
            // It may have ended by itself meanwhile.
            kill(Pid::from_raw(process.pid), Signal::SIGKILL).ok();
        }
    }
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) state: char,
    pub(crate) command: String,
}

impl Process {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let state = stat.rsplit_once(')')?.1.trim_start().chars().next()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some(Self { pid, state, command })
    }

    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state == 'T'
    }
}

/// A run to be made: `rehearsal run`.
pub(crate) struct Run<'a> {
    world: &'a World,
    scenario: PathBuf,
    out: String,
    args: Vec<String>,
}

impl<'a> Run<'a> {
    /// Of the scenario with this text.
    pub(crate) fn new(world: &'a World, yaml: &str) -> Self {
        world.write("scenario.yaml", yaml);
        // The name as a person would type it, and as messages repeat it.
        Self::file(world, Path::new("scenario.yaml"))
    }

    /// Of the scenario in this file.
    pub(crate) fn file(world: &'a World, scenario: &Path) -> Self {
        Self { world, scenario: scenario.to_owned(), out: "run".to_owned(), args: Vec::new() }
    }

    pub(crate) fn set(mut self, set: &str) -> Self {
        self.args.extend(["--set".to_owned(), set.to_owned()]);
        self
    }

    pub(crate) fn out(mut self, out: &str) -> Self {
        out.clone_into(&mut self.out);
        self
    }

    fn args(&self) -> Vec<&str> {
        let scenario = self.scenario.to_str().expect("a readable path");
        let own = ["run", scenario, "--out", &self.out];
        own.into_iter().chain(self.args.iter().map(String::as_str)).collect()
    }

    /// Starts it and returns at once.
    pub(crate) fn start(&self) -> Going<'a> {
        self.start_as(binary(), &[])
    }

    /// Starts `program` with `before` and then what `rehearsal` is told.
    pub(crate) fn start_as(&self, program: &Path, before: &[&str]) -> Going<'a> {
        let name = Path::new(&self.out).file_name().and_then(|name| name.to_str());
        let name = name.expect("a readable name");
        let args = [before, &self.args()].concat();
        let command = self.world.command(name, program, &args);
        Going::start(self.world, command, name, self.world.path(&self.out))
    }

    /// Runs it to its end, with which all that it started must have ended too.
    pub(crate) fn finish(&self) -> Ended {
        let ended = self.start().end();
        self.world.await_nobody();
        ended
    }

    /// Runs it to its end, which is `code`; again while it says itself that this machine was too
    /// busy to measure. When it says so a third time, inconclusive is the right end.
    #[track_caller]
    pub(crate) fn finish_sound(self, code: i32) -> Ended {
        let mut ended = self.finish();
        for _ in 0..2 {
            if ended.code != Some(3) || ended.is_sound() {
                break;
            }
            fs::remove_dir_all(&ended.directory).expect("removed");
            ended = self.finish();
        }
        let sound = ended.is_sound();
        if sound { ended.exits(code) } else { ended.exits_one_of(&[code, 3]) }
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rehearsal"))
}

/// A command that has been started.
pub(crate) struct Going<'a> {
    world: &'a World,
    child: Child,
    name: String,
    directory: PathBuf,
}

impl<'a> Going<'a> {
    fn start(world: &'a World, mut command: Command, name: &str, directory: PathBuf) -> Self {
        let child = command.spawn().expect("started");
        Self { world, child, name: name.to_owned(), directory }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("signalled");
    }

    /// Waits until a fault is in effect, as the undo log says.
    pub(crate) fn await_fault(&mut self) {
        let log = self.directory.join("undo.jsonl");
        self.await_seen("a fault in effect", || {
            fs::read_to_string(&log).unwrap_or_default().contains("\"applied\"").then_some(())
        });
    }

    /// Waits until `seen` is there; not beyond the end of the command.
    pub(crate) fn await_seen<T>(&mut self, what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
        let found = until(what, || {
            let found = seen();
            let ended = self.child.try_wait().expect("a child of ours").is_some();
            (ended || found.is_some()).then_some(found)
        });
        found.unwrap_or_else(|| panic!("ended before {what}:\n{}", self.words()))
    }

    fn words(&self) -> String {
        let read = |end: &str| {
            fs::read_to_string(self.world.path(&format!("{}.{end}", self.name))).unwrap_or_default()
        };
        format!("{}{}", read("stdout"), read("stderr"))
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let status = until(&format!("the end of `{}`", self.name), || {
            self.child.try_wait().expect("a child of ours")
        });
        let read = |end: &str| {
            fs::read_to_string(self.world.path(&format!("{}.{end}", self.name))).unwrap_or_default()
        };
        Ended {
            code: status.code(),
            stdout: read("stdout"),
            stderr: read("stderr"),
            directory: self.directory,
        }
    }
}

/// What a command that has ended leaves.
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Where it wrote its run, if it made one.
    pub(crate) directory: PathBuf,
}

impl Ended {
    /// Fails, with all that was said, unless it ended with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless it ended with one of `codes`.
    #[track_caller]
    pub(crate) fn exits_one_of(self, codes: &[i32]) -> Self {
        assert!(
            self.code.is_some_and(|code| codes.contains(&code)),
            "not one of {codes:?}: {self}"
        );
        self
    }

    /// Fails unless stderr holds all `parts`.
    #[track_caller]
    pub(crate) fn complains(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing from:\n{self}");
        }
        self
    }

    /// Whether the run says that it kept its own times.
    #[track_caller]
    pub(crate) fn is_sound(&self) -> bool {
        let validity = &self.summary()["validity"];
        let late = ["invalid_seconds", "probes_excluded"].map(|name| validity[name].as_u64());
        late == [Some(0); 2]
    }

    /// The text of a file in the run directory.
    #[track_caller]
    pub(crate) fn file(&self, name: &str) -> String {
        let text = fs::read_to_string(self.directory.join(name));
        text.unwrap_or_else(|error| panic!("{name}: {error}\n{self}"))
    }

    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.file("summary.json")).expect("JSON")
    }

    /// The rows of a CSV file, by the names of its columns.
    #[track_caller]
    pub(crate) fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = self.file(name);
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        rows.map(|row| row.expect("a row")).collect()
    }

    /// What happened, as the journal tells it.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<What> {
        let mut journal = Journal::open(&self.directory).expect("a journal");
        let mut events = Vec::new();
        while let Some(record) = journal.next().expect("a sound journal") {
            if let Record::Event(event) = record {
                events.push(event.what);
            }
        }
        events
    }

    /// Fails unless every file of a run is there and says something.
    #[track_caller]
    pub(crate) fn left_all_files(&self) {
        for name in FILES {
            assert!(!self.file_bytes(name).is_empty(), "{name} is empty");
        }
    }

    #[track_caller]
    fn file_bytes(&self, name: &str) -> Vec<u8> {
        let bytes = fs::read(self.directory.join(name));
        bytes.unwrap_or_else(|error| panic!("{name}: {error}\n{self}"))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

/// The number at `pointer`; null is none.
#[track_caller]
pub(crate) fn number(json: &Value, pointer: &str) -> f64 {
    let found = json.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no number at {pointer} of {json:#}"))
}
