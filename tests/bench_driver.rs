//! The driver of the benchmarks computes what it should. Needs Python, and runs nothing else.

use std::process::Command;

use crate::support::root;

#[test]
fn the_driver_of_the_benchmarks_passes_its_own_checks() {
    let output = Command::new("python3")
        .arg(root().join("benches/side-by-side"))
        .arg("--self-test")
        .output()
        .expect("python3 is installed, as CONTRIBUTING.md asks");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("checks passed"), "{said}\n{complained}");
}

#[test]
fn every_suite_is_explained() {
    let output = Command::new("python3")
        .arg(root().join("benches/side-by-side"))
        .arg("--help")
        .output()
        .expect("python3");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let readme = std::fs::read_to_string(root().join("benches/README.md")).expect("the README");
    for suite in ["closed", "tls", "journey", "open", "truth", "memory", "recording", "soak"] {
        assert!(help.contains(suite), "`{suite}` is missing from:\n{help}");
        assert!(readme.contains(&format!("`{suite}`")), "benches/README.md lacks `{suite}`");
    }
}
