//! The texts in which the kernel tells its counts (proc(5), `Documentation/scheduler/sched-stats`).

use std::time::Duration;

/// Ticks a second of the counts in `/proc/stat`: `USER_HZ`, which is 100 on every machine that
/// this runs on.
const TICKS: u64 = 100;

/// How long a thread could have run and was given no core: the second number of `schedstat`.
pub(super) fn waited(schedstat: &str) -> Option<Duration> {
    number(schedstat, 1).map(Duration::from_nanos)
}

/// How often a core was taken from a thread, as its `status` tells.
pub(super) fn preempted(status: &str) -> Option<u64> {
    number(line(status, "nonvoluntary_ctxt_switches:")?, 0)
}

/// Resident memory in bytes, as `status` tells.
pub(super) fn resident(status: &str) -> Option<u64> {
    Some(number(line(status, "VmRSS:")?, 0)? * 1024)
}

/// TCP sockets in use and in `TIME_WAIT`, as `sockstat` tells.
pub(super) fn sockets(sockstat: &str) -> Option<u64> {
    let tcp: Vec<&str> = line(sockstat, "TCP:")?.split_whitespace().collect();
    let count = |name: &str| {
        let at = tcp.iter().position(|word| *word == name)?;
        tcp.get(at + 1)?.parse::<u64>().ok()
    };
    Some(count("inuse")? + count("tw")?)
}

/// How many ports `ip_local_port_range` spans.
pub(super) fn port_range(range: &str) -> Option<u64> {
    let (low, high) = (number(range, 0)?, number(range, 1)?);
    high.checked_sub(low).map(|ports| ports + 1)
}

/// Time that the host took away, over all cores: the eighth number of the first line of
/// `/proc/stat`.
pub(super) fn steal(stat: &str) -> Option<Duration> {
    let ticks = number(line(stat, "cpu ")?, 7)?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// What follows `name` in the line that it begins.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// The word at `place`, read as a number.
fn number(text: &str, place: usize) -> Option<u64> {
    text.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_read() {
        assert_eq!(waited("41210041 1500000 322\n"), Some(Duration::from_micros(1_500)));
        let status = "Name:\tload-0\nVmRSS:\t   53800 kB\nThreads:\t7\n\
            voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t12\n";
        assert_eq!(preempted(status), Some(12));
        assert_eq!(resident(status), Some(53_800 * 1024));
        let sockstat = "sockets: used 212\nTCP: inuse 70 orphan 0 tw 31 alloc 72 mem 9\nUDP: ...\n";
        assert_eq!(sockets(sockstat), Some(101));
        assert_eq!(port_range("32768\t60999\n"), Some(28_232));
        let stat = "cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(steal(stat), Some(Duration::from_millis(2_500)));
    }

    #[test]
    fn a_text_that_lacks_it_tells_nothing() {
        for text in ["", "x", "VmRSS:", "TCP: inuse", "cpu  1 2 3", "cpu0 1 2 3 4 5 6 7 8"] {
            assert_eq!(preempted(text), None);
            assert_eq!(resident(text), None);
            assert_eq!(sockets(text), None);
            assert_eq!(port_range(text), None);
            assert_eq!(steal(text), None);
        }
        assert_eq!((waited(""), waited("41210041")), (None, None));
    }
}
