//! `rehearsal run`

use std::path::PathBuf;

use clap::Args;
use rehearsal_reports::format::ReportFormat;
use rehearsal_reports::report::Report;
use rehearsal_reports::verdict::Exit;
use rehearsal_reports::words::Lang;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::subject::Subject;
use super::{complain, complain_of_scenario, print};
use crate::progress::Progress;
use crate::run::{Options, RunError, run};
use crate::stop::{self, Reason, Stopper};

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The run directory [default: runs/NAME/ID]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Take the compose project away again, volumes too, if this run brought it up
    #[arg(long)]
    down: bool,
    /// The language of the reports: en or ko
    #[arg(long, default_value = "en")]
    lang: Lang,
    // Last: the heading of its flags goes on for what follows.
    #[command(flatten)]
    subject: Subject,
}

pub(super) fn main(args: RunArgs) -> Exit {
    let lang = args.lang;
    let options = match args.subject.options() {
        Ok(options) => options,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    let command = std::env::args().collect();
    let options = Options { out: args.out, down: args.down, command, ..options };
    // One thread: the children of the embedded testbed are children of a thread that stays.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(until_done(&options, lang)),
        Err(error) => {
            complain(&error);
            return Exit::Environment;
        }
    };
    outcome.unwrap_or_else(|error| {
        match &error {
            RunError::Scenario(error) => complain_of_scenario(error),
            error => complain(error),
        }
        error.exit()
    })
}

async fn until_done(options: &Options, lang: Lang) -> Result<Exit, RunError> {
    // Goose would take Ctrl-C over and end the process at the second one; where somebody is there
    // already, it does not. Ours are added to it below.
    #[cfg(feature = "goose")]
    ctrlc::set_handler(|| ()).ok();
    let (stopper, stop) = stop::channel();
    let progress = Progress::on_stderr();
    let listening = listen(&stopper);
    let report = run(options, (&stopper, &stop), &progress).await?;
    drop(listening);
    publish(&report, lang)?;
    Ok(report.verdict.exit)
}

/// Writes all reports into the run directory and the short one to stdout.
fn publish(report: &Report, lang: Lang) -> Result<(), RunError> {
    for (format, ..) in ReportFormat::ALL {
        format.write_file(report, lang, &report.directory)?;
    }
    let mut text = Vec::new();
    ReportFormat::Text.write(report, lang, &mut text)?;
    print(&String::from_utf8_lossy(&text));
    Ok(())
}

/// Turns signals into a request to stop, from now on and until dropped; the second one is told
/// that the first was heard.
fn listen(stopper: &Stopper) -> JoinSet<()> {
    let kinds = [
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::hangup(), "SIGHUP"),
    ];
    let mut tasks = JoinSet::new();
    for (kind, name) in kinds {
        let Ok(mut signals) = signal(kind) else { continue };
        let stopper = stopper.clone();
        tasks.spawn(async move {
            while signals.recv().await.is_some() {
                tracing::warn!("{name}: stopping; what was broken is healed first");
                stopper.stop(Reason::Signal(name));
            }
        });
    }
    tasks
}
