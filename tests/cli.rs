//! The commands that start no system: plan, init, schema, report, recover.

use std::collections::BTreeSet;

use rehearsal::yaml::Node;
use rehearsal_reports::format::ReportFormat;

use crate::support::{EMBEDDED, Run, World, root, with_fault};

const KILL_ONE: &str = "{ do: kill, on: { service: was, pick: one }, during: fault }";

/// Lines of a plan that name an instance of the WAS.
fn chosen(plan: &str) -> BTreeSet<String> {
    let words = plan.split_whitespace().filter(|word| word.starts_with("was-"));
    words.map(str::to_owned).collect()
}

#[test]
fn a_plan_tells_what_would_happen_and_touches_nothing() {
    let world = World::new();
    world.write("scenario.yaml", &with_fault(KILL_ONE));
    let planned = world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    let one = chosen(&planned.stdout);
    assert_eq!(one.len(), 1, "{planned}");
    let was = one.first().expect("one");
    let lines: Vec<&str> = planned.stdout.lines().map(str::trim).collect();
    for line in [
        "system   the embedded testbed",
        "seed     7",
        "users    20",
        "load     order: constant-arrival-rate 30/s, evenly spaced",
        "prober   GET /version every 50ms, within 500ms",
        "0:00.0  phase warm-up, 1s",
        "0:01.0  phase steady, 3s",
        "0:04.0  phase fault, 3s",
        &format!("0:04.0  kill {was}"),
        &format!("0:07.0  heal {was}"),
        "0:07.0  phase recovery, 4s",
        "0:11.0  end",
        "objective  outage <= 1s",
    ] {
        assert!(lines.contains(&line), "`{line}` is missing from:\n{planned}");
    }
    let order = ["kill was", "heal was", "phase recovery"].map(|part| planned.stdout.find(part));
    assert!(order.is_sorted(), "what ends comes before what begins:\n{planned}");
    assert_eq!(world.names(), ["scenario.yaml"]);
    assert_eq!(world.processes(), Vec::new());
}

#[test]
fn a_seed_repeats_the_choice_and_other_seeds_choose_otherwise() {
    let world = World::new();
    world.write("scenario.yaml", &with_fault(KILL_ONE));
    let plan = |seed: u32| {
        let planned = world.rehearsal(&["plan", "scenario.yaml", "--set", &format!("seed={seed}")]);
        planned.exits(0).stdout
    };
    assert_eq!(plan(3), plan(3));
    let all: BTreeSet<String> = (0..20).flat_map(|seed| chosen(&plan(seed))).collect();
    assert_eq!(all, BTreeSet::from(["was-1", "was-2", "was-3"].map(str::to_owned)));
}

#[test]
fn a_plan_without_a_seed_tells_how_to_repeat_it() {
    let world = World::new();
    world.write("scenario.yaml", &with_fault(KILL_ONE).replace("seed: 7\n", ""));
    let planned = world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    let (_, rest) = planned.stdout.split_once("--set seed=").expect("the way to repeat it");
    let seed: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let again = world.rehearsal(&["plan", "scenario.yaml", "--set", &format!("seed={seed}")]);
    assert_eq!(chosen(&again.stdout), chosen(&planned.stdout));
}

#[test]
fn init_writes_a_scenario_that_plans_and_never_writes_over_one() {
    let world = World::new();
    world.rehearsal(&["init"]).exits(0);
    world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    let path = world.write("mine.yaml", "# mine\n");
    let again = world.rehearsal(&["init", "mine.yaml"]).exits(2);
    again.complains(&["`mine.yaml` is there already", "name another file"]);
    assert_eq!(std::fs::read_to_string(path).expect("mine"), "# mine\n");
    world.rehearsal(&["init", "none/x.yaml"]).exits(5).complains(&["none/x.yaml"]);
    assert_eq!(world.names(), ["mine.yaml", "scenario.yaml"]);
}

#[test]
fn the_printed_schemas_are_those_of_the_types() {
    let world = World::new();
    let printed = |args: &[&str]| {
        let ended = world.rehearsal(args).exits(0);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).expect("JSON")
    };
    assert_eq!(printed(&["schema"]), rehearsal::scenario::schema());
    assert_eq!(printed(&["schema", "scenario"]), rehearsal::scenario::schema());
    assert_eq!(printed(&["schema", "summary"]), rehearsal_reports::format::summary_schema());
}

#[test]
fn every_scenario_file_fits_the_schema_and_plans_without_an_engine() {
    let world = World::new();
    let schema = rehearsal::scenario::schema();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join("scenarios")).expect("scenarios").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "yaml") {
            files.push(path.to_str().expect("a readable path").to_owned());
        }
    }
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a scenario");
        let json = Node::read(&text).expect("YAML").to_json();
        for key in json.as_object().expect("a map").keys() {
            assert!(schema["properties"].get(key).is_some(), "{file}: {key}");
        }
        world.rehearsal(&["plan", &file]).exits(0);
    }
}

#[test]
fn there_is_nothing_to_recover_where_nobody_ran() {
    let world = World::new();
    let recovered = world.rehearsal(&["recover", "--all"]).exits(0);
    assert_eq!(recovered.stdout, "nothing to recover\n");
}

#[test]
fn a_report_repeats_what_the_run_said() {
    let world = World::new();
    let ended = Run::new(&world, EMBEDDED).set("phases={ steady: 2s }").finish();
    let code = ended.code.expect("it ended by itself");
    let said = ended.summary();
    for (format, name, file) in ReportFormat::ALL {
        let shown = world.rehearsal(&["report", "run", "--format", name]).exits(code);
        assert_eq!(shown.stdout, ended.file(file), "{format:?}");
    }
    std::fs::remove_file(ended.directory.join("summary.json")).expect("removed");
    let again = world.rehearsal(&["report", "run"]).exits(code);
    assert_eq!(again.stdout, ended.stdout);
    assert_eq!(ended.summary(), said);
    let korean = world.rehearsal(&["report", "run", "--format", "text", "--lang", "ko"]);
    assert!(korean.stdout.chars().any(|c| ('가'..='힣').contains(&c)), "{korean}");
    assert_eq!(korean.code, Some(code), "a language changes no verdict");
}
