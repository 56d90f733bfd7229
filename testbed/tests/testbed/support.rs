//! Processes of the testbed on free ports, ended with the test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Response};
use tempfile::TempDir;

/// How long anything may take before the test is lost; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A role of the testbed as a process.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a role on a free port and waits until it listens.
    pub(crate) fn start(role: &str, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", role, args)
    }

    /// Starts a role on an address that was somebody's before.
    pub(crate) fn start_at(listen: &str, role: &str, args: &[&str]) -> Self {
        let mut child = command(role)
            .args(["--exit-with-stdin", "--listen", listen])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let address = first.trim().split("address=").nth(1).expect(&first).parse().unwrap();
        let log = Arc::default();
        follow(lines, Arc::clone(&log));
        Self { child, address, log }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Kills it and waits until it is gone, its connections with it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Closes its stdin, as the death of its parent would.
    pub(crate) fn orphan(&mut self) {
        drop(self.child.stdin.take());
    }

    /// How it ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Waits for a line of the log that holds all `words`.
    pub(crate) async fn logs(&self, words: &[&str]) {
        let holds = |line: &String| words.iter().all(|word| line.contains(word));
        eventually("the line is logged", async || self.log.lock().unwrap().iter().any(holds)).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended in the test; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The testbed's own binary with `role`.
pub(crate) fn command(role: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.arg(role);
    command
}

/// What instances of the order service share, and the flags that say so.
pub(crate) struct Shared {
    directory: TempDir,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// Starts an instance on a free port.
    pub(crate) fn was(&self, name: &str, args: &[&str]) -> Process {
        self.was_at("127.0.0.1:0", name, args)
    }

    pub(crate) fn was_at(&self, listen: &str, name: &str, args: &[&str]) -> Process {
        let directory = self.directory.path().display();
        let (database, uploads) =
            (format!("sqlite:{directory}/orders.db"), format!("{directory}/uploads"));
        let flags = ["--name", name, "--database", &database, "--uploads", &uploads];
        Process::start_at(listen, "was", &[&flags, args].concat())
    }
}

/// A user with cookies.
pub(crate) fn user() -> Client {
    Client::builder().cookie_store(true).no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Logs `user` in at `process`.
pub(crate) async fn login(user: &Client, process: &Process) -> Response {
    let form = [("user", "u1"), ("password", "secret")];
    user.post(process.url("/login")).form(&form).send().await.unwrap()
}

/// The name of the instance that gave `response`.
pub(crate) fn served_by(response: &Response) -> String {
    response.headers()["x-served-by"].to_str().unwrap().to_owned()
}

/// Asks again and again until `fact` holds.
pub(crate) async fn eventually(what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !fact().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}

fn follow(lines: BufReader<ChildStdout>, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    });
}
