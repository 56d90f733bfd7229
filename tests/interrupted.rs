//! Runs that are stopped half-way: whatever was broken is healed, and the record can be read.

use std::path::Path;

use nix::sys::signal::Signal;
use rehearsal_reports::event::What;
use serde_json::Value;

use crate::support::{
    EMBEDDED, Ended, FILES, Going, Process, Run, World, binary, number, with_fault,
};

/// A pause that would last far longer than any test.
fn long_pause() -> String {
    let pause = with_fault("{ do: pause, on: { service: was, pick: one }, during: fault }");
    pause.replace("warm-up: 1s, steady: 3s, fault: 3s", "warm-up: 1s, steady: 1s, fault: 300s")
}

/// A run in the middle of its pause: one process, and only one, is stopped.
fn paused(world: &World) -> Going<'_> {
    let mut going = Run::new(world, &long_pause()).start();
    going.await_fault();
    let stopped = world.processes().iter().filter(|process| process.is_stopped()).count();
    assert_eq!(stopped, 1, "{:?}", world.processes());
    going
}

#[track_caller]
fn ended_healed(world: &World, ended: &Ended, signal: &str) {
    world.await_nobody();
    ended.left_all_files();
    let summary = ended.summary();
    assert_eq!(summary["verdict"], "interrupted", "{ended}");
    assert_eq!(summary["exit_code"], 130);
    assert_eq!(summary["run"]["cut_off"], Value::Bool(false), "it was ended, not cut off");
    let fault = &summary["faults"][0];
    assert_eq!(fault["proof"], "proven", "{fault:#}");
    assert_eq!(fault["not_restored"], Value::Array(Vec::new()), "{fault:#}");
    assert!(number(fault, "/marks/restored") < 60.0, "at once, not at the end: {fault:#}");
    let events = ended.events();
    let told = What::Interrupted { signal: signal.to_owned() };
    assert!(events.contains(&told), "{events:#?}");
    let thawed = |what: &What| matches!(what, What::Platform { action, .. } if action == "unpause");
    assert!(events.iter().any(thawed), "{events:#?}");
    assert!(ended.file("undo.jsonl").contains("\"undone\""), "{ended}");
    // And nothing is left to recover.
    let recovered = world.rehearsal(&["recover", "--all"]).exits(0);
    assert_eq!(recovered.stdout, "nothing to recover\n");
}

#[test]
fn ctrl_c_in_a_pause_heals_first_and_tells_all() {
    let world = World::new();
    let going = paused(&world);
    going.signal(Signal::SIGINT);
    ended_healed(&world, &going.end().exits(130), "SIGINT");
}

#[test]
fn sigterm_in_a_pause_heals_first_and_tells_all() {
    let world = World::new();
    let going = paused(&world);
    going.signal(Signal::SIGTERM);
    ended_healed(&world, &going.end().exits(130), "SIGTERM");
}

#[test]
fn a_second_ctrl_c_does_not_break_the_healing() {
    let world = World::new();
    let going = paused(&world);
    for _ in 0..5 {
        going.signal(Signal::SIGINT);
    }
    ended_healed(&world, &going.end().exits(130), "SIGINT");
}

#[test]
fn ctrl_c_while_the_system_starts_leaves_nobody() {
    let world = World::new();
    let mut going = Run::new(&world, EMBEDDED).start();
    going.await_seen("the first process of the testbed", || {
        let testbed = |process: &Process| process.command.contains(" testbed ");
        world.processes().iter().any(testbed).then_some(())
    });
    going.signal(Signal::SIGINT);
    let ended = going.end().exits(130);
    assert!(ended.stderr.contains("interrupted"), "{ended}");
    world.await_nobody();
}

#[test]
fn ctrl_c_before_any_fault_breaks_nothing() {
    let world = World::new();
    let yaml = long_pause().replace("steady: 1s", "steady: 300s");
    let mut going = Run::new(&world, &yaml).start();
    let journal = world.path("run/journal");
    going.await_seen("the record", || {
        std::fs::metadata(&journal).is_ok_and(|meta| meta.len() > 2_000).then_some(())
    });
    going.signal(Signal::SIGINT);
    let ended = going.end().exits(130);
    world.await_nobody();
    let summary = ended.summary();
    assert_eq!(summary["verdict"], "interrupted", "{ended}");
    assert_eq!(summary["faults"][0]["proof"], "not begun", "{ended}");
    let broke = |what: &What| matches!(what, What::InjectBegan { .. });
    assert!(!ended.events().iter().any(broke), "{ended}");
}

#[test]
fn a_run_that_was_killed_is_reported_and_recovered() {
    let world = World::new();
    let going = paused(&world);
    going.signal(Signal::SIGKILL);
    let killed = going.end();
    assert_eq!(killed.code, None, "{killed}");

    let report = world.rehearsal(&["report", "run"]).exits(3);
    killed.left_all_files();
    let summary = killed.summary();
    assert_eq!(summary["verdict"], "inconclusive", "{report}");
    assert_eq!(summary["run"]["cut_off"], Value::Bool(true), "{report}");
    assert!(report.stdout.starts_with("INCONCLUSIVE"), "{report}");
    assert!(number(&summary, "/requests/ok") > 0.0, "{report}");

    world.rehearsal(&["recover", "--all"]).exits(0);
    world.await_nobody();
    let again = world.rehearsal(&["recover", "--all"]).exits(0);
    assert_eq!(again.stdout, "nothing to recover\n");
}

#[test]
fn what_a_live_run_breaks_is_left_alone_by_recover() {
    let world = World::new();
    let going = paused(&world);
    let recovered = world.rehearsal(&["recover", "--all"]).exits(0);
    assert!(recovered.stdout.contains("is at work on"), "{recovered}");
    let stopped = world.processes().iter().filter(|process| process.is_stopped()).count();
    assert_eq!(stopped, 1, "the pause goes on");
    going.signal(Signal::SIGINT);
    going.end().exits(130);
    world.await_nobody();
}

#[test]
fn a_full_disk_ends_the_run_which_heals_and_says_where_and_what() {
    let world = World::new();
    std::fs::create_dir(world.path("small")).expect("a directory");
    // A file system of its own, which the kernel takes away with the last process in it.
    let mount = "mount -t tmpfs -o size=1m small small && exec \"$0\" \"$@\"";
    let before = ["-rm", "sh", "-c", mount, binary().to_str().expect("a readable path")];
    let run = Run::new(&world, &long_pause()).out("small/run").set("load.0.rate=100/s");
    let ended = run.start_as(Path::new("unshare"), &before).end();
    assert!(!ended.stderr.contains("unshare"), "this test needs user namespaces: {ended}");
    world.await_nobody();
    let ended = ended.exits(5);
    ended.complains(&["error: ", "small/run/journal", "No space left on device", "--out"]);
}

#[test]
fn a_journal_that_cannot_grow_ends_the_run_in_its_pause_and_heals() {
    let world = World::new();
    // Blocks of 512 bytes; the signal that goes with the limit would end the program unheard.
    let limit = "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"";
    let before = ["-c", limit, binary().to_str().expect("a readable path")];
    let run = Run::new(&world, &long_pause()).set("load.0.rate=100/s");
    let ended = run.start_as(Path::new("sh"), &before).end();
    world.await_nobody();
    let ended = ended.exits(5).complains(&["error: ", "run/journal", "File too large", "--out"]);
    let undone = ended.file("undo.jsonl");
    assert!(undone.contains("\"applied\"") && undone.contains("\"undone\""), "{undone}");
    // What was written until then can still be told.
    world.rehearsal(&["report", "run"]).exits(3);
    assert!(FILES.iter().all(|name| ended.directory.join(name).exists()), "{ended}");
}
