//! `engine: goose` beside our own: the same users, the same server, the same record.

use crate::executors::{Server, by_second, scenario, sum};
use crate::support::{Run, World, changed, number};

#[test]
fn both_engines_make_the_same_iterations() {
    let load = "{ executor: per-vu-iterations, vus: 5, iterations: 7, journey: a }";
    for engine in ["native", "goose"] {
        let (world, server) = (World::new(), Server::default());
        let yaml = scenario(server.start(), load);
        let ended = Run::new(&world, &yaml).set(&format!("engine={engine}")).finish();
        let ended = ended.exits_one_of(&[0, 3]);
        assert_eq!((server.asked("/a"), sum(&ended, "journeys_ok")), (35, 35), "{engine}: {ended}");
        assert_eq!(ended.summary()["run"]["load_engine"], engine, "{ended}");
    }
}

#[test]
fn both_engines_measure_the_same_server_alike() {
    // The server answers after 50 ms, so that both engines wait for it and not for this machine.
    let load = "{ executor: constant-vus, vus: 10, journey: wait }";
    let measure = |engine: &str| {
        let (world, server) = (World::new(), Server::default());
        let yaml = scenario(server.start(), load);
        let ended = Run::new(&world, &yaml).set(&format!("engine={engine}")).finish();
        let ended = ended.exits_one_of(&[0, 3]);
        let summary = ended.summary();
        let p50 = number(&summary, "/latency/0/p50_ms");
        (sum(&ended, "journeys_ok"), p50, ended)
    };
    let (native, native_p50, ended) = measure("native");
    let (goose, goose_p50, other) = measure("goose");
    // Three seconds of ten users at twenty a second are 600; goose takes a moment to begin.
    assert!(
        goose * 10 > native * 7 && goose * 10 < native * 13,
        "{native} {goose}\n{ended}{other}"
    );
    assert!((native_p50 - goose_p50).abs() < 0.5 * native_p50, "{native_p50} {goose_p50}");
    assert!(native_p50 >= 50.0 && goose_p50 >= 50.0, "{native_p50} {goose_p50}");
}

#[test]
fn users_of_goose_ramp_up_and_end_with_the_profile() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: ramping-vus, startVUs: 1, journey: wait, gracefulStop: 1s, stages: [ \
        { duration: 1s, target: 1 }, { duration: 1s, target: 8 }, { duration: 1s, target: 8 } ] }";
    let yaml = scenario(server.start(), load);
    let ended = Run::new(&world, &yaml).set("engine=goose").finish().exits_one_of(&[0, 3]);
    let seconds = by_second(&ended, "journeys_due");
    assert!(seconds[0] >= 5 && seconds[2] > 3 * seconds[0], "{seconds:?}\n{ended}");
    assert_eq!(seconds.iter().skip(3).sum::<u64>(), 0, "nobody begins after the end\n{ended}");
    assert_eq!(sum(&ended, "journeys_not_ok"), 0, "{ended}");
}

#[test]
fn a_failure_is_the_same_failure_by_goose() {
    let (world, server) = (World::new(), Server::default());
    let load = "{ executor: per-vu-iterations, vus: 2, iterations: 1, journey: slow }";
    let yaml = changed(&scenario(server.start(), load), "first-byte: 10s", "first-byte: 300ms");
    let ended = Run::new(&world, &yaml).set("engine=goose").finish().exits_one_of(&[0, 3]);
    let causes: Vec<String> =
        ended.rows("failures.csv").into_iter().map(|row| row["cause"].clone()).collect();
    assert_eq!(causes, ["first-byte timeout"; 2], "{ended}");
}

#[test]
fn what_goose_cannot_do_is_told() {
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let rate = "{ executor: constant-arrival-rate, rate: 9/s, journey: a }";
    let cases = [
        (scenario(target, rate), "does not know the executor `constant-arrival-rate`"),
        (
            changed(
                &scenario(target, "{ executor: constant-vus, journey: a }"),
                "seed: 1",
                "transport: { http: h2c }",
            ),
            "goose has its own connections",
        ),
    ];
    for (yaml, complaint) in cases {
        let world = World::new();
        let ended = Run::new(&world, &yaml).set("engine=goose").finish().exits(2);
        ended.complains(&[complaint]);
    }
}
