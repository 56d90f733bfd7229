//! Bare targets: a server of the test's own, which answers as badly as it is asked to.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::support::{Ended, Run, World, changed, number};

/// What the server does with a connection on which the first line of a request has come.
pub(crate) type Answer = fn(&str, TcpStream);

/// Serves with `answer`, one request a connection; stops to listen after `most` of them.
pub(crate) fn server(answer: Answer, most: usize) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().take(most) {
            let Ok(stream) = stream else { return };
            thread::spawn(move || {
                let mut stream = stream;
                if let Some(path) = path(&mut stream) {
                    answer(&path, stream);
                }
            });
        }
    });
    address
}

/// The path of the request whose first line is taken from `stream`.
fn path(stream: &mut TcpStream) -> Option<String> {
    line(stream)?.split(' ').nth(1).map(str::to_owned)
}

/// The next line, byte by byte: what follows stays unread.
fn line(stream: &mut TcpStream) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        stream.read_exact(&mut byte).ok()?;
        line.extend(byte);
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Takes the rest of the head; a connection that is closed with bytes unread is reset.
pub(crate) fn read_head(stream: &mut TcpStream) {
    while line(stream).is_some_and(|line| line != "\r\n") {}
}

fn say(mut stream: TcpStream, text: &str) {
    read_head(&mut stream);
    // Who asked may have gone.
    stream.write_all(text.as_bytes()).ok();
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// 200 and some JSON, whatever is asked.
pub(crate) fn well(_: &str, stream: TcpStream) {
    say(stream, &answer("200 OK", r#"{"shop":"north","id":4711}"#));
}

/// Each path its own failure; `/` is fine.
fn badly(path: &str, mut stream: TcpStream) {
    match path {
        "/reset" => drop(stream),
        "/closed" => say(stream, ""),
        "/hang" => {
            read_head(&mut stream);
            // Until the other end has had enough.
            stream.read_to_end(&mut Vec::new()).ok();
        }
        "/slow" => {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").ok();
            stream.read_to_end(&mut Vec::new()).ok();
        }
        "/cut" => say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"),
        "/503" => say(stream, &answer("503 Service Unavailable", "out of order")),
        "/404" => say(stream, &answer("404 Not Found", "no such thing")),
        "/garbage" => say(stream, "SSH-2.0-OpenSSH_9.9\r\n\r\n"),
        path => well(path, stream),
    }
}

/// An answer that attacks whoever reads the report.
fn hostile(path: &str, stream: TcpStream) {
    match path {
        "/evil" => say(stream, &answer("500 Internal Server Error", EVIL)),
        path => well(path, stream),
    }
}

const EVIL: &str = "<script>alert(1)</script>\u{1b}[31m | `x` ]]>";

fn bare(target: SocketAddr) -> String {
    format!(
        r#"name: a bare target
system: {{ target: "http://{target}" }}
phases: {{ steady: 3s }}
seed: 1
load:
  - executor: constant-arrival-rate
    rate: 20/s
    journey: look
journeys:
  look:
    - get: /
      expect: {{ status: 200, json: {{ shop: north }} }}
objectives:
  - availability >= 99%
"#
    )
}

/// `bare` with a journey of its own for each step, four times a second.
fn each(target: SocketAddr, steps: &[&str]) -> String {
    let mut text = bare(target);
    let (before, _) = text.split_once("load:").expect("a load");
    text = format!("{before}timeouts: {{ connect: 2s, first-byte: 2s, total: 4s }}\nload:\n");
    for at in 0..steps.len() {
        let load = "executor: constant-arrival-rate, rate: 4/s";
        writeln!(text, "  - {{ {load}, journey: j{at} }}").expect("a string takes every text");
    }
    text += "journeys:\n";
    for (at, step) in steps.iter().enumerate() {
        writeln!(text, "  j{at}: [ {step} ]").expect("a string takes every text");
    }
    text + "objectives: []\n"
}

#[test]
fn a_bare_target_is_loaded_and_the_report_says_that_nothing_proves_it() {
    let world = World::new();
    let ended = Run::new(&world, &bare(server(well, usize::MAX))).finish_sound(0);
    ended.left_all_files();
    let summary = ended.summary();
    assert_eq!(summary["requests"]["ok"], 60, "{ended}");
    assert_eq!(summary["run"]["identity"], Value::Null);
    let html = ended.file("report.html");
    assert!(html.contains("nothing proves that the target is the system meant"), "{ended}");
}

#[test]
fn a_target_that_shows_its_identity_is_believed() {
    let world = World::new();
    let identity = "identity: { path: /, body: '\"shop\":\"north\"' } }";
    let yaml = bare(server(well, usize::MAX)).replacen("\" }", &format!("\", {identity}"), 1);
    let ended = Run::new(&world, &yaml).set("phases.steady=1s").finish().exits_one_of(&[0, 3]);
    let identity = &ended.summary()["run"]["identity"];
    assert!(identity.as_str().is_some_and(|it| it.contains("system.identity")), "{identity}");
}

#[test]
fn each_way_to_fail_has_its_own_cause_and_outcome() {
    let wanted = [
        ("{ get: /reset }", "reset", "unknown"),
        ("{ get: /closed }", "reset", "unknown"),
        ("{ get: /hang }", "first-byte timeout", "unknown"),
        ("{ get: /slow }", "total timeout", "unknown"),
        ("{ get: /cut }", "body cut", "unknown"),
        ("{ get: /garbage }", "malformed answer", "unknown"),
        ("{ get: /503 }", "status 503", "failed"),
        ("{ get: /404 }", "status 404", "failed"),
        ("{ get: /south, expect: { json: { shop: south } } }", "wrong content", "failed"),
        ("{ get: /words, expect: { body: welcome } }", "wrong content", "failed"),
        ("{ get: /none, capture: { token: { json: token } } }", "check failed", "failed"),
    ];
    let world = World::new();
    let steps = wanted.map(|(step, ..)| step);
    let yaml = each(server(badly, usize::MAX), &steps);
    let ended = Run::new(&world, &yaml).set("phases.steady=2s").finish();
    let rows = ended.rows("failures.csv");
    for (at, (step, cause, outcome)) in wanted.iter().enumerate() {
        let own = rows.iter().filter(|row| row["journey"] == format!("j{at}"));
        let seen: BTreeSet<(&str, &str)> =
            own.clone().map(|row| (row["cause"].as_str(), row["outcome"].as_str())).collect();
        assert_eq!(seen, BTreeSet::from([(*cause, *outcome)]), "{step}\n{ended}");
        assert_eq!(own.count(), 8, "each request is told: {step}\n{ended}");
    }
    let summary = ended.summary();
    assert_eq!(summary["requests"]["ok"], 0, "{ended}");
    assert_eq!(summary["requests"]["failed"], 40, "{ended}");
    assert_eq!(summary["requests"]["unknown"], 48, "{ended}");
    assert_eq!(summary["availability"]["requests"], 0.0, "unknown counts against it");
    assert_eq!(summary["outages"], Value::Array(Vec::new()), "the prober's path is well");
}

#[test]
fn a_server_that_goes_away_refuses_and_the_outage_has_no_end() {
    let world = World::new();
    // The readiness look, a second and a half of the load, and its probes.
    let yaml = bare(server(well, 60));
    let ended = Run::new(&world, &yaml).finish();
    // The server does not come back, so that a second try would find nobody.
    let sound = ended.is_sound();
    let ended = if sound { ended.exits(1) } else { ended.exits_one_of(&[1, 3]) };
    let refused: Vec<_> = ended.rows("failures.csv");
    // Connections that the kernel had taken for the server when it closed are reset.
    let (refused, others): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|row| row["cause"] == "refused");
    assert!(refused.len() >= 10, "{ended}");
    assert!(refused.iter().all(|row| row["outcome"] == "failed"), "{ended}");
    assert!(others.len() <= 2 && others.iter().all(|row| row["cause"] == "reset"), "{ended}");
    let summary = ended.summary();
    assert_eq!(summary["outages"].as_array().map(Vec::len), Some(1), "{ended}");
    assert_eq!(summary["outages"][0]["end_seconds"], Value::Null, "{ended}");
    assert_eq!(summary["outages"][0]["fault"], Value::Null, "{ended}");
    let unexplained = number(&summary, "/availability/unexplained_seconds");
    assert!(unexplained > 1.0, "{ended}");
}

#[test]
fn hostile_text_stays_text_in_every_report() {
    let world = World::new();
    let yaml = each(server(hostile, usize::MAX), &["{ get: /evil, name: '<b onload=x>' }"]);
    let yaml = changed(&yaml, "name: a bare target", "name: '<script>alert(2)</script>'");
    let ended = Run::new(&world, &yaml).set("phases.steady=1s").finish();
    let html = ended.file("report.html");
    assert!(html.contains("alert(1)") && html.contains("alert(2)"), "the report shows it");
    for name in ["report.html", "summary.md", "junit.xml"] {
        let text = ended.file(name);
        for raw in ["<script>alert", "<b onload"] {
            assert!(!text.contains(raw), "{name} holds {raw:?}");
        }
    }
    for text in [&ended.stdout, &ended.stderr, &ended.file("summary.txt")] {
        assert!(!text.contains('\u{1b}'), "a terminal is told what to do: {text:?}");
    }
}

#[test]
fn a_constant_rate_is_due_exactly_as_scheduled() {
    let world = World::new();
    let ended = Run::new(&world, &bare(server(well, usize::MAX))).set("load.0.rate=30/s").finish();
    assert_eq!(due(&ended), [30, 30, 30]);
}

#[test]
fn a_rate_below_one_a_second_is_due_exactly_as_scheduled() {
    let world = World::new();
    let run = Run::new(&world, &bare(server(well, usize::MAX))).set("load.0.rate=30/m");
    assert_eq!(due(&run.set("phases.steady=5s").finish()), [1, 0, 1, 0, 1]);
}

#[test]
fn a_ramp_is_due_exactly_as_its_integral_says() {
    let world = World::new();
    let stages = "\
executor: ramping-arrival-rate
    startRate: 0/s
    stages:
      - { duration: 4s, target: 20/s }
      - { duration: 2s, target: 20/s }
      - { duration: 2s, target: 0/s }
";
    let text = bare(server(well, usize::MAX));
    let load = "executor: constant-arrival-rate\n    rate: 20/s\n";
    let ended = Run::new(&world, &changed(&text, load, stages)).set("phases.steady=8s").finish();
    // Arrival i is due when the integral of the rate reaches i. It is 2.5 t² up to 4 s (2.5, 10,
    // 22.5, 40), then 20 a second (60, 80), then 20 t - 5 t² more (95, 100).
    assert_eq!(due(&ended), [3, 7, 13, 17, 20, 20, 15, 5]);
}

#[test]
fn a_seed_repeats_its_poisson_arrivals_and_another_does_not() {
    let world = World::new();
    let target = server(well, usize::MAX);
    let yaml = changed(&bare(target), "rate: 20/s", "rate: 20/s\n    arrival: poisson");
    let file = world.write("poisson.yaml", &yaml);
    let run =
        |seed: u32, out| Run::file(&world, &file).set(&format!("seed={seed}")).out(out).start();
    let all = [run(5, "first"), run(5, "again"), run(6, "other")].map(|going| due(&going.end()));
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0], all[2]);
    let sum: u64 = all[0].iter().sum();
    assert!((30..=90).contains(&sum), "sixty are expected, give or take four deviations: {sum}");
}

/// Journeys due in each second.
#[track_caller]
fn due(ended: &Ended) -> Vec<u64> {
    let rows = ended.rows("seconds.csv");
    let mut all = Vec::new();
    for row in &rows {
        // A second in which nothing was due may have no row; one in which a phase ends has two.
        let second: usize = row["second"].parse().expect("a second");
        all.resize(all.len().max(second + 1), 0);
        all[second] += row["journeys_due"].parse::<u64>().expect("a count");
    }
    let begun = rows.iter().map(|row| {
        let count = |name: &str| row[name].parse::<u64>().expect("a count");
        count("journeys_begun") + count("journeys_dropped")
    });
    assert_eq!(begun.sum::<u64>(), all.iter().sum::<u64>(), "each began or was dropped\n{ended}");
    all
}
