//! Runs without a file: a URL, a curl command or a list of targets, and a few flags.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::support::{Ended, World};

/// A request as it came.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Method and target: `GET /a?b=c`.
    line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A server that answers 200 to everything and remembers what it was asked.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                thread::spawn(move || serve(stream, &all));
            }
        });
        Self { address, seen }
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// What came, but for what the prober and the look before the run asked: they have no header
    /// of ours.
    fn seen(&self, mark: &str) -> Vec<Seen> {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|seen| seen.header(mark).is_some()).cloned().collect()
    }
}

/// Answers the requests of one connection until it ends.
fn serve(stream: TcpStream, all: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = request(&mut reader) {
        all.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut seen = Seen::default();
    let (asked, _) = line.trim_end().rsplit_once(' ')?;
    asked.clone_into(&mut seen.line);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        seen.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Some(seen)
}

/// `rehearsal run ARGS`, whose run is sound or says that it is not.
#[track_caller]
fn run(world: &World, args: &[&str]) -> Ended {
    let args = [&["run"], args, &["--out", "run"]].concat();
    let mut ended = world.rehearsal(&args);
    ended.directory = world.path("run");
    ended.exits_one_of(&[0, 3])
}

fn run_json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.file("run.json")).expect("JSON")
}

#[test]
fn a_url_is_loaded_as_the_flags_say() {
    let server = Server::start();
    let world = World::new();
    let url = server.url("/a?b=c");
    let flags =
        ["--rate", "20/s", "--for", "1s", "--header", "X-Mark: 7", "--expect-status", "200"];
    let ended =
        run(&world, &[&[url.as_str()], flags.as_slice(), &["--objective", "p50 <= 5s"]].concat());
    ended.left_all_files();
    assert_eq!(ended.summary()["requests"]["ok"], 20, "{ended}");
    let seen = server.seen("x-mark");
    assert_eq!(seen.len(), 20, "{ended}");
    assert!(
        seen.iter().all(|seen| seen.line == "GET /a?b=c" && seen.header("x-mark") == Some("7"))
    );
    let scenario = run_json(&ended)["scenario"].as_str().expect("a text").to_owned();
    assert!(scenario.contains("rate: 20/s") && scenario.contains("p50 <= 5s"), "{scenario}");
}

#[test]
fn a_body_is_posted() {
    let server = Server::start();
    let world = World::new();
    let url = server.url("/orders");
    let flags = ["--for", "1s", "--rate", "3/s", "-H", "X-Mark: 1", "--body", "{\"item\": 1}"];
    run(&world, &[&[url.as_str()], flags.as_slice()].concat());
    let seen = server.seen("x-mark");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.line == "POST /orders" && seen.body == "{\"item\": 1}"));
}

#[test]
fn a_curl_command_is_made_as_curl_would() {
    let server = Server::start();
    let world = World::new();
    let url = server.url("/orders?x=1");
    let line = format!("curl -X PUT '{url}' \\\n -H 'X-Mark: it'\\''s' -d a=1 -d 'b=two words'");
    run(&world, &["--curl", &line, "--rate", "3/s", "--for", "1s"]);
    let seen = server.seen("x-mark");
    assert_eq!(seen.len(), 3);
    for one in seen {
        assert_eq!(one.line, "PUT /orders?x=1");
        assert_eq!(one.body, "a=1&b=two words");
        assert_eq!(one.header("x-mark"), Some("it's"));
        assert_eq!(one.header("content-type"), Some("application/x-www-form-urlencoded"));
    }
}

#[test]
fn targets_are_asked_in_turn() {
    let server = Server::start();
    let world = World::new();
    let target = |method, path| format!("{method} {}\nX-Mark: 1\n\n", server.url(path));
    let list = [target("GET", "/a"), target("DELETE", "/b"), target("GET", "/a")].concat();
    world.write("targets", &list);
    let ended = run(&world, &["--targets", "targets", "--rate", "30/s", "--for", "1s"]);
    let seen = server.seen("x-mark");
    let count = |line| seen.iter().filter(|seen| seen.line == line).count();
    assert_eq!((count("GET /a"), count("DELETE /b")), (20, 10), "{ended}");
}

#[test]
fn a_file_is_sent_as_it_is() {
    let server = Server::start();
    let world = World::new();
    world.write("targets", &format!("POST {}\nX-Mark: 1\n@body.txt\n", server.url("/c")));
    world.write("body.txt", "of the {{ file }}");
    run(&world, &["--targets", "targets", "--rate", "3/s", "--for", "1s"]);
    let url = server.url("/c");
    let flags = ["--body-file", "body.txt", "-H", "X-Mark: 2", "--rate", "3/s", "--for", "1s"];
    let again = [&["run", url.as_str(), "--out", "again"], flags.as_slice()].concat();
    world.rehearsal(&again).exits_one_of(&[0, 3]);
    let seen = server.seen("x-mark");
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|seen| seen.line == "POST /c" && seen.body == "of the {{ file }}"));
}

#[test]
fn a_list_of_one_target_is_loaded() {
    let server = Server::start();
    let world = World::new();
    world.write("targets", &format!("# one\nGET {}\nX-Mark: 1\n", server.url("/a")));
    run(&world, &["--targets", "targets", "--rate", "3/s", "--for", "1s"]);
    assert_eq!(server.seen("x-mark").len(), 3);
}

#[test]
fn users_and_iterations_make_a_closed_model() {
    let server = Server::start();
    let world = World::new();
    let url = server.url("/");
    let ended =
        run(&world, &[&url, "-H", "X-Mark: 1", "--vus", "2", "--iterations", "50", "--for", "2s"]);
    assert_eq!(server.seen("x-mark").len(), 50, "{ended}");
}

#[test]
fn what_is_saved_plans_as_the_same_and_nothing_is_written_over() {
    let world = World::new();
    let flags = ["http://127.0.0.1:9/", "--rate", "5/s", "--set", "seed=1", "--save", "saved.yaml"];
    let quick = world.rehearsal(&[&["plan"], flags.as_slice()].concat()).exits(0);
    let saved = world.rehearsal(&["plan", "saved.yaml", "--set", "seed=1"]).exits(0);
    assert_eq!(quick.stdout, saved.stdout);
    assert!(quick.stdout.contains("constant-arrival-rate 5/s"), "{quick}");
    let again = world.rehearsal(&[&["plan"], flags.as_slice()].concat()).exits(2);
    again.complains(&["`saved.yaml`", "not there yet"]);
}

#[test]
fn every_key_that_a_flag_writes_is_one_of_scenarios() {
    let world = World::new();
    world.write("body.txt", "text");
    let line = "curl -kL --http2 --compressed -u ann:s3cr3t -F a=b -F 'f=@body.txt;type=text/plain' \
                https://127.0.0.1:9/x?token=t";
    let flags = ["--connections", "shared", "--timeout", "1s", "--expect-status", "2xx,304"];
    let more = ["--warm-up", "1s", "--objective", "p99 <= 1s", "--save", "saved.yaml"];
    let args = [&["plan", "--curl", line], flags.as_slice(), more.as_slice()].concat();
    let planned = world.rehearsal(&args).exits(0);
    assert!(planned.stdout.contains("https://127.0.0.1:9"), "{planned}");
    for http in ["1", "2", "h2c"] {
        let url = if http == "h2c" { "http://127.0.0.1:9/" } else { "https://127.0.0.1:9/" };
        world.rehearsal(&["plan", url, "--http", http, "--insecure"]).exits(0);
    }
    holds_nowhere(&world.path(""), "s3cr3t");
}

/// Fails if a file under `path` holds `secret`.
#[track_caller]
fn holds_nowhere(path: &Path, secret: &str) {
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holds_nowhere(&path, secret);
        } else {
            let bytes = fs::read(&path).expect("a file");
            let held = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!held, "{} holds the secret", path.display());
        }
    }
}

#[test]
fn secrets_are_sent_and_held_by_no_record() {
    let server = Server::start();
    let world = World::new();
    let url = server.url("/a?token=s3cr3t-query");
    let line = format!("curl -H 'X-Mark: 1' -u ann:s3cr3t-password -b sid=s3cr3t-cookie '{url}'");
    let flags = ["--rate", "3/s", "--for", "1s", "--save", "saved.yaml"];
    let more = ["--curl", &line, "-H", "X-Api-Key: s3cr3t-key"];
    let ended = run(&world, &[more.as_slice(), flags.as_slice()].concat());
    let seen = server.seen("x-mark");
    assert_eq!(seen.len(), 3, "{ended}");
    for one in seen {
        assert_eq!(one.line, "GET /a?token=s3cr3t-query");
        assert_eq!(one.header("cookie"), Some("sid=s3cr3t-cookie"));
        assert_eq!(one.header("x-api-key"), Some("s3cr3t-key"));
        // `ann:s3cr3t-password` in base64.
        assert_eq!(one.header("authorization"), Some("Basic YW5uOnMzY3IzdC1wYXNzd29yZA=="));
    }
    holds_nowhere(&world.path(""), "s3cr3t");
    let command = run_json(&ended)["command"].to_string();
    assert!(command.contains("{{ env.REHEARSAL_SECRET_1 }}"), "{command}");
}

#[test]
fn what_is_saved_holds_no_secret_even_if_it_does_not_run() {
    let world = World::new();
    let flags = ["http://ann:s3cr3t@127.0.0.1:9/", "-H", "Authorization: Bearer s3cr3t-2"];
    let ended = world.rehearsal(&[&["plan"], flags.as_slice(), &["--save", "saved.yaml"]].concat());
    let saved = fs::read_to_string(world.path("saved.yaml")).expect("saved");
    assert!(saved.contains("Bearer {{ env.REHEARSAL_SECRET_2 }}"), "{saved}\n{ended}");
    holds_nowhere(&world.path(""), "s3cr3t");
}

#[test]
fn what_cannot_be_loaded_is_told_with_a_way_out() {
    let world = World::new();
    world.write("two", "GET http://127.0.0.1:9/\nGET http://127.0.0.2:9/\n");
    world.write("scenario.yaml", "name: x\n");
    let url = "http://127.0.0.1:9/";
    let cases: [(&[&str], &[&str]); 12] = [
        (&["run"], &["FILE|URL"]),
        (&["run", "http:///"], &["`http:///`", "it has no host", "write it as"]),
        (&["run", url, "--rate", "fast"], &["--rate", "500/s"]),
        (&["run", url, "--rate", "5/s", "--vus", "5"], &["--rate", "--vus"]),
        (&["run", url, "--for", "0s"], &["--for", "30s"]),
        (&["run", url, "--header", "nonsense"], &["`nonsense` is no header", "Name: value"]),
        (&["run", url, "--method", "BREW"], &["`BREW`", "`GET`"]),
        (&["run", url, "--objective", "p99 <= fast"], &["(command line)", "p99 <= fast"]),
        (&["run", url, "--curl", "curl http://127.0.0.1:9/"], &["--curl"]),
        (&["run", "--curl", "curl --proxy x http://h/"], &["`--proxy`", "not known here"]),
        (&["run", "--targets", "two"], &["two:2:", "another origin"]),
        (&["plan", "scenario.yaml", "--rate", "5/s"], &["`scenario.yaml` is a file", "--set"]),
    ];
    for (args, parts) in cases {
        world.rehearsal(args).exits(2).complains(parts);
    }
    let missing = world.rehearsal(&["run", "--targets", "nowhere"]).exits(2);
    missing.complains(&["cannot read the targets `nowhere`"]);
    assert_eq!(world.names(), ["scenario.yaml", "two"]);
}
