//! The command line: what can be typed, and what each command does with it.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rehearsal_reports::format::ReportFormat;
use rehearsal_reports::verdict::Exit;
use rehearsal_reports::words::Lang;

use crate::scenario::ScenarioError;

mod init;
mod plan;
mod recover;
mod report;
mod run;
mod schema;
mod subject;
mod testbed;

/// The dress rehearsal of a system before it opens: load, faults, and what the users would have
/// felt, in numbers
#[derive(Parser, Debug)]
#[command(version, after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 pass, 1 an objective was missed, 2 usage or scenario error, \
3 inconclusive, 4 not restored, 5 the system could not be reached or brought up, \
130 interrupted (everything healed)";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario, or load a URL; writes a run directory and prints the verdict
    Run(run::RunArgs),
    /// Print what a run would do, resolved; touches nothing
    Plan(plan::PlanArgs),
    /// Judge a recorded run again and write its reports
    Report {
        /// The run directory
        run_dir: PathBuf,
        /// Write only this format, to stdout; several are written to their files
        #[arg(long = "format", value_name = "FORMAT")]
        formats: Vec<ReportFormat>,
        /// The language of what people read: en or ko
        #[arg(long, default_value = "en")]
        lang: Lang,
    },
    /// Heal what a dead run left behind; safe to repeat
    Recover {
        /// The dead run's directory
        run_dir: Option<PathBuf>,
        /// Heal what any run on this machine left behind
        #[arg(long, conflicts_with = "run_dir")]
        all: bool,
    },
    /// Write a commented scenario to begin with
    Init {
        /// Where to
        #[arg(default_value = "scenario.yaml")]
        file: PathBuf,
    },
    /// Print the JSON Schema of scenario files, or of summary.json
    Schema {
        /// Which: scenario or summary
        #[arg(default_value = "scenario")]
        of: schema::Of,
    },
    /// Run one process of the embedded testbed
    Testbed {
        #[command(subcommand)]
        role: rehearsal_testbed::Role,
    },
}

/// Does what was asked for; how the program ends.
#[must_use]
pub fn main(args: Args) -> Exit {
    crate::gauges::raise_descriptor_limit();
    match args.command {
        Command::Run(args) => run::main(args),
        Command::Plan(args) => plan::main(args),
        Command::Report { run_dir, formats, lang } => report::main(&run_dir, &formats, lang),
        Command::Recover { run_dir, all } => recover::main(run_dir.as_deref(), all),
        Command::Init { file } => init::main(&file),
        Command::Schema { of } => schema::main(of),
        Command::Testbed { role } => testbed::main(role),
    }
}

/// Says on stderr what went wrong.
#[expect(clippy::print_stderr, reason = "the edge of the program")]
fn complain(error: &dyn std::error::Error) {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        cause = inner.source();
    }
    eprintln!("error: {words}");
}

/// Says what is wrong with a scenario, with its lines.
#[expect(clippy::print_stderr, reason = "the edge of the program")]
fn complain_of_scenario(error: &ScenarioError) {
    match error {
        ScenarioError::Wrong(problems) => {
            let count = problems.list().len();
            eprintln!("{}\n", problems.render(stderr().is_terminal()));
            let noun = if count == 1 { "problem" } else { "problems" };
            eprintln!("{count} {noun}; nothing was touched");
        }
        ScenarioError::Unreadable { .. } => complain(error),
    }
}

/// Prints a result; who reads it may have gone, which is no error of ours.
fn print(text: &str) {
    let mut out = stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
