//! The order of the `mod` lines is the order of the layers.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn a_file_uses_only_what_is_declared_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).expect("lib.rs");
    let layers: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    for (place, layer) in layers.iter().enumerate() {
        for file in files_of(&src, layer) {
            let text = fs::read_to_string(&file).expect("a source file");
            // A comment may point anywhere.
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let text = code.collect::<Vec<_>>().join("\n");
            for used in text.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
                let used = used.unwrap_or_default();
                let above = layers[..=place].contains(&used);
                assert!(above, "{} uses {used}, which is declared below it", file.display());
            }
        }
    }
}

fn files_of(src: &Path, layer: &str) -> Vec<PathBuf> {
    let mut files = vec![src.join(layer).with_extension("rs")];
    let mut folders = vec![src.join(layer)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}
