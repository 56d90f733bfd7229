//! Executors: who begins when, in the open and the closed models, against a small server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Ended, Run, World, changed};

/// How long the server takes for `/wait`.
const WAIT: Duration = Duration::from_millis(50);

/// A server that keeps its connections and counts what it is asked, by path.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<BTreeMap<String, u64>>>);

impl Server {
    pub(crate) fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(&stream));
            }
        });
        address
    }

    fn serve(&self, stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines();
        loop {
            let Some(Ok(first)) = lines.next() else { return };
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let path = first.split(' ').nth(1).unwrap_or("").to_owned();
            if path == "/hang" {
                // Until the other end has had enough.
                while lines.next().is_some() {}
                return;
            }
            if path == "/wait" {
                #[expect(clippy::disallowed_methods, reason = "a server that takes its time")]
                thread::sleep(WAIT);
            }
            *self.0.lock().expect("no panic").entry(path).or_default() += 1;
            let mut out = stream;
            if out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }

    pub(crate) fn asked(&self, path: &str) -> u64 {
        self.0.lock().expect("no panic").get(path).copied().unwrap_or(0)
    }
}

/// A scenario of three seconds whose one profile is `load`.
pub(crate) fn scenario(target: SocketAddr, load: &str) -> String {
    format!(
        r#"name: executors
system: {{ target: "http://{target}" }}
phases: {{ steady: 3s }}
seed: 1
timeouts: {{ first-byte: 10s }}
load:
  - {load}
journeys:
  a: [ {{ get: /a }} ]
  b: [ {{ get: /b }} ]
  wait: [ {{ get: /wait }} ]
  slow: [ {{ get: /hang }} ]
objectives: []
"#
    )
}

fn run(world: &World, server: &Server, load: &str) -> Ended {
    Run::new(world, &scenario(server.start(), load)).finish().exits_one_of(&[0, 3])
}

/// The sum of a column of `seconds.csv`.
#[track_caller]
pub(crate) fn sum(ended: &Ended, column: &str) -> u64 {
    let rows = ended.rows("seconds.csv");
    rows.iter().map(|row| row[column].parse::<u64>().expect("a count")).sum()
}

/// The column by second.
#[track_caller]
pub(crate) fn by_second(ended: &Ended, column: &str) -> Vec<u64> {
    let rows = ended.rows("seconds.csv");
    let mut all = Vec::new();
    for row in rows {
        let second: usize = row["second"].parse().expect("a second");
        all.resize(all.len().max(second + 1), 0);
        all[second] += row[column].parse::<u64>().expect("a count");
    }
    all
}

/// Fails unless so many journeys were due in each second; where this machine stood still, a user who
/// keeps a pace may have made fewer, and never more.
#[track_caller]
fn at_most(ended: &Ended, due: &[u64]) {
    let seconds = by_second(ended, "journeys_due");
    if ended.is_sound() && ended.summary()["latency"][0]["max_ms"].as_f64() < Some(400.0) {
        assert_eq!(seconds, due, "{ended}");
    }
    assert_eq!(seconds.len(), due.len(), "{ended}");
    assert!(seconds.iter().zip(due).all(|(seen, due)| seen <= due), "{seconds:?}\n{ended}");
}

#[test]
fn each_vu_makes_its_own_iterations_and_no_more() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: per-vu-iterations, vus: 5, iterations: 7, journey: a }";
    let ended = run(&world, &server, load);
    assert_eq!((server.asked("/a"), sum(&ended, "journeys_ok")), (35, 35), "{ended}");
}

#[test]
fn shared_iterations_are_made_once_over_all_vus() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: shared-iterations, vus: 8, iterations: 100, journey: a }";
    let ended = run(&world, &server, load);
    assert_eq!((server.asked("/a"), sum(&ended, "journeys_ok")), (100, 100), "{ended}");
}

#[test]
fn a_constant_number_of_vus_keeps_its_pace() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: constant-vus, vus: 4, pacing: 500ms, journey: a }";
    let ended = run(&world, &server, load);
    // Each begins at 0, 0.5, 1, ... 2.5 s, and never more often.
    at_most(&ended, &[8, 8, 8]);
    assert_eq!(server.asked("/a"), sum(&ended, "journeys_due"));
}

#[test]
fn vus_without_a_pace_begin_again_at_once_until_the_end() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: constant-vus, vus: 2, duration: 1s, journey: a }";
    let ended = run(&world, &server, load);
    let seconds = by_second(&ended, "journeys_due");
    assert!(seconds[0] > 20, "they wait for nothing but answers: {ended}");
    assert_eq!(seconds.iter().skip(1).sum::<u64>(), 0, "nobody begins after the end: {ended}");
    assert_eq!(server.asked("/a"), seconds[0]);
}

#[test]
fn vus_ramp_up_and_down_one_by_one() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: ramping-vus, startVUs: 0, journey: a, pacing: 500ms, stages: [ \
        { duration: 0s, target: 2 }, { duration: 1s, target: 2 }, { duration: 0s, target: 6 }, \
        { duration: 1s, target: 6 }, { duration: 0s, target: 1 }, { duration: 1s, target: 1 } ] }";
    let ended = run(&world, &server, load);
    at_most(&ended, &[4, 12, 2]);
}

#[test]
fn profiles_begin_one_after_another_and_side_by_side() {
    let (world, server) = (World::new(), Server::default());
    let rate = "executor: constant-arrival-rate, rate: 10/s";
    let load = format!(
        "{{ name: first, {rate}, duration: 1s, journey: a }}\n  \
         - {{ {rate}, startAfter: first, duration: 1s, journey: b }}\n  \
         - {{ {rate}, startTime: 2s, journey: a }}"
    );
    let ended = run(&world, &server, &load);
    assert_eq!(by_second(&ended, "journeys_due"), [10, 10, 10], "{ended}");
    assert_eq!((server.asked("/a"), server.asked("/b")), (20, 10));
}

#[test]
fn journeys_are_made_in_turn_or_by_weight() {
    let (world, server) = (World::new(), Server::default());
    let rate = "executor: constant-arrival-rate, rate: 100/s";
    run(&world, &server, &format!("{{ {rate}, journeys: [a, b] }}"));
    assert_eq!((server.asked("/a"), server.asked("/b")), (150, 150));

    let (world, server) = (World::new(), Server::default());
    run(&world, &server, &format!("{{ {rate}, journeys: {{ a: 3, b: 1 }} }}"));
    // 225 expected with standard deviation 7.5; the seed is fixed.
    assert!(server.asked("/a").abs_diff(225) < 30, "{}", server.asked("/a"));
    assert_eq!(server.asked("/a") + server.asked("/b"), 300);
}

#[test]
fn a_record_is_replayed_with_its_journeys() {
    let (world, server) = (World::new(), Server::default());
    world.write("arrivals.csv", "0.0,a\n0.5,a\n4.5,b\n4.9,b\n99,a\n");
    let load = "{ executor: replay, file: arrivals.csv, speed: 2, journey: a }";
    let ended = run(&world, &server, load);
    assert_eq!(by_second(&ended, "journeys_due"), [2, 0, 2], "{ended}");
    assert_eq!((server.asked("/a"), server.asked("/b")), (2, 2));
}

#[test]
fn a_spike_begins_at_once() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: ramping-arrival-rate, startRate: 5/s, journey: a, stages: [ \
        { duration: 1s, target: 5/s }, { duration: 0s, target: 50/s }, \
        { duration: 1s, target: 50/s }, { duration: 0s, target: 5/s }, \
        { duration: 1s, target: 5/s } ] }";
    assert_eq!(by_second(&run(&world, &server, load), "journeys_due"), [5, 50, 5]);
}

#[test]
fn who_hangs_is_ended_after_the_graceful_stop_and_is_nobodys_failure() {
    for executor in [
        "executor: constant-vus, vus: 3, duration: 1s",
        "executor: constant-arrival-rate, rate: 3/s, duration: 1s",
    ] {
        let (world, server) = (World::new(), Server::default());
        let load = format!("{{ {executor}, gracefulStop: 500ms, journey: slow }}");
        let ended = run(&world, &server, &load);
        assert_eq!(sum(&ended, "journeys_begun"), 3, "{ended}");
        assert_eq!(sum(&ended, "journeys_ok") + sum(&ended, "journeys_not_ok"), 0, "{ended}");
        assert!(ended.rows("failures.csv").is_empty(), "{ended}");
    }
}

#[test]
fn what_finds_no_user_is_dropped_and_counted() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: constant-arrival-rate, rate: 10/s, duration: 2s, maxVUs: 4, \
        gracefulStop: 0s, journey: slow }";
    let ended = run(&world, &server, load);
    assert_eq!(
        (sum(&ended, "journeys_begun"), sum(&ended, "journeys_dropped")),
        (4, 16),
        "{ended}"
    );
}

#[test]
fn executors_that_cannot_be_are_told_with_their_places() {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let cases = [
        ("{ executor: constant-vus, vus: 0, journey: a }", "nobody ever comes"),
        ("{ executor: per-vu-iterations, iterations: 0, journey: a }", "no journey is ever made"),
        ("{ executor: ramping-vus, stages: [], journey: a }", "nobody ever comes"),
        ("{ executor: constant-vus, vus: 1, rate: 3/s, journey: a }", "unknown key `rate`"),
        ("{ executor: constant-vu, vus: 1, journey: a }", "`constant-vu` is not known here"),
        ("{ executor: constant-vus, vus: 1 }", "needs to know what its users do"),
        ("{ executor: constant-vus, journeys: { a: 0 } }", "a weight that cannot be"),
        ("{ executor: constant-vus, journeys: [a, c] }", "unknown journey `c`"),
        ("{ executor: constant-vus, duration: 9s, journey: a }", "the profile lasts 9s"),
        ("{ executor: constant-vus, startTime: 3s, journey: a }", "would begin after the run"),
        ("{ executor: constant-vus, startAfter: x, journey: a }", "is called `x`"),
        ("{ executor: replay, file: none.csv, journey: a }", "none.csv"),
        (
            "{ executor: ramping-arrival-rate, journey: a, stages: [{ duration: 1s, target: 5 }] }",
            "the stages last 1s and the phases 3s",
        ),
        (
            "{ executor: constant-arrival-rate, rate: 9/s, maxVUs: 0, journey: a }",
            "could ever begin",
        ),
    ];
    for (load, complaint) in cases {
        let world = World::new();
        let ended = Run::new(&world, &scenario(target, load)).finish().exits(2);
        ended.complains(&[complaint, "scenario.yaml:7:"]);
    }
    let world = World::new();
    let yaml = scenario(target, "{ executor: constant-vus, vus: 5, journey: a }");
    let ended = Run::new(&world, &changed(&yaml, "seed: 1", "users: 4")).finish().exits(2);
    ended.complains(&["4 users are not enough", "5 or more"]);
}
