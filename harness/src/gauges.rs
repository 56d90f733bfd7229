//! What the generator takes of its machine, read from the kernel once a second.
//!
//! Everything is read by whoever writes the journal, never by a thread that makes load. What a
//! kernel does not tell is left out: a gauge is evidence, and no run fails for want of one.

mod heartbeat;
mod kernel;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::unistd::gettid;
use rehearsal_reports::record::ThreadUse;

pub use self::heartbeat::Heartbeat;

/// What the process took in one second, and what it has at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// CPU time of all its threads.
    pub cpu: Option<Duration>,
    /// CPU time that the host took away from this machine, over its cores.
    pub steal: Option<Duration>,
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many may be open.
    pub descriptors_limit: Option<u64>,
    /// TCP sockets in use or in `TIME_WAIT` in our network namespace.
    pub ports_used: Option<u64>,
    /// How many local ports there are.
    pub ports_limit: Option<u64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
}

/// Reads the gauges; what grows for ever is told as the difference to the last reading.
#[derive(Debug)]
pub struct Gauges {
    cpu: Duration,
    steal: Option<Duration>,
    descriptors_limit: Option<u64>,
    ports_limit: Option<u64>,
    threads: BTreeMap<i32, Waits>,
}

/// What the scheduler counted of one thread so far.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    waited: Option<Duration>,
    preempted: Option<u64>,
}

impl Gauges {
    /// Gauges that count from now on.
    #[must_use]
    pub fn new() -> Self {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).ok();
        let range = told("/proc/sys/net/ipv4/ip_local_port_range");
        Self {
            cpu: usage().0,
            steal: steal(),
            descriptors_limit: limit.map(|(soft, _)| soft),
            ports_limit: range.as_deref().and_then(kernel::port_range),
            threads: BTreeMap::new(),
        }
    }

    /// How the process fared since the last call.
    pub fn read(&mut self) -> Reading {
        let cpu = usage().0;
        let steal = steal();
        let reading = Reading {
            cpu: cpu.checked_sub(self.cpu),
            steal: steal.zip(self.steal).and_then(|(now, before)| now.checked_sub(before)),
            descriptors: descriptors(),
            descriptors_limit: self.descriptors_limit,
            ports_used: told("/proc/self/net/sockstat").as_deref().and_then(kernel::sockets),
            ports_limit: self.ports_limit,
            memory: told("/proc/self/status").as_deref().and_then(kernel::resident),
        };
        (self.cpu, self.steal) = (cpu, steal);
        reading
    }

    /// How `thread` fared since the last call for it, in a span of `length` in which it used `cpu`.
    pub fn thread(&mut self, thread: i32, (cpu, length): (Duration, Duration)) -> ThreadUse {
        let file = |name: &str| told(&format!("/proc/self/task/{thread}/{name}"));
        let now = Waits {
            waited: file("schedstat").as_deref().and_then(kernel::waited),
            preempted: file("status").as_deref().and_then(kernel::preempted),
        };
        let before = self.threads.insert(thread, now).unwrap_or_default();
        let waited = now.waited.map(|now| now.saturating_sub(before.waited.unwrap_or_default()));
        let preempted = now.preempted;
        let preempted = preempted.map(|now| now.saturating_sub(before.preempted.unwrap_or(0)));
        let length = length.as_secs_f64();
        let busy = if length > 0.0 { (cpu.as_secs_f64() / length).min(1.0) } else { 0.0 };
        ThreadUse { busy, waited, preempted }
    }
}

impl Default for Gauges {
    fn default() -> Self {
        Self::new()
    }
}

/// The kernel's number of the calling thread.
#[must_use]
pub fn thread_id() -> i32 {
    gettid().as_raw()
}

/// Lets this process, and those that it starts, open as many descriptors as it may: each user may
/// hold a connection.
pub fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!("the limit of descriptors stays as it is: {error}");
    }
}

/// CPU time and the largest resident memory of this process so far.
#[must_use]
pub fn usage() -> (Duration, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (Duration::ZERO, 0);
    };
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let cpu = Duration::from_micros(u64::try_from(microseconds).unwrap_or(0));
    // The kernel counts in KiB.
    (cpu, u64::try_from(usage.max_rss()).unwrap_or(0) * 1024)
}

/// Descriptors that this process has open. Newer kernels (6.2) tell the number as the size of the
/// folder; listing ten thousand of them each second would cost more than the load.
fn descriptors() -> u64 {
    let folder = "/proc/self/fd";
    let size = fs::metadata(folder).map_or(0, |folder| folder.len());
    if size > 0 { size } else { fs::read_dir(folder).map_or(0, |all| all.count() as u64) }
}

fn steal() -> Option<Duration> {
    told("/proc/stat").as_deref().and_then(kernel::steal)
}

fn told(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_tells_what_it_can_and_the_rest_is_left_out() {
        let mut gauges = Gauges::new();
        let reading = gauges.read();
        assert!(reading.cpu.is_some());
        assert!(reading.descriptors > 2, "stdin, stdout and stderr at least");
        assert!(reading.descriptors_limit.is_some_and(|limit| limit >= reading.descriptors));
        assert!(reading.memory.is_some_and(|bytes| bytes > 1 << 20));
        let spent = (Duration::from_millis(250), Duration::from_secs(1));
        assert!((gauges.thread(thread_id(), spent).busy - 0.25).abs() < 1e-9);
        let gone = gauges.thread(-1, (Duration::ZERO, Duration::ZERO));
        assert_eq!(gone, ThreadUse::default());
    }

    #[test]
    fn what_grows_for_ever_is_told_as_a_difference() {
        let mut gauges = Gauges::new();
        let all = usage().0;
        gauges.read();
        let again = gauges.read();
        assert!(again.cpu.is_some_and(|cpu| cpu <= usage().0.saturating_sub(all)));
    }
}
