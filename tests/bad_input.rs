//! Bad input and bad surroundings: the exit code, the place, the reason and the way out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use crate::support::{EMBEDDED, Ended, Run, World, changed, with_fault};

const KILL_ONE: &str = "{ do: kill, on: { service: was, pick: one }, during: fault }";

/// `scenario.yaml:LINE:COLUMN` of the one `part` of `yaml`.
fn at(yaml: &str, part: &str) -> String {
    assert_eq!(yaml.matches(part).count(), 1, "`{part}` stands once in:\n{yaml}");
    let before = &yaml[..yaml.find(part).expect("it stands there")];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("scenario.yaml:{line}:{column}")
}

/// Runs and plans `yaml`: both refuse it, with `parts` in what they say, and touch nothing.
#[track_caller]
fn refused(yaml: &str, parts: &[&str]) {
    let world = World::new();
    let ended = Run::new(&world, yaml).finish().exits(2).complains(parts);
    nothing_touched(&world, &ended);
    world.rehearsal(&["plan", "scenario.yaml"]).exits(2).complains(parts);
}

#[track_caller]
fn nothing_touched(world: &World, ended: &Ended) {
    assert_eq!(ended.stdout, "", "stdout carries results only");
    assert!(!ended.stderr.starts_with("run "), "no run is announced: {ended}");
    let names = world.names();
    assert!(names.iter().all(|name| name == "scenario.yaml"), "{names:?}\n{ended}");
}

#[test]
fn a_transport_that_cannot_be_is_told_with_its_place() {
    let transport = "transport: { conections: shared, http: 2, codec: raw, redirects: -1, \
                     compression: zip, tls: { ca: none.pem, min-version: 1.1 } }";
    let yaml = format!("{}\n{transport}\n", with_fault(KILL_ONE));
    refused(
        &yaml,
        &[
            &at(&yaml, "conections"),
            "did you mean `connections`?",
            &at(&yaml, "zip"),
            "`off` or `gzip`",
            &at(&yaml, "-1"),
            "0 or more",
        ],
    );
    let transport = "transport: { http: 2, codec: raw, max-connections: 2, \
                     tls: { ca: none.pem, min-version: 1.1 } }";
    let yaml = format!("{}\n{transport}\n", with_fault(KILL_ONE));
    refused(
        &yaml,
        &[
            &at(&yaml, "raw,"),
            "our own codec speaks HTTP/1.1 only",
            &at(&yaml, "2, tls"),
            "goes with `connections: shared`",
            &at(&yaml, "none.pem"),
            "a file in PEM",
            &at(&yaml, "1.1"),
            "TLS 1.1 is not spoken here",
        ],
    );
    let yaml = format!("{}\ntransport: {{ http: 2 }}\n", with_fault(KILL_ONE));
    refused(&yaml, &[&at(&yaml, "2 }\n"), "the target is not `https`"]);
}

#[test]
fn all_misspelt_words_of_a_file_are_told_at_once() {
    let yaml = changed(&with_fault(KILL_ONE), "users:", "usres:");
    let yaml = changed(&yaml, "do: kill", "do: kil");
    let yaml = changed(&yaml, "executor: constant-arrival-rate", "executor: constant-arival-rate");
    let yaml = changed(&yaml, "prober: { path:", "prober: { pth:");
    let yaml = changed(&yaml, "outage <= 1s", "outage <= 1 parsec");
    refused(
        &yaml,
        &[
            &at(&yaml, "usres"),
            "usres: 20",
            "did you mean `users`?",
            &at(&yaml, "constant-arival-rate"),
            "`constant-arrival-rate`",
            &at(&yaml, "kil,"),
            "did you mean `kill`?",
            &at(&yaml, "pth"),
            "did you mean `path`?",
            &at(&yaml, "outage <="),
            "1 parsec",
            "5 problems; nothing was touched",
        ],
    );
}

#[test]
fn a_misspelt_key_of_a_load_is_told_with_its_place() {
    let yaml = changed(EMBEDDED, "    rate: 30/s", "    raet: 30/s");
    refused(&yaml, &[&at(&yaml, "raet"), "raet: 30/s", "did you mean `rate`?"]);
}

#[test]
fn a_rate_of_zero_is_refused() {
    let yaml = changed(EMBEDDED, "30/s", "0/s");
    refused(&yaml, &[&at(&yaml, "0/s"), "nobody ever arrives", "leave the profile out"]);
}

#[test]
fn a_fault_on_an_unknown_service_names_the_known_ones() {
    let yaml = with_fault("{ do: kill, on: { service: wsa, pick: one }, during: fault }");
    refused(&yaml, &[&at(&yaml, "wsa"), "unknown service `wsa`", "`front`", "did you mean `was`?"]);
}

#[test]
fn a_fault_on_an_instance_that_is_not_there_is_refused() {
    let yaml = with_fault("{ do: kill, on: { service: was, index: 9 }, during: fault }");
    refused(&yaml, &[&at(&yaml, "9 }"), "no instance 9", "was-1, was-2, was-3"]);
    let yaml = with_fault("{ do: kill, on: { service: was, pick: 4 }, during: fault }");
    refused(&yaml, &[&at(&yaml, "4 }"), "3"]);
}

#[test]
fn an_unknown_phase_of_a_fault_names_the_known_ones() {
    let yaml = with_fault("{ do: kill, on: { service: was, pick: one }, during: falt }");
    let known = "`warm-up`, `steady`, `fault` or `recovery`";
    refused(&yaml, &[&at(&yaml, "falt"), "unknown phase `falt`", known, "did you mean `fault`?"]);
}

#[test]
fn two_faults_in_one_instance_at_a_time_are_refused() {
    let fault = "{ do: pause, on: { service: was, pick: all }, during: fault }";
    let more = "  - { do: kill, on: { service: was, index: 1 }, at: 5s, for: 1s }";
    let yaml = with_fault(&format!("{fault}\n{more}"));
    refused(
        &yaml,
        &[&at(&yaml, "{ do: kill"), "`was-1` has another fault at that time", "from 7s"],
    );
}

#[test]
fn stages_that_do_not_sum_up_are_refused() {
    let stages = "stages: [{ duration: 5s, target: 10/s }, { duration: 5s, target: 20/s }]";
    let load = "executor: constant-arrival-rate\n    rate: 30/s";
    let yaml = changed(EMBEDDED, load, &format!("executor: ramping-arrival-rate\n    {stages}"));
    let told = "the stages last 10s and the phases 11s";
    refused(&yaml, &[&at(&yaml, "[{ duration"), told, "phases rule the length"]);
}

#[test]
fn objectives_that_match_nothing_are_refused() {
    let yaml = changed(EMBEDDED, "outage <= 1s", "speed >= 3");
    refused(&yaml, &[&at(&yaml, "speed"), "speed", "availability"]);
    let yaml = changed(EMBEDDED, "outage <= 1s", "p99 <= 1s in stedy");
    refused(&yaml, &[&at(&yaml, "p99 <="), "stedy", "steady"]);
}

#[test]
fn an_unknown_variable_names_the_known_ones() {
    let yaml = changed(EMBEDDED, "id: \"{{ order }}\"", "id: \"{{ ordr }}\"");
    let parts = ["unknown variable `ordr`", "`order`", "`user`", "did you mean `order`?"];
    refused(&yaml, &[&[at(&yaml, "\"{{ ordr }}\"").as_str()], &parts[..]].concat());
}

#[test]
fn a_file_that_is_not_yaml_is_told_with_its_place() {
    let yaml = changed(EMBEDDED, "users: 20", "users: [20");
    refused(&yaml, &["scenario.yaml:", "not YAML"]);
}

#[test]
fn a_file_that_is_not_there_is_told_with_the_way_out() {
    let world = World::new();
    let ended = Run::file(&world, Path::new("none.yaml")).finish().exits(2);
    nothing_touched(&world, &ended.complains(&["none.yaml", "No such file", "rehearsal init"]));
}

#[test]
fn a_value_of_the_command_line_that_leads_nowhere_is_told() {
    let world = World::new();
    for (set, told) in [
        ("load.5.rate=1/s", "`load.5.rate` leads nowhere: there is no `5`"),
        ("name.first=x", "there is no `first`"),
        ("phases.steady", "no `=`"),
        ("load.0.raet=1/s", "did you mean `rate`?"),
        ("load.0.rate=fast", "`fast` does not fit"),
    ] {
        let ended = Run::new(&world, EMBEDDED).set(set).finish().exits(2);
        nothing_touched(&world, &ended.complains(&["--set:1:1", set, told]));
    }
}

/// A target of its own, with nothing that a machine under load may miss.
fn bare(target: &str) -> String {
    let yaml = changed(EMBEDDED, "embedded: { was: 3 }", &format!("target: \"{target}\""));
    changed(&yaml, "path: /version", "path: /")
}

#[test]
fn a_target_that_is_not_there_is_told_before_anything_else() {
    let world = World::new();
    // A port that was free a moment ago.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let target = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let ended = Run::new(&world, &bare(&target)).finish().exits(5);
    let ended = ended.complains(&[&target, "refused", "start the system first", "system.target"]);
    no_run(&world, &ended);
}

/// Nothing in the world looks like a run.
#[track_caller]
fn no_run(world: &World, ended: &Ended) {
    assert!(!ended.directory.exists(), "an empty run directory is left\n{ended}");
    assert_eq!(ended.stdout, "", "stdout carries results only");
    let names = world.names();
    assert!(!names.contains(&"runs".to_owned()), "{names:?}");
}

#[test]
fn a_target_that_is_somebody_else_gets_no_load() {
    let (asked, target) = stranger();
    let world = World::new();
    let identity = "identity: { path: /whois, header: { server: our-shop }, body: north }";
    let yaml = bare(&format!("http://{target}"));
    let yaml = changed(&yaml, "\nphases:", &format!("\n  {identity}\nphases:"));
    let ended = Run::new(&world, &yaml).finish().exits(5);
    let found = "header `server` is `printer`, not `our-shop`";
    let ended = ended.complains(&["/whois", found, "no load was sent", "system.target"]);
    no_run(&world, &ended);
    let asked: Vec<String> = asked.try_iter().collect();
    assert_eq!(asked, ["GET /whois HTTP/1.1"]);
}

/// A server that is not the one meant, and what it is asked.
fn stranger() -> (std::sync::mpsc::Receiver<String>, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            // The test may be over.
            tell.send(text.lines().next().unwrap_or_default().to_owned()).ok();
            let head = "HTTP/1.1 200 OK\r\nServer: printer\r\nConnection: close";
            stream.write_all(format!("{head}\r\nContent-Length: 2\r\n\r\nok").as_bytes()).ok();
        }
    });
    (asked, address)
}

#[test]
fn an_engine_that_is_not_there_is_told() {
    let world = World::new();
    world.write("compose.yml", "services: { was: { image: nothing } }\n");
    let system = "compose: compose.yml\n  target: http://127.0.0.1:1";
    let yaml = changed(EMBEDDED, "embedded: { was: 3 }", system);
    let ended = Run::new(&world, &yaml).finish().exits(5);
    no_run(&world, &ended.complains(&["/nonexistent.sock", "Docker"]));
    // A plan can be made all the same; it says what it does not know.
    let planned = world.rehearsal(&["plan", "scenario.yaml"]).exits(0);
    assert!(planned.stdout.contains("instances unresolved"), "{planned}");
}

#[test]
fn a_run_is_never_written_over() {
    let world = World::new();
    std::fs::create_dir(world.path("run")).expect("a directory");
    world.write("run/run.json", "{}");
    let ended = Run::new(&world, EMBEDDED).finish().exits(2);
    let ended = ended.complains(&["`run` already holds a run", "name another directory"]);
    assert_eq!(ended.file("run.json"), "{}");
    assert_eq!(std::fs::read_dir(&ended.directory).expect("the run").count(), 1, "{ended}");
}

#[test]
fn an_unwritable_run_directory_is_told() {
    let world = World::new();
    world.write("file", "");
    let ended = Run::new(&world, EMBEDDED).out("file/run").finish().exits(5);
    ended.complains(&["file/run", "Not a directory", "--out"]);
    let ended = Run::new(&world, EMBEDDED).out("/proc/run").finish().exits(5);
    ended.complains(&["/proc/run", "--out"]);
}

#[test]
fn a_program_that_is_asked_wrongly_says_how_to_ask() {
    let world = World::new();
    world.rehearsal(&["rnu"]).exits(2).complains(&["rnu", "Usage"]);
    world.rehearsal(&["recover"]).exits(2).complains(&["run directory", "--all"]);
    world.rehearsal(&["report", "none"]).exits(2).complains(&["none"]);
    world.rehearsal(&["recover", "none"]).exits(2).complains(&["none"]);
    assert_eq!(world.names(), Vec::<String>::new());
}
