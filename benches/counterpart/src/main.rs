//! The other end of the benchmarks.
//!
//! ```text
//! counterpart serve MODE RECORD      serves until stdin ends; prints its port; `-` records nothing
//! counterpart launch FILE -- COMMAND writes what COMMAND cost
//! ```

use std::process::ExitCode;

mod launch;
mod serve;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["serve", mode, record] => mode.parse().and_then(|mode| serve::main(mode, record)),
        ["launch", file, "--", program, args @ ..] => return launch::main(file, program, args),
        _ => Err("usage: counterpart serve MODE RECORD | launch FILE -- COMMAND".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counterpart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why something could not be done, in words.
type Problem = Box<dyn std::error::Error>;
