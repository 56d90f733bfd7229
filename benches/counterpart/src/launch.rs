//! Runs a program and says what it cost. A small parent matters: the peak of a process that has
//! just been forked is that of its parent.

use std::process::{Command, ExitCode};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

pub(crate) fn main(file: &str, program: &str, args: &[&str]) -> ExitCode {
    let begin = Instant::now();
    let status = match Command::new(program).args(args).status() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("counterpart: cannot start `{program}`: {error}");
            return ExitCode::FAILURE;
        }
    };
    let wall = begin.elapsed().as_secs_f64();
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return ExitCode::FAILURE };
    let (user, system) = (seconds(usage.user_time()), seconds(usage.system_time()));
    // The kernel counts in KiB.
    let peak = usage.max_rss() * 1024;
    let code = status.code().unwrap_or(-1);
    let text = format!(
        "{{\"user\": {user}, \"system\": {system}, \"wall\": {wall}, \"peak\": {peak}, \"code\": {code}}}\n"
    );
    match std::fs::write(file, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counterpart: cannot write `{file}`: {error}");
            ExitCode::FAILURE
        }
    }
}

fn seconds(time: TimeVal) -> f64 {
    // Microseconds of a run are far below the 2^53 that a float holds.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let seconds = time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds
}
