//! Faults in the embedded testbed, and what is said of them.

use rehearsal_reports::event::What;
use serde_json::Value;

use crate::support::{EMBEDDED, Ended, Going, Run, World, changed, number, root, with_fault};

const KILL_ONE: &str = "{ do: kill, on: { service: was, pick: one }, during: fault }";

/// Every request that was not ok had begun before the fault was in effect and had not ended before
/// it began: nobody who came later was hurt.
#[track_caller]
fn only_those_in_flight_were_hurt(ended: &Ended) {
    let summary = ended.summary();
    let (call, effective) =
        (number(&summary, "/faults/0/marks/call"), number(&summary, "/faults/0/marks/effective"));
    for hurt in ended.rows("failures.csv") {
        let at = |name: &str| hurt[name].parse::<f64>().expect("seconds");
        assert!(at("due_s") <= effective && at("done_s") >= call, "{hurt:?}\n{ended}");
    }
    let not_ok = number(&summary, "/requests/failed") + number(&summary, "/requests/unknown");
    // Those that were sent between the count and the blow come on top.
    let in_flight = number(&summary, "/faults/0/in_flight");
    let meanwhile = (effective - call) * 60.0;
    assert!(not_ok <= in_flight + meanwhile.ceil(), "{not_ok} of {in_flight}\n{ended}");
}

#[track_caller]
fn the_fault_is_proven_and_undone(summary: &Value) {
    let fault = &summary["faults"][0];
    assert_eq!(fault["proof"], "proven", "{fault:#}");
    assert_ne!(fault["evidence"][0], Value::Null, "{fault:#}");
    assert_eq!(fault["not_restored"], Value::Array(Vec::new()), "{fault:#}");
    let marks = ["call", "effective", "undo", "up", "healthy", "restored"];
    let at = |mark: &str| number(fault, &format!("/marks/{mark}"));
    let ordered = marks[..4].is_sorted_by(|a, b| at(a) <= at(b));
    assert!(ordered && at("healthy") >= at("up") && at("restored") >= at("up"), "{fault:#}");
}

#[test]
fn the_quickstart_passes_and_leaves_every_file() {
    let world = World::new();
    let ended = Run::file(&world, &root().join("scenarios/quickstart.yaml"))
        .set("phases={ warm-up: 1s, steady: 3s, fault: 3s, recovery: 4s }")
        .set("load.0.rate=30/s")
        .set("users=20")
        // So few requests that the one or two on their way weigh more; and a limit for a machine
        // that does other things too.
        .set("objectives.0=availability >= 99%")
        .set("objectives.2=p99 <= 2s in steady")
        .finish_sound(0);
    ended.left_all_files();
    let summary = ended.summary();
    if ended.code == Some(0) {
        assert!(ended.stdout.starts_with("PASS"), "{ended}");
        assert_eq!(summary["verdict"], "pass");
    }
    assert_eq!(summary["outages"], Value::Array(Vec::new()));
    the_fault_is_proven_and_undone(&summary);
    only_those_in_flight_were_hurt(&ended);
    let served = number(&summary, "/faults/0/marks/served");
    assert!(served >= number(&summary, "/faults/0/marks/up"), "{ended}");
}

#[test]
fn a_front_that_retries_hides_the_death_of_a_was() {
    let world = World::new();
    let ended = Run::new(&world, &with_fault(KILL_ONE)).finish_sound(0);
    let summary = ended.summary();
    assert_eq!(summary["availability"]["downtime_seconds"], 0.0, "{ended}");
    the_fault_is_proven_and_undone(&summary);
    only_those_in_flight_were_hurt(&ended);
}

#[test]
fn a_front_that_does_not_retry_shows_the_death_of_a_was() {
    let world = World::new();
    let run = Run::new(&world, &with_fault(KILL_ONE)).set("system.embedded.retries=false");
    // The front fails one request and learns from it. With fewer probes, that one is a user's.
    let run = run.set("load.0.rate=60/s").set("prober.rate=4/s");
    let ended = run.set("phases.steady=3100ms").finish();
    let summary = ended.summary();
    the_fault_is_proven_and_undone(&summary);
    let count = |value: &Value| value.as_u64().expect("a count");
    let requests = &summary["requests"];
    let not_ok = count(&requests["failed"]) + count(&requests["unknown"]);
    assert!(not_ok > 0, "{ended}");
    let errors = summary["errors"].as_array().expect("a list").iter();
    let told: u64 = errors.map(|error| count(&error["count"])).sum();
    assert_eq!(told, not_ok, "each has a cause: {:#}", summary["errors"]);
    let fault = &summary["faults"][0];
    let during = number(fault, "/failed_during") + number(fault, "/unknown_during");
    assert!(during > 0.0, "{fault:#}");
    assert!(number(fault, "/failover_seconds") < 3.0, "{fault:#}");
}

#[test]
fn the_measured_outage_agrees_with_the_logs_of_the_servers() {
    let world = World::new();
    let fault = "{ do: kill, on: { service: was, pick: all }, during: fault }";
    let yaml = changed(&with_fault(fault), "recovery: 4s", "recovery: 6s");
    let ended = Run::new(&world, &yaml).finish_sound(1);
    let summary = ended.summary();
    if ended.is_sound() {
        assert_eq!(summary["objectives"][0]["reading"], "missed", "{ended}");
    }
    assert_eq!(summary["outages"].as_array().map(Vec::len), Some(1), "{:#}", summary["outages"]);

    let (measured, logged) = (number(&summary, "/outages/0/length_seconds"), longest_gap(&ended));
    assert!(measured > 2.5, "three seconds without a server: {measured}");
    // Four probes' time. A probe that was sent late says nothing and is left out, so that a busy
    // machine does not change this.
    let tolerance = 0.2;
    let apart = (measured - logged).abs();
    assert!(apart <= tolerance, "measured {measured} s, logged {logged} s\n{ended}");
    let opened = number(&summary, "/outages/0/begin_seconds");
    let effective = number(&summary, "/faults/0/marks/effective");
    let apart = (opened - effective).abs();
    assert!(apart <= tolerance, "begins at {opened}, broken at {effective}\n{ended}");
    let fault = &summary["faults"][0];
    assert_eq!(fault["instances"].as_array().map(Vec::len), Some(3), "{fault:#}");
    assert_eq!(fault["failover_seconds"], Value::Null, "nobody was left to fail over to");
}

/// The longest time in seconds between two requests of users or prober that any WAS served, by the
/// servers' own logs.
fn longest_gap(ended: &Ended) -> f64 {
    let mut served = Vec::new();
    for was in 1..=3 {
        for line in ended.file(&format!("testbed/was-{was}.log")).lines() {
            let mut words = line.split(' ');
            let at = words.next().unwrap_or_default();
            let path = words.find_map(|word| word.strip_prefix("path="));
            if path.is_some_and(|path| path != "/health" && path != "/ready") {
                served.push(at.parse::<jiff::Timestamp>().expect("an RFC 3339 time"));
            }
        }
    }
    assert!(served.len() > 100, "the logs tell of {} requests", served.len());
    served.sort();
    let gaps = served.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64());
    gaps.fold(0.0, f64::max)
}

#[test]
fn a_hang_is_felt_and_told_from_a_death() {
    let world = World::new();
    let fault = "{ do: pause, on: { service: was, index: 2 }, during: fault }";
    let ended = Run::new(&world, &with_fault(fault)).finish();
    let summary = ended.summary();
    assert!([Some(0), Some(3)].contains(&ended.code), "{ended}");
    the_fault_is_proven_and_undone(&summary);
    assert_eq!(summary["faults"][0]["instances"], serde_json::json!(["was-2"]));
    let told = |what: &What, wanted: &str| matches!(what, What::Platform { instance, action } if instance == "was-2" && action == wanted);
    let events = ended.events();
    for action in ["pause", "unpause"] {
        assert_eq!(events.iter().filter(|what| told(what, action)).count(), 1, "{events:#?}");
    }
    assert!(!events.iter().any(|what| told(what, "start")), "it is thawed, not started anew");
}

#[test]
fn two_runs_at_once_break_two_systems() {
    let world = World::new();
    let kill = with_fault("{ do: kill, on: { service: was, index: 1 }, during: fault }");
    let pause = with_fault("{ do: pause, on: { service: was, index: 1 }, during: fault }");
    let (kill, pause) = (world.write("kill.yaml", &kill), world.write("pause.yaml", &pause));
    let run = |file, out| Run::file(&world, file).out(out).set("load.0.rate=15/s").start();
    let both = [run(&kill, "first"), run(&pause, "second")].map(Going::end);
    world.await_nobody();
    for ended in &both {
        // Two loads on one small machine may make each other late; both still do their work.
        assert!([Some(0), Some(3)].contains(&ended.code), "{ended}");
        the_fault_is_proven_and_undone(&ended.summary());
    }
    let [first, second] = both.each_ref().map(Ended::summary);
    assert_ne!(first["run"]["target"], second["run"]["target"]);
    assert_eq!(
        (&first["faults"][0]["action"], &second["faults"][0]["action"]),
        (&Value::from("kill"), &Value::from("pause"))
    );
}

#[test]
fn without_objectives_there_are_numbers_and_no_complaint() {
    let world = World::new();
    let yaml = changed(EMBEDDED, "objectives:\n  - outage <= 1s\n", "objectives: []\n");
    let ended = Run::new(&world, &yaml).set("phases={ steady: 2s }").finish().exits(0);
    let summary = ended.summary();
    assert_eq!(summary["objectives"], Value::Array(Vec::new()));
    assert!(number(&summary, "/requests/ok") > 60.0, "{ended}");
}
