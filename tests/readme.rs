//! The documents say what is true: their scenarios plan, their commands exist, their lists are whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rehearsal::plan::Plan;
use rehearsal::problem::Source;
use rehearsal::scenario::{Read, schema};
use serde_json::Value;

/// The documents for people, from the root of the repository.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benches/README.md",
    "scenarios/README.md",
    "testbed/README.md",
];

#[test]
fn each_scenario_in_the_readme_plans() {
    let mut seen = 0;
    for text in blocks("README.md", "yaml").into_iter().filter(|text| text.starts_with("name:")) {
        let path = root().join("README.yaml").display().to_string();
        let source = Source { path, text, sets: Vec::new() };
        let planned = Read::text(source).and_then(|read| Plan::of(&read, 1));
        assert!(planned.is_ok(), "{}", planned.expect_err("just looked"));
        seen += 1;
    }
    assert!(seen > 0, "the README shows no scenario");
}

#[test]
fn each_scenario_file_plans_and_is_listed() {
    let list = document("scenarios/README.md");
    for path in scenario_files() {
        let read = Read::file(&path, &[]);
        assert!(read.is_ok(), "{}", read.expect_err("just looked"));
        let planned = read.map(|read| Plan::of(&read, 1));
        let wrong = planned.ok().and_then(Result::err);
        assert!(wrong.is_none(), "{}", wrong.expect("just looked"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
        assert!(list.contains(&format!("[{name}]({name})")), "the list lacks `{name}`");
    }
}

#[test]
fn each_yaml_block_about_scenarios_fits_into_a_scenario() {
    let whole = fs::read_to_string(root().join("scenarios/quickstart.yaml")).expect("quickstart");
    for text in blocks("scenarios/README.md", "yaml") {
        let (key, value) = text.split_once(':').expect("a key first");
        // The one block stands in place of the same key; what it refers to is not there.
        let others = sections(&whole).into_iter().filter(|part| !part.starts_with(key));
        let others: String = others.collect();
        let text = format!("{others}\n{key}:{value}");
        let source = Source { path: format!("block `{key}`"), text, sets: Vec::new() };
        let read = Read::text(source);
        assert!(read.is_ok(), "{}", read.expect_err("just looked"));
    }
}

#[test]
fn each_command_in_the_documents_exists_with_its_flags() {
    let mut seen = 0;
    for document in DOCUMENTS {
        let joined = blocks(document, "sh").concat().replace("\\\n", " ");
        for line in joined.lines() {
            let Some(words) = our_words(line) else { continue };
            let subcommand = words.first().expect("a subcommand");
            let help = help(subcommand);
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                let flag = flag.split('=').next().expect("a first part");
                let known = help.split(|c: char| c != '-' && !c.is_alphanumeric());
                assert!(known.into_iter().any(|word| word == flag), "{document}: `{line}`: {flag}");
            }
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} commands were found");
}

#[test]
fn the_list_of_keys_names_every_key_of_the_schema() {
    let list = document("scenarios/README.md");
    let named: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
    let mut keys = BTreeSet::new();
    collect_keys(&schema(), &mut keys);
    assert!(keys.contains("first-byte"), "the walk over the schema finds too little: {keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !named.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "scenarios/README.md does not list {missing:?}");
}

#[test]
fn the_changelog_has_a_place_for_the_next_release() {
    assert!(document("CHANGELOG.md").lines().any(|line| line == "## Unreleased"));
}

#[test]
fn each_link_of_a_document_leads_to_a_file() {
    for name in DOCUMENTS {
        let directory = root().join(name).parent().map(Path::to_owned).expect("a directory");
        let text = document(name);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with('#') && !link.contains("://")) {
            assert!(directory.join(link).exists(), "{name} links to `{link}`");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn scenario_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("scenarios")).expect("the scenarios");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "no scenario was found");
    files
}

/// The fenced blocks of `language`.
fn blocks(name: &str, language: &str) -> Vec<String> {
    let text = document(name);
    let fence = format!("\n```{language}\n");
    let bodies = text.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next());
    bodies.map(|body| format!("{body}\n")).collect()
}

/// The top-level parts of a YAML text, each with its key.
fn sections(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        let goes_on = line.is_empty() || line.starts_with([' ', '#']);
        match parts.last_mut().filter(|_| goes_on) {
            Some(part) => {
                part.push_str(line);
                part.push('\n');
            }
            None => parts.push(format!("{line}\n")),
        }
    }
    parts
}

/// What follows `rehearsal` or `cargo run ... --` in a line of shell; `None` for other lines.
fn our_words(line: &str) -> Option<Vec<&str>> {
    let command = line.split(" #").next().unwrap_or(line);
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["rehearsal", rest @ ..] => Some(rest.to_vec()),
        ["cargo", "run", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "--")?;
            Some(rest[at + 1..].to_vec())
        }
        _ => None,
    }
}

fn help(subcommand: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args([subcommand, "--help"])
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "there is no `rehearsal {subcommand}`");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The names of all properties in `schema`.
fn collect_keys(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            keys.extend(properties.into_iter().flatten().map(|(key, _)| key.clone()));
            for value in map.values() {
                collect_keys(value, keys);
            }
        }
        Value::Array(list) => {
            for value in list {
                collect_keys(value, keys);
            }
        }
        _ => {}
    }
}
