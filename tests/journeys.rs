//! Journeys end to end: against a server of the test's own, which tells what it was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ended, Run, World, binary, changed, root};

/// A request as the server got it.
#[derive(Clone, Debug)]
struct Got {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    at: Instant,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// A server that answers by the path, and what it was asked by the journeys: the prober asks for
/// `/`, which is left out.
struct Server {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let got = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&got);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let all = Arc::clone(&all);
                thread::spawn(move || converse(stream, &all));
            }
        });
        Self { address, got }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }

    /// How often each path was asked for.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for got in self.got() {
            *counts.entry(got.path().to_owned()).or_default() += 1;
        }
        counts
    }
}

/// Answers one request after the other, until the other end has had enough.
fn converse(stream: TcpStream, all: &Mutex<Vec<Got>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    while let Some(got) = request(&mut reader) {
        let before = {
            let mut all = all.lock().expect("no panic");
            let before = all.iter().filter(|old| old.target == got.target).count();
            if got.target != "/" {
                all.push(got.clone());
            }
            before
        };
        let (status, lines, body) = answer(&got, before);
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{lines}\r\n", body.len());
        let body = if got.method == "HEAD" { Vec::new() } else { body };
        // In one piece: the kernel would hold back the second one of two.
        if writer.write_all(&[head.into_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's own clock says when it was asked")]
fn request(reader: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Got { method, target, headers, body, at: Instant::now() })
}

/// Status, header lines and body for a request that was asked `before` so often.
fn answer(got: &Got, before: usize) -> (&'static str, String, Vec<u8>) {
    let plain = |body: &str| ("200 OK", String::new(), body.as_bytes().to_vec());
    match got.path() {
        "/page" => plain(
            "<form><input name=csrf value='c&amp;1'></form><a class=next href='/follow?x=1'>on</a> id=42;",
        ),
        "/poll" => {
            plain(if before % 3 == 2 { r#"{"state":"done"}"# } else { r#"{"state":"open"}"# })
        }
        "/enter" => {
            ("200 OK", "set-cookie: s=1; Path=/\r\nset-cookie: old=1\r\n".to_owned(), Vec::new())
        }
        "/leave" => ("200 OK", "set-cookie: s=; Max-Age=0\r\n".to_owned(), Vec::new()),
        "/items" => plain(r#"{"total": 3, "items": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}"#),
        "/broken" => {
            // Repeats all that it was told, as a careless page of errors does.
            let mut text = String::new();
            for (name, value) in &got.headers {
                writeln!(text, "{name}: {value}").expect("a string takes every text");
            }
            let text = format!("{}\n{text}\n{}", got.target, got.text());
            let named = format!("x-served-by: {}\r\n", got.header("x-token"));
            ("500 Internal Server Error", named, text.into_bytes())
        }
        _ => {
            let body = json!({ "target": got.target, "body": got.text(), "token": "t-1" });
            (
                "200 OK",
                "x-id: 4711\r\nx-served-by: echo\r\n".to_owned(),
                body.to_string().into_bytes(),
            )
        }
    }
}

/// A scenario with these steps: so many journeys a second for a second.
fn scenario(server: &Server, rate: u32, steps: &str) -> String {
    format!(
        "name: journeys\nsystem: {{ target: \"http://{}\" }}\nphases: {{ steady: 1s }}\nseed: 1\n\
        users: 1\nload:\n  - {{ executor: constant-arrival-rate, rate: {rate}/s, journey: j, maxVUs: 1 }}\n\
        journeys:\n  j:\n{steps}prober: {{ rate: 1/s }}\nobjectives: []\n",
        server.address
    )
}

/// Runs it; the numbers of requests that were ok and not.
fn run(world: &World, yaml: &str) -> (Ended, u64, u64) {
    let ended = Run::new(world, yaml).finish().exits_one_of(&[0, 3]);
    let requests = ended.summary()["requests"].clone();
    let count = |name: &str| requests[name].as_u64().expect("a count");
    (ended, count("ok"), count("failed") + count("unknown"))
}

#[test]
fn the_scenario_that_shows_all_of_it_passes() {
    let world = World::new();
    let ended = Run::file(&world, &root().join("scenarios/journeys.yaml")).finish_sound(0);
    assert_eq!(ended.rows("failures.csv").len(), 0, "{ended}");
}

#[test]
fn each_part_of_a_request_arrives_as_it_is_written() {
    let (world, server) = (World::new(), Server::new());
    world.write("logo.bin", "\u{1}\u{2}logo");
    let steps = r#"
    - get: "/a b/{{ user }}"
      query: { q: "x & y", tag: [1, two] }
      headers: { X-Channel: "c-{{ user }}" }
      auth: { basic: { user: u, password: p } }
    - post: /json
      json: { n: 1, who: "q\"{{ user }}", raw: "{{ user | raw }}", list: [true, null, 1.5] }
    - put: /form
      form: { "a b": "c&d", e: "{{ iteration }}" }
      auth: { bearer: "b-{{ user }}" }
    - patch: /text
      body: "plain {{ run }}"
    - delete: /gone
    - head: /head
    - post: /file
      file: logo.bin
    - post: /parts
      multipart:
        - { name: note, value: hello }
        - { name: logo, file: logo.bin, content-type: image/x-logo, filename: l.bin }
"#;
    let (ended, ok, not) = run(&world, &scenario(&server, 1, steps));
    assert_eq!((ok, not), (8, 0), "{ended}");
    let got = server.got();
    let methods: Vec<&str> = got.iter().map(|got| got.method.as_str()).collect();
    assert_eq!(methods, ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "POST", "POST"]);
    assert_eq!(got[0].target, "/a%20b/0?q=x%20%26%20y&tag=1&tag=two");
    assert_eq!(got[0].header("host"), server.address.to_string());
    assert_eq!((got[0].header("x-channel"), got[0].header("authorization")), ("c-0", "Basic dTpw"));
    let json: Value = serde_json::from_slice(&got[1].body).expect("JSON");
    assert_eq!(json, json!({ "n": 1, "who": "q\"0", "raw": 0, "list": [true, null, 1.5] }));
    assert_eq!(got[1].header("content-type"), "application/json");
    assert_eq!(
        (got[2].text().as_str(), got[2].header("authorization")),
        ("a+b=c%26d&e=0", "Bearer b-0")
    );
    assert!(
        got[3].text().starts_with("plain 20")
            && got[3].header("content-type").starts_with("text/plain")
    );
    assert!(got[4].header("content-length").is_empty() && got[4].body.is_empty());
    assert_eq!(
        (got[6].text().as_str(), got[6].header("content-type")),
        ("\u{1}\u{2}logo", "application/octet-stream")
    );
    let boundary = got[7].header("content-type").split("boundary=").nth(1).expect("a boundary");
    let parts = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--{boundary}\r\n\
        content-disposition: form-data; name=\"logo\"; filename=\"l.bin\"\r\ncontent-type: image/x-logo\r\n\r\n\
        \u{1}\u{2}logo\r\n--{boundary}--\r\n"
    );
    assert_eq!(got[7].text(), parts);
}

#[test]
fn captures_feed_the_steps_that_follow() {
    let (world, server) = (World::new(), Server::new());
    let steps = r#"
    - get: /echo
      capture: { token: { json: $.token }, id: { header: X-Id }, code: { status: true } }
    - get: /page
      capture:
        csrf: { css: { selector: "input[name=csrf]", attr: value } }
        next: { css: { selector: a.next, attr: href } }
        number: { regex: 'id=(\d+)' }
        none: { json: none, default: "d-{{ user }}" }
    - get: /items
      capture: { second: { json: "items[*].id", index: 1 }, any: { json: "items[*].id", random: true } }
    - get: "{{ next }}"
    - post: /all
      body: "{{ token }} {{ id }} {{ code }} {{ csrf | url }} {{ number }} {{ none }} {{ second }}"
"#;
    let (ended, ok, not) = run(&world, &scenario(&server, 1, steps));
    assert_eq!((ok, not), (5, 0), "{ended}");
    let got = server.got();
    assert_eq!(got[3].target, "/follow?x=1");
    assert_eq!(got[4].text(), "t-1 4711 200 c%261 42 d-0 b");
}

#[test]
fn loops_branches_and_choices_take_their_way() {
    let (world, server) = (World::new(), Server::new());
    let steps = "
    - once: [ { get: /once, capture: { kept: { json: token } } } ]
    - loop: { times: 3 }
      do: [ { get: /times } ]
    - let: { state: open }
    - loop: { while: { state: open }, max: 10 }
      do: [ { get: /poll, capture: { state: { json: state } } } ]
    - if: { state: done, kept: { equals: t-1 }, iteration: { at-most: 3 } }
      then: [ { get: /then } ]
      else: [ { get: /else } ]
    - choose:
        - { weight: 9, do: [ { get: /often } ] }
        - { weight: 1, do: [ { get: /seldom } ] }
        - { weight: 0, do: [ { get: /never } ] }
";
    let yaml = changed(&scenario(&server, 10, steps), "steady: 1s", "steady: 4s");
    let (ended, _, not) = run(&world, &yaml);
    assert_eq!(not, 0, "{ended}");
    let counts = server.counts();
    let journeys = counts["/times"] / 3;
    assert!(journeys >= 5, "{counts:?}\n{ended}");
    let wanted = [("/once", 1), ("/poll", 3 * journeys), ("/then", 4), ("/else", journeys - 4)];
    for (path, count) in wanted {
        assert_eq!(counts.get(path), Some(&count), "{path} of {counts:?}\n{ended}");
    }
    let chosen = |path: &str| counts.get(path).copied().unwrap_or(0);
    assert_eq!(chosen("/often") + chosen("/seldom"), journeys, "{counts:?}");
    assert_eq!(chosen("/never"), 0);
}

#[test]
fn a_loop_that_is_never_done_fails_the_journey() {
    let (world, server) = (World::new(), Server::new());
    let steps = "    - let: { state: open }\n    - loop: { while: { state: open }, max: 4 }\n      \
        do: [ { get: /again } ]\n    - get: /behind\n";
    let (ended, ok, _) = run(&world, &scenario(&server, 1, steps));
    assert_eq!(ok, 4, "{ended}");
    assert_eq!(server.counts(), BTreeMap::from([("/again".to_owned(), 4)]));
}

#[test]
fn a_user_thinks_between_two_steps() {
    let (world, server) = (World::new(), Server::new());
    let steps = "    - get: /before\n    - think: 150ms\n    - get: /behind\n    \
        - think: { uniform: [50ms, 60ms] }\n    - get: /end\n";
    let (ended, ok, _) = run(&world, &scenario(&server, 1, steps));
    assert_eq!(ok, 3, "{ended}");
    let got = server.got();
    assert!(got[1].at - got[0].at >= Duration::from_millis(150), "{ended}");
    assert!(got[2].at - got[1].at >= Duration::from_millis(50), "{ended}");
    let summary = ended.summary();
    let late = summary["validity"]["late"].as_u64().expect("a count");
    assert!(late <= 1, "thinking is not lateness: {ended}");
}

#[test]
fn cookies_come_back_until_they_are_removed() {
    let (world, server) = (World::new(), Server::new());
    let steps = "    - get: /enter\n      capture: { s: { cookie: s } }\n    - get: \"/in/{{ s }}\"\n    \
        - get: /leave\n    - get: /out\n      headers: { x-a: b }\n";
    let (ended, ok, not) = run(&world, &scenario(&server, 1, steps));
    assert_eq!((ok, not), (4, 0), "{ended}");
    let cookies: Vec<(String, String)> = server
        .got()
        .iter()
        .map(|got| (got.target.clone(), got.header("cookie").to_owned()))
        .collect();
    let wanted =
        [("/enter", ""), ("/in/1", "s=1; old=1"), ("/leave", "s=1; old=1"), ("/out", "old=1")];
    assert_eq!(cookies, wanted.map(|(path, cookie)| (path.to_owned(), cookie.to_owned())));
}

#[test]
fn unique_rows_are_dealt_once_over_all_users_and_their_end_is_told() {
    let (world, server) = (World::new(), Server::new());
    world.write("people.csv", "name;note\nAnn;\"a; b\"\nBob;\nC\u{e9};x\n");
    let yaml = scenario(
        &server,
        10,
        "    - post: \"/p/{{ people.name }}\"\n      body: \"{{ people.note }}\"\n",
    );
    let yaml = changed(
        &yaml,
        "users: 1\n",
        "users: 4\ndata: { people: { csv: people.csv, mode: unique, delimiter: ';' } }\n",
    );
    let yaml = changed(&yaml, "maxVUs: 1", "maxVUs: 4");
    let (ended, ok, _) = run(&world, &yaml);
    assert_eq!(ok, 3, "{ended}");
    let got = server.got();
    let seen: BTreeSet<(&str, String)> = got.iter().map(|got| (got.path(), got.text())).collect();
    let wanted = [("/p/Ann", "a; b"), ("/p/Bob", ""), ("/p/C%C3%A9", "x")];
    assert_eq!(seen, wanted.map(|(path, note)| (path, note.to_owned())).into());
    let rows = ended.rows("failures.csv");
    assert!(!rows.is_empty(), "{ended}");
    for row in rows {
        assert_eq!(row["cause"], "check failed", "{row:?}");
        assert_eq!(row["message"], "data `people` is used up", "{row:?}");
    }
}

#[test]
fn an_expectation_that_fails_says_what_was_found() {
    let (world, server) = (World::new(), Server::new());
    for (expect, cause, message) in [
        ("json: { total: 4 }", "wrong content", "`total` is 3, wanted 4"),
        (
            "json: { 'items[-1].id': { one-of: [x, y] } }",
            "wrong content",
            "`items[-1].id` is c, wanted one of x, y",
        ),
        (
            "header: { x-none: { exists: true } }",
            "wrong content",
            "header `x-none` is nothing, wanted anything",
        ),
        ("size: { at-most: 3 B }", "wrong content", "the body has 62 bytes, wanted at most 3"),
        ("regex: '^x'", "wrong content", "wanted a match of `^x`"),
        ("status: [201, 4xx]", "status 200", "the status is 200, wanted 201, 400 to 499"),
    ] {
        let steps = format!("    - get: /items\n      expect: {{ {expect} }}\n");
        let ended = Run::new(&world, &scenario(&server, 1, &steps)).finish().exits_one_of(&[0, 3]);
        let rows = ended.rows("failures.csv");
        assert_eq!(rows.len(), 1, "{expect}: {ended}");
        assert_eq!(rows[0]["cause"], cause, "{expect}");
        assert!(rows[0]["message"].contains(message), "{expect}: {:?}", rows[0]);
        fs::remove_dir_all(&ended.directory).expect("removed");
    }
}

const SECRET: &str = "s3cr\"t word+/%";

#[test]
fn a_secret_is_sent_and_stands_in_no_file_of_the_run() {
    let (world, server) = (World::new(), Server::new());
    let steps = r#"
    - post: "/broken?q={{ env.REHEARSAL_TEST_SECRET | url }}"
      headers: { x-token: "{{ env.REHEARSAL_TEST_SECRET }}" }
      auth: { basic: { user: "u{{ user }}", password: "{{ env.REHEARSAL_TEST_SECRET }}" } }
      json: { password: "{{ env.REHEARSAL_TEST_SECRET }}" }
"#;
    world.write("scenario.yaml", &scenario(&server, 4, steps));
    let args =
        ["run", "scenario.yaml", "--out", "run", "--set", &format!("description='{SECRET}'")];
    let mut command = world.command("command", binary(), &args);
    command.env("REHEARSAL_TEST_SECRET", SECRET);
    let status = command.status().expect("started");
    assert!(status.code().is_some_and(|code| [0, 1, 3].contains(&code)), "{status}");
    let got = server.got();
    assert_eq!(got[0].header("x-token"), SECRET);
    let json: Value = serde_json::from_slice(&got[0].body).expect("JSON");
    assert_eq!(json["password"], SECRET);
    let mut files = Vec::new();
    collect(&world.path("run"), &mut files);
    files.extend(["command.stdout", "command.stderr"].map(|name| world.path(name)));
    let forms = [
        SECRET.to_owned(),
        json!(SECRET).to_string().trim_matches('"').to_owned(),
        json!(json!(SECRET).to_string()).to_string().trim_matches('"').to_owned(),
        "s3cr%22t%20word%2B%2F%25".to_owned(),
        got[0].header("authorization").trim_start_matches("Basic ").to_owned(),
        "s3cr".to_owned(),
    ];
    let mut masked = 0;
    for file in &files {
        let text = String::from_utf8_lossy(&fs::read(file).expect("a file")).into_owned();
        masked += text.matches("***").count();
        for form in &forms {
            assert!(!text.contains(form.as_str()), "{} holds {form}", file.display());
        }
    }
    assert!(files.len() > 9 && masked > 0, "{files:?}");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

#[test]
fn a_secret_that_is_missing_is_told_by_name_before_anything_happens() {
    let (world, server) = (World::new(), Server::new());
    let steps =
        "    - get: /\n      headers: { x-token: \"{{ env.REHEARSAL_NO_SUCH_SECRET }}\" }\n";
    let yaml = scenario(&server, 1, steps);
    let parts = [
        "scenario.yaml:",
        "the environment variable `REHEARSAL_NO_SUCH_SECRET` is not set",
        "`export REHEARSAL_NO_SUCH_SECRET=...` before `rehearsal run`",
    ];
    Run::new(&world, &yaml).finish().exits(2).complains(&parts);
    let planned = world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    assert!(planned.stdout.contains("REHEARSAL_NO_SUCH_SECRET from the environment"), "{planned}");
}

#[test]
fn all_that_is_wrong_with_journeys_and_data_is_told_at_once() {
    let (world, server) = (World::new(), Server::new());
    let steps = "    - get: \"/{{ people.nme }}\"\n      expect: { json: { a: { contians: b } } }\n    \
        - loop: { times: 0 }\n      do: []\n    - get: http://elsewhere/x\n";
    let yaml = scenario(&server, 1, steps);
    let yaml = changed(&yaml, "users: 1\n", "users: 1\ndata: { people: { csv: none.csv } }\n");
    let parts = [
        "none.csv",
        "unknown variable `people.nme`",
        "unknown key `contians`",
        "did you mean `contains`?",
        "`0` is too small",
        "`http://elsewhere/x` is of another host",
        "nothing was touched",
    ];
    Run::new(&world, &yaml).finish().exits(2).complains(&parts);
}
