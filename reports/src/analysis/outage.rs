//! Outages: the spans in which a target did not answer its probes.
//!
//! An outage opens at the due time of a failed probe and closes at the due time of the first of
//! `RECOVERED_AFTER` good ones in a row; gaps under `MERGED_BELOW` merge. Due times, not send times:
//! a prober that is itself held up must not shorten the outage it measures. A probe that was sent
//! too late to say anything, or that failed for want of our own means, is left out and counted.

use std::fmt;
use std::time::Duration;

use crate::analysis::marks::Marks;
use crate::analysis::scope::Scope;
use crate::number;
use crate::outcome::Cause;
use crate::run::{PlannedFault, Run};
use crate::tables::{Probed, Tables};

/// Good probes in a row that end an outage, one second at the usual 20 a second. A flapping
/// service answers now and then; one lucky answer is not recovery.
const RECOVERED_AFTER: usize = 20;

/// Outages closer than this are felt as one.
const MERGED_BELOW: Duration = Duration::from_secs(1);

/// How long after a fault is over an outage may still be its consequence.
const AFTERMATH: Duration = Duration::from_mins(1);

/// A span in which a target did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Due time of the first failed probe.
    pub begin: Duration,
    /// When that probe had failed.
    pub seen: Duration,
    /// Due time of the first good probe of the recovery; `None` when the record ended first.
    pub end: Option<Duration>,
    /// From the begin to the end, or to the end of the record.
    pub length: Duration,
    /// How far the length may be off, either way.
    pub resolution: Duration,
    /// Probes that failed.
    pub failed: u64,
    /// The fault it follows, by place; `None` when no fault explains it.
    pub fault: Option<usize>,
    /// Whether that fault stands for planned work.
    pub planned: bool,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&number::span(self.length, self.resolution))
    }
}

/// What the probes of one target say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probing {
    /// Probes made.
    pub probes: u64,
    /// Of those that count, how many failed.
    pub failed: u64,
    /// Left out: sent late by the generator, or failed through its own want.
    pub excluded: u64,
    /// The outages, in order of time.
    pub outages: Vec<Outage>,
}

impl Probing {
    /// What the probes of each target say, each outage with the fault that explains it.
    #[must_use]
    pub fn of(run: &Run, tables: &Tables, marks: &[Marks]) -> Vec<Self> {
        let prober = &run.prober;
        let all = tables.probes.iter();
        all.map(|probes| {
            let mut outages = outages(probes, prober.period, prober.timeout);
            for outage in &mut outages {
                attribute(outage, marks, &run.faults);
            }
            let (valid, excluded): (Vec<&Probed>, _) = probes.iter().partition(|probe| probe.valid);
            let failed = valid.iter().filter(|probe| probe.cause.is_some()).count() as u64;
            let excluded = excluded.len() as u64;
            Self { probes: probes.len() as u64, failed, excluded, outages }
        })
        .collect()
    }

    /// How long the target was down within `scope`.
    #[must_use]
    pub fn downtime(&self, scope: &Scope) -> Duration {
        let part = |outage: &Outage| scope.overlap(outage.begin, outage.begin + outage.length);
        self.outages.iter().map(part).sum()
    }

    /// The outages of which a part lies in `scope`.
    pub fn within<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Outage> {
        let end = |outage: &Outage| outage.begin + outage.length;
        self.outages.iter().filter(move |one| scope.overlap(one.begin, end(one)) > Duration::ZERO)
    }
}

/// The outages in `probes`, which are in due order, `period` apart, each with the time limit
/// `timeout`.
#[must_use]
pub fn outages(probes: &[Probed], period: Duration, timeout: Duration) -> Vec<Outage> {
    assert!(probes.is_sorted_by_key(|probe| probe.due));

    let mut outages: Vec<Outage> = Vec::new();
    let mut open: Option<Outage> = None;
    let mut good = Vec::with_capacity(RECOVERED_AFTER);
    let mut last = Duration::ZERO;

    for probe in probes.iter().filter(|probe| probe.valid) {
        last = probe.due;
        if let Some(cause) = probe.cause {
            good.clear();
            let outage = open.get_or_insert_with(|| resume(&mut outages, probe, period));
            outage.failed += 1;
            outage.resolution = outage.resolution.max(resolution(cause, period, timeout));
            continue;
        }
        if open.is_none() {
            continue;
        }
        good.push(probe.due);
        if good.len() < RECOVERED_AFTER {
            continue;
        }
        if let Some(mut outage) = open.take() {
            outage.end = Some(good[0]);
            outage.length = good[0].saturating_sub(outage.begin);
            outages.push(outage);
        }
        good.clear();
    }

    if let Some(mut outage) = open {
        outage.length = (last + period).saturating_sub(outage.begin);
        outages.push(outage);
    }
    outages
}

/// The last outage again when `probe` failed too soon after its end, else a new one.
fn resume(outages: &mut Vec<Outage>, probe: &Probed, period: Duration) -> Outage {
    let near = |outage: &mut Outage| {
        outage.end.is_some_and(|end| probe.due.saturating_sub(end) < MERGED_BELOW)
    };
    if let Some(outage) = outages.pop_if(near) {
        return Outage { end: None, ..outage };
    }
    Outage {
        begin: probe.due,
        seen: probe.done,
        end: None,
        length: Duration::ZERO,
        resolution: period,
        failed: 0,
        fault: None,
        planned: false,
    }
}

/// One period; where the probe hung, its time limit as well: an answer may have come just after it
/// was given up, and the state may have changed at any moment of the wait.
fn resolution(cause: Cause, period: Duration, timeout: Duration) -> Duration {
    match cause {
        Cause::ConnectTimeout | Cause::FirstByteTimeout | Cause::TotalTimeout => period + timeout,
        _ => period,
    }
}

/// Finds the last fault that had begun when the outage was first seen and was not long over.
fn attribute(outage: &mut Outage, marks: &[Marks], faults: &[PlannedFault]) {
    let explains = |marks: &Marks| {
        marks.began.is_some_and(|began| began <= outage.seen)
            && marks.over().is_none_or(|over| outage.begin <= over + AFTERMATH)
    };
    let candidates = (0..).zip(marks).filter(|(_, marks)| explains(marks));
    outage.fault = candidates.max_by_key(|(_, marks)| marks.began).map(|(place, _)| place);
    outage.planned =
        outage.fault.and_then(|place| faults.get(place)).is_some_and(|fault| fault.planned);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(50);
    const TIMEOUT: Duration = Duration::from_millis(500);

    #[test]
    fn a_single_good_answer_does_not_end_an_outage() {
        assert_eq!(found("..x.xx {20.}"), ["0.10 s: 0.20 s ± 0.05 s, 3 failed"]);
    }

    #[test]
    fn nineteen_good_answers_do_not_end_an_outage_and_twenty_do() {
        assert_eq!(found("x {19.} x {20.}"), ["0.00 s: 1.05 s ± 0.05 s, 2 failed"]);
        assert_eq!(
            found("x {20.} x {20.}"),
            ["0.00 s: 0.05 s ± 0.05 s, 1 failed", "1.05 s: 0.05 s ± 0.05 s, 1 failed"]
        );
    }

    #[test]
    fn outages_less_than_a_second_apart_are_one() {
        let probes = drawn("x {40.} x {40.}", Duration::from_millis(20));
        let found = outages(&probes, Duration::from_millis(20), TIMEOUT);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].begin, found[0].length.as_millis()), (Duration::ZERO, 840));
    }

    #[test]
    fn an_outage_that_outlives_the_record_has_no_end() {
        let found = outages(&drawn("....xxxx..", PERIOD), PERIOD, TIMEOUT);
        assert_eq!(found[0].end, None);
        assert_eq!(found[0].length.as_millis(), 300);
    }

    #[test]
    fn a_probe_that_hung_adds_its_time_limit_to_the_resolution() {
        assert_eq!(found("..hxx {20.}"), ["0.10 s: 0.15 s ± 0.55 s, 3 failed"]);
    }

    #[test]
    fn a_probe_that_the_generator_sent_late_says_nothing() {
        assert_eq!(found("{5.} ooo {20.}"), Vec::<String>::new());
        assert_eq!(found("x {10.} o {10.}"), ["0.00 s: 0.05 s ± 0.05 s, 1 failed"]);
    }

    #[test]
    fn an_outage_belongs_to_the_last_fault_begun_before_it_was_seen() {
        let marks = [mark(1, 5), mark(10, 20), mark(200, 210)];
        assert_eq!(
            [0, 2, 12, 79, 81, 205].map(|begin| explained(begin, &marks)),
            [None, Some(0), Some(1), Some(1), None, Some(2)]
        );
    }

    fn mark(began: u64, restored: u64) -> Marks {
        let [began, restored] = [began, restored].map(|at| Some(Duration::from_secs(at)));
        Marks { began, restored, ..Marks::default() }
    }

    fn explained(begin: u64, marks: &[Marks]) -> Option<usize> {
        let mut probe = drawn("x", PERIOD)[0];
        probe.due = Duration::from_secs(begin);
        probe.done = probe.due;
        let mut outage = outages(&[probe], PERIOD, TIMEOUT).remove(0);
        attribute(&mut outage, marks, &[]);
        outage.fault
    }

    fn found(drawing: &str) -> Vec<String> {
        let found = outages(&drawn(drawing, PERIOD), PERIOD, TIMEOUT);
        let line = |outage: &Outage| {
            format!("{}: {outage}, {} failed", number::seconds(outage.begin), outage.failed)
        };
        found.iter().map(line).collect()
    }

    /// Probes drawn one character each: `.` good, `x` refused, `h` hung, `o` refused and sent
    /// late; `{20.}` stands for twenty good ones, spaces for nothing.
    fn drawn(drawing: &str, period: Duration) -> Vec<Probed> {
        let mut probes = Vec::new();
        let words = drawing.split_whitespace().map(|word| {
            let many = word.strip_prefix('{').and_then(|word| word.strip_suffix(".}"));
            many.map_or(word.to_owned(), |many| ".".repeat(many.parse().expect("a count")))
        });
        for (place, c) in (0..).zip(words.collect::<String>().chars()) {
            let due = period * place;
            let cause = match c {
                '.' => None,
                'h' => Some(Cause::FirstByteTimeout),
                _ => Some(Cause::Refused),
            };
            probes.push(Probed { due, done: due, cause, valid: c != 'o' });
        }
        probes
    }
}
