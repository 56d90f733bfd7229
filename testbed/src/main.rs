//! The testbed alone, as the container images carry it.

use std::error::Error as _;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use rehearsal_testbed::Role;

/// One process of the testbed.
#[derive(Parser)]
#[command(name = "testbed", version)]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = rehearsal_testbed::run(Args::parse().role).await else {
        return ExitCode::SUCCESS;
    };
    let mut words = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    // A closed stderr leaves the exit code as the only way to tell.
    let _ = writeln!(std::io::stderr(), "{words}");
    ExitCode::FAILURE
}
