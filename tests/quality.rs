//! Whether a run says itself that it cannot be trusted, and why; and what is not its own fault.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use crate::bare::{read_head, server, well};
use crate::support::{Ended, Run, World, binary, changed, number};

/// `/well` is answered; everything else hangs until the other end has had enough.
fn hanging(path: &str, mut stream: TcpStream) {
    if path == "/well" {
        return well(path, stream);
    }
    read_head(&mut stream);
    stream.read_to_end(&mut Vec::new()).ok();
}

/// A load of so many journeys a second by so many users at most, each of one request.
fn scenario(target: SocketAddr, path: &str, (rate, users): (u64, u32)) -> String {
    format!(
        r#"name: quality
system: {{ target: "http://{target}" }}
phases: {{ steady: 2s }}
seed: 1
users: {users}
timeouts: {{ connect: 500ms, first-byte: 600ms, total: 800ms }}
prober: {{ path: /well }}
load:
  - {{ executor: constant-arrival-rate, rate: {rate}/s, journey: look, maxVUs: {users} }}
journeys:
  look:
    - get: {path}
objectives:
  - availability >= 99%
"#
    )
}

#[test]
fn a_good_run_says_that_it_can_be_trusted_and_what_it_cost() {
    let world = World::new();
    let yaml = scenario(server(well, usize::MAX), "/well", (50, 20));
    let ended = Run::new(&world, &yaml).finish_sound(0);
    let summary = ended.summary();
    if ended.is_sound() {
        // Markdown writes the colon of the sentence otherwise.
        let trusted = "the generator kept up in all of the 2 seconds that count";
        for file in ["summary.txt", "summary.md", "report.html"] {
            assert!(ended.file(file).contains(trusted), "{file} of {ended}");
        }
    }
    assert!(ended.file("report.html").contains("class=\"strip\""), "{ended}");
    assert_eq!(summary["generator"]["requests"], summary["requests"]["total"], "{ended}");
    assert!(number(&summary, "/generator/cpu_us_per_request") > 0.0, "{ended}");
    assert!(number(&summary, "/generator/lateness/p50_ms") > 0.0, "{ended}");
    assert!(number(&summary, "/generator/memory_end_bytes") > 1e6, "{ended}");
    let threads = summary["generator"]["threads"].as_array().map(Vec::len);
    assert!(threads.is_some_and(|threads| threads > 0), "{ended}");
    let rows = ended.rows("seconds.csv");
    assert!(rows.iter().take(2).all(|row| !row["memory_bytes"].is_empty()), "{ended}");
}

#[test]
fn a_generator_that_cannot_keep_up_is_inconclusive_and_says_why() {
    let world = World::new();
    // More than one core can even drop: what an arrival costs depends on how we were built.
    let rate = if cfg!(debug_assertions) { 5_000_000 } else { 10_000_000 };
    let yaml = scenario(server(well, usize::MAX), "/well", (rate, 1));
    let ended = Run::new(&world, &yaml).set("phases.steady=1s").finish().exits(3);
    let summary = ended.summary();
    let reasons = reasons(&ended);
    let known = ["short of CPU", "stood still", "sends over 20 ms late"];
    assert!(reasons.iter().any(|why| known.iter().any(|part| why.contains(part))), "{reasons:?}");
    let why = summary["why"].as_str().expect("a sentence");
    assert!(why.contains("of the seconds are not valid"), "{why}");
    assert_eq!(summary["availability"]["lost"], 0, "the system lost nothing: {ended}");
}

#[test]
fn a_generator_without_descriptors_is_inconclusive_and_blames_itself() {
    let world = World::new();
    let yaml = scenario(server(hanging, usize::MAX), "/hang", (150, 200));
    let limited = ["-c", "ulimit -n 48; exec \"$@\"", "sh", binary().to_str().expect("a path")];
    let run = Run::new(&world, &yaml);
    let ended = run.start_as(Path::new("sh"), &limited).end().exits(3);
    world.await_nobody();
    let summary = ended.summary();
    assert!(number(&summary, "/requests/own") > 0.0, "{ended}");
    assert_eq!(summary["generator"]["descriptors_limit"], 48, "{ended}");
    let own = "requests not sent for want of ports or descriptors";
    assert!(reasons(&ended).iter().any(|why| why == own), "{ended}");
    assert!(ended.stdout.contains(own), "{ended}");
}

#[test]
fn users_without_descriptors_wait_their_turn_and_an_interrupt_is_heard() {
    let world = World::new();
    let yaml = scenario(server(hanging, usize::MAX), "/hang", (1, 200));
    let load = "constant-arrival-rate, rate: 1/s, journey: look, maxVUs: 200";
    let yaml = changed(&yaml, load, "constant-vus, vus: 200, journey: look");
    let limited = ["-c", "ulimit -n 48; exec \"$@\"", "sh", binary().to_str().expect("a path")];
    let run = Run::new(&world, &yaml).set("phases.steady=1h");
    let mut going = run.start_as(Path::new("sh"), &limited);
    // Users who begin again at once and never wait would let no second pass.
    let told = world.path("run.stderr");
    going.await_seen("the fifth second", || {
        std::fs::read_to_string(&told).unwrap_or_default().contains(" 5s  steady").then_some(())
    });
    going.signal(nix::sys::signal::Signal::SIGINT);
    let ended = going.end().exits(130);
    world.await_nobody();
    assert!(number(&ended.summary(), "/requests/own") > 0.0, "{ended}");
}

#[test]
fn journeys_dropped_because_the_system_hangs_are_its_own_doing() {
    let world = World::new();
    let yaml = scenario(server(hanging, usize::MAX), "/hang", (50, 5));
    let ended = Run::new(&world, &yaml).finish_sound(1);
    let summary = ended.summary();
    assert!(number(&summary, "/requests/dropped") > 0.0, "{ended}");
    if ended.is_sound() {
        assert_eq!(summary["validity"]["dropped_own"], 0, "{ended}");
        let dropped = &summary["requests"]["dropped"];
        assert_eq!(&summary["validity"]["dropped_system"], dropped, "{ended}");
        assert!(number(&summary, "/availability/lost") > 0.0, "{ended}");
    }
}

/// The reasons for which seconds of the run are not valid.
fn reasons(ended: &Ended) -> Vec<String> {
    let summary = ended.summary();
    let reasons = summary["validity"]["reasons"].as_array().cloned().unwrap_or_default();
    let words = reasons.iter().filter_map(|reason| reason["reason"].as_str().map(str::to_owned));
    let told: Vec<String> = words.collect();
    assert!(!told.is_empty() || summary["validity"]["invalid_seconds"] == 0);
    told
}
