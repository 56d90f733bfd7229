//! The `rehearsal` command.

use std::process::ExitCode;

use clap::Parser;
use rehearsal::cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("REHEARSAL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
    ExitCode::from(cli::main(cli::Args::parse()).code())
}
