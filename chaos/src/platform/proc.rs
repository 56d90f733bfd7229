//! What `/proc` tells of a process, and signals that hit the process meant and no other.
//!
//! A process number is used again after its process has ended; number and start time together are
//! not.

use std::fs;

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    unistd::Pid,
};

/// A process as `/proc/PID/stat` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R` and `S` run or wait, `T` is stopped by a signal, `Z` has ended and was not yet waited for.
    pub(super) state: char,
    /// Clock ticks from the machine's boot to the start of the process.
    pub(super) started: u64,
}

impl Stat {
    /// The process `pid`; `None` when there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The command's name stands in parentheses and may hold blanks and parentheses itself: the
    /// fields begin behind the last one. State is the third of all, start time the 22nd.
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some(Self { state, started: fields.nth(18)?.parse().ok()? })
    }
}

/// The machine's boot, as an opaque word that differs after the next one.
pub(super) fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Sends `signal` to the process `pid` if it is the one that started at `started`. Says whether
/// there was one.
pub(super) fn send(pid: u32, started: u64, signal: Signal) -> Result<bool, Errno> {
    let meant = Stat::of(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z');
    let Ok(number) = i32::try_from(pid) else { return Ok(false) };
    if !meant {
        return Ok(false);
    }
    match signal::kill(Pid::from_raw(number), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_parentheses_and_blanks() {
        let line = "7 (a) b (c)) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 9 9";
        assert_eq!(Stat::parse(line), Some(Stat { state: 'S', started: 4711 }));
    }

    #[test]
    fn a_signal_does_not_hit_a_process_with_another_start_time() {
        let own = std::process::id();
        let started = Stat::of(own).expect("we run").started;
        assert_eq!(send(own, started + 1, Signal::SIGKILL), Ok(false));
    }
}
