//! The rules of the house that no compiler enforces.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// The crates, with what may not be named in each: faults reach reports only as events in the
/// journal, and load only ever meets both in the harness.
const CRATES: [(&str, &[&str]); 4] = [
    ("harness", &[]),
    ("chaos", &["rehearsal_reports", "rehearsal_testbed"]),
    ("reports", &["rehearsal_chaos", "rehearsal_testbed"]),
    ("testbed", &["rehearsal_chaos", "rehearsal_reports"]),
];

/// A source file.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Its path in the workspace.
    fn name(&self) -> String {
        let path = self.path.strip_prefix(root()).expect("in the workspace");
        path.display().to_string()
    }

    /// Its text without the lines that are comments, which may point anywhere.
    fn code(&self) -> String {
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.collect::<Vec<_>>().join("\n")
    }
}

/// All source files under `folder`.
fn sources(folder: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                sources.push(Source { path, text });
            }
        }
    }
    sources
}

fn all_sources() -> Vec<Source> {
    CRATES.iter().flat_map(|(name, _)| sources(&root().join(name).join("src"))).collect()
}

/// What follows each `crate::` of `code`: one name, or those of a list in braces.
fn used(code: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |text: &str| text.chars().take_while(|c| is_part(*c)).collect::<String>();
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let mut depth = 1;
        let mut item = true;
        for (place, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => item = true,
                c if item && is_part(c) => {
                    names.push(name(&list[place..]));
                    item = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The modules of a crate, lowest first.
fn layers(lib: &str) -> Vec<&str> {
    let names = lib.lines().filter_map(|line| {
        line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')
    });
    names.collect()
}

/// The files that use what is declared below them.
fn climbers(layers: &[&str], sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources {
        let own = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let Some(place) = layers.iter().position(|layer| *layer == own) else { continue };
        for name in used(code) {
            if !layers[..=place].contains(&name.as_str()) {
                found.push(format!("{path} uses `{name}`, which is declared below it"));
            }
        }
    }
    found
}

#[test]
fn a_file_uses_only_what_is_declared_above_it() {
    for name in ["harness", "chaos", "reports"] {
        let src = root().join(name).join("src");
        let lib = fs::read_to_string(src.join("lib.rs")).expect("lib.rs");
        let layers = layers(&lib);
        assert!(layers.len() > 5, "the layers of {name}: {layers:?}");
        let sources: Vec<(String, String)> = sources(&src)
            .iter()
            .map(|source| {
                let path = source.path.strip_prefix(&src).expect("in the crate");
                (path.display().to_string(), source.code())
            })
            .collect();
        let found = climbers(&layers, &sources);
        assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
    }
}

#[test]
fn a_file_that_uses_what_is_declared_below_it_is_found() {
    let found = |code: &str| {
        climbers(&["low", "middle", "high"], &[("middle/part.rs".to_owned(), code.to_owned())])
    };
    assert_eq!(found("use crate::low::A; use crate::middle::B;"), Vec::<String>::new());
    assert_eq!(found("use crate::high::A;").len(), 1);
    assert_eq!(found("use crate::{low::{A, high}, middle::B};"), Vec::<String>::new());
    assert_eq!(found("use crate::{\n    low::{A, B},\n    high::{C},\n};").len(), 1);
}

#[test]
fn a_crate_names_only_those_that_it_may_know() {
    for (name, forbidden) in CRATES {
        for source in sources(&root().join(name)) {
            for word in forbidden {
                assert!(!source.code().contains(word), "{} names {word}", source.name());
            }
        }
        let manifest =
            fs::read_to_string(root().join(name).join("Cargo.toml")).expect("Cargo.toml");
        for word in forbidden {
            let word = word.replace('_', "-");
            assert!(!manifest.contains(&word), "{name}/Cargo.toml names {word}");
        }
    }
}

#[test]
fn only_one_file_names_the_engine_and_only_the_command_line_the_testbed() {
    let naming = |word: &str| {
        let files = all_sources().into_iter().filter(|source| source.code().contains(word));
        files.map(|source| source.name()).collect::<Vec<_>>()
    };
    assert_eq!(naming("bollard"), ["chaos/src/platform/docker.rs"]);
    let testbed = naming("rehearsal_testbed");
    let strangers: Vec<&String> = testbed
        .iter()
        .filter(|name| !name.starts_with("harness/src/cli") && !name.starts_with("testbed/"))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    assert!(testbed.iter().any(|name| name.starts_with("harness/src/cli")), "{testbed:?}");
}

#[test]
fn nothing_is_left_to_do_in_the_sources() {
    let words = ["TODO", "FIXME", "XXX", "todo!", "dbg!", "unimplemented!"];
    for source in all_sources() {
        for word in words {
            assert!(!source.text.contains(word), "{} holds {word}", source.name());
        }
    }
}
