//! Each reason by itself, at its limit and beyond it.

use super::*;
use crate::record::{End, ThreadUse};
use crate::seconds::Second;
use crate::series::Counts;

#[test]
fn each_reason_spoils_a_second_and_its_limit_does_not() {
    let busy = |busy| second().busy(busy);
    for (said, spoiled) in [
        (second(), None),
        (second().late(2), Some(Invalid::Late)),
        (second().late(1), None),
        (second().sends(0).late(0), None),
        (busy(0.95), None),
        (busy(0.95).dropped(7), Some(Invalid::Starved)),
        (busy(0.89).dropped(7), None),
        (busy(0.5).waited(450).dropped(7), Some(Invalid::Starved)),
        (busy(0.5).waited(300).dropped(7), None),
        (second().own(1), Some(Invalid::Own)),
        (busy(0.95).dropped(1).own(1), Some(Invalid::Starved)),
        (second().stalled(101), Some(Invalid::Stalled)),
        (second().stalled(100), None),
        (second().stalled(101).late(50), Some(Invalid::Stalled)),
        (second().stalled(101).own(3), Some(Invalid::Own)),
    ] {
        assert_eq!(said.judged(), spoiled, "{said:?}");
    }
}

#[test]
fn the_busiest_thread_counts_and_not_the_mean() {
    let mut said = second().dropped(3);
    said.generator.threads = [0.1, 0.97].map(|busy| ThreadUse { busy, ..idle() }).to_vec();
    said.generator.cpu = 1.07;
    assert_eq!(said.judged(), Some(Invalid::Starved));
}

#[test]
fn the_rest_of_a_run_is_no_busy_second() {
    let mut said = second().busy(0.99).dropped(1);
    said.generator.length = Duration::from_millis(12);
    assert_eq!(said.judged(), None);
    let validity = Validity::of(&said.tables());
    assert!(validity.cpu_peak.abs() < f64::EPSILON, "{}", validity.cpu_peak);
}

#[test]
fn version_1_knows_the_sum_over_its_threads_only() {
    let mut said = second().dropped(7);
    said.generator.threads.clear();
    said.generator.length = Duration::ZERO;
    (said.generator.cpu, said.generator.cpu_limit) = (1.81, 2.0);
    assert_eq!(said.judged(), Some(Invalid::Starved));
    said.generator.cpu = 1.79;
    assert_eq!(said.judged(), None);
}

#[test]
fn a_second_without_an_account_of_every_thread_is_unmeasured() {
    let mut tables = Tables { end: Some(END), ..Tables::default() };
    tables.seconds = (0..5).map(|second| Second { second, ..Second::default() }).collect();
    for second in [0, 1, 3] {
        let threads = vec![idle(); if second == 1 { 1 } else { 2 }];
        let length = Duration::from_secs(1);
        let one = Generator { second, length, threads, ..Generator::default() };
        tables.generator.insert(second, one);
    }
    let invalid = Validity::of(&tables).invalid;
    assert_eq!(invalid.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    assert!(invalid.values().all(|why| *why == Invalid::Unmeasured));
    tables.end = None;
    let cut_off = Validity::of(&tables).invalid;
    assert_eq!(cut_off.into_keys().collect::<Vec<_>>(), [1, 2], "the rest is not there");
}

#[test]
fn a_long_standstill_spoils_every_second_that_it_lasted() {
    let mut tables = second().stalled(2_400).tables();
    tables.seconds = (0..6).map(|second| Second { second, ..Second::default() }).collect();
    for second in 1..6 {
        let one = Generator { second, ..tables.generator[&0].clone() };
        let one = Generator { stall_max: Duration::ZERO, ..one };
        tables.generator.insert(second, one);
    }
    let invalid = Validity::of(&tables).invalid;
    assert_eq!(invalid.into_keys().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn lateness_is_merged_and_not_averaged() {
    let mut tables = second().tables();
    for (phase, count, late) in [(0, 99, 10), (1, 1, 5_000)] {
        let mut lateness = Histogram::new(DIGITS_SECOND);
        (0..count).for_each(|_| lateness.record(Duration::from_micros(late)));
        tables.lateness.insert(phase, lateness);
    }
    let lateness = Validity::of(&tables).lateness.expect("sends");
    assert_eq!((lateness.count, lateness.p99), (100, Duration::from_micros(10)));
    assert!(lateness.max >= Duration::from_millis(5));
}

#[test]
fn a_scope_counts_its_own_seconds_only() {
    let invalid = [(1, Invalid::Late), (7, Invalid::Own)].into();
    let validity = Validity { invalid, ..Validity::default() };
    let spans = vec![Duration::from_secs(5)..Duration::from_secs(9)];
    let tally = validity.tally(&Scope { phases: vec![0], spans });
    assert_eq!((tally.seconds, tally.invalid()), (4, 1));
    assert_eq!(tally.invalid.get(&Invalid::Own), Some(&1));
    assert!((tally.share() - 0.25).abs() < 1e-9 && !tally.is_sound());
}

const END: End = End {
    at: Duration::ZERO,
    interrupted: false,
    failures_left_out: 0,
    cpu_seconds: 0.0,
    memory_peak: 0,
};

/// What was recorded of one second.
#[derive(Clone, Debug)]
struct Said {
    generator: Generator,
    dropped: u64,
    own: u64,
}

fn idle() -> ThreadUse {
    ThreadUse { busy: 0.1, waited: Some(Duration::ZERO), preempted: Some(0) }
}

/// A second in which 100 journeys began, by one thread.
fn second() -> Said {
    let length = Duration::from_secs(1);
    let threads = vec![idle()];
    let generator =
        Generator { sends: 100, length, threads, cpu_limit: 1.0, ..Generator::default() };
    Said { generator, dropped: 0, own: 0 }
}

impl Said {
    fn sends(mut self, sends: u64) -> Self {
        self.generator.sends = sends;
        self
    }

    fn late(mut self, late: u64) -> Self {
        self.generator.late = late;
        self
    }

    fn busy(mut self, busy: f64) -> Self {
        self.generator.threads[0].busy = busy;
        self
    }

    fn waited(mut self, ms: u64) -> Self {
        self.generator.threads[0].waited = Some(Duration::from_millis(ms));
        self
    }

    fn stalled(mut self, ms: u64) -> Self {
        self.generator.stall_max = Duration::from_millis(ms);
        self
    }

    fn dropped(mut self, dropped: u64) -> Self {
        self.dropped = dropped;
        self
    }

    fn own(mut self, own: u64) -> Self {
        self.own = own;
        self
    }

    fn tables(&self) -> Tables {
        let requests = Counts { own: self.own, ..Counts::default() };
        let drops = [(0, self.dropped)].into();
        let seconds = vec![Second { requests, drops, ..Second::default() }];
        let generator = [(0, self.generator.clone())].into();
        Tables { generator, seconds, end: Some(END), ..Tables::default() }
    }

    fn judged(&self) -> Option<Invalid> {
        Validity::of(&self.tables()).invalid.get(&0).copied()
    }
}
