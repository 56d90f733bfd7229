//! What is handed over of what was seen.

use std::collections::BTreeMap;

use rehearsal_reports::record::{Arrivals, Counters, Failure, Latency, Served};

use super::*;

#[test]
fn a_request_is_counted_in_the_second_and_phase_in_which_it_was_due() {
    let mut recorder = recorder();
    recorder.ended(&took(at(500), 4_700));
    recorder.ended(&took(at(1_200), 3));
    recorder.take(false);
    recorder.ended(&took(at(700), 60_000));
    let counters = counters(&recorder.take(false));
    assert_eq!(counters.keys().copied().collect::<Vec<_>>(), [(0, 0)], "long after its second");
}

#[test]
fn a_phase_mark_cuts_a_second_in_two_and_the_last_phase_has_no_end() {
    let mut recorder = recorder();
    for due in [1_400, 1_499, 1_500, 1_900, 3_999, 4_000, 9_000] {
        recorder.ended(&at(due));
    }
    let counted = counters(&recorder.take(false));
    let counted: Vec<_> = counted.into_iter().map(|(key, one)| (key, one.ok)).collect();
    assert_eq!(counted, [((1, 0), 2), ((1, 1), 2), ((3, 1), 1), ((4, 1), 1), ((9, 1), 1)]);
}

#[test]
fn ends_that_come_in_any_order_meet_their_pages() {
    let mut recorder = recorder();
    for due in [100, 3_100, 1_100, 2_100, 200, 3_200, 1_200, 2_200, 300] {
        recorder.ended(&at(due));
    }
    let counted = counters(&recorder.take(false));
    let counted: Vec<_> = counted.into_values().map(|one| one.ok).collect();
    assert_eq!(counted, [3, 2, 2, 2]);
}

#[test]
fn each_outcome_has_its_own_distributions_and_each_latency_too() {
    let mut recorder = recorder();
    recorder.ended(&took(at(100), 7));
    recorder.ended(&Sample { connect: Some(ms(2)), ..took(at(200), 9) });
    let miss = missed(Outcome::Unknown, Cause::Reset, "reset");
    recorder.ended(&Sample { verdict: Err(&miss), sent: None, ..at(300) });
    let mut counts = BTreeMap::new();
    for record in recorder.take(false) {
        if let Record::Interval(one) = record {
            counts.insert((one.outcome, one.latency), one.histogram.count());
            assert_eq!(one.second, Some(0), "a phase is written now and then only");
        }
    }
    let wanted = [
        ((Outcome::Ok, Latency::Response), 2),
        ((Outcome::Ok, Latency::Service), 2),
        ((Outcome::Ok, Latency::Connect), 1),
        ((Outcome::Unknown, Latency::Response), 1),
    ];
    assert_eq!(counts, wanted.into());
}

#[test]
fn a_second_keeps_two_digits_and_a_phase_three() {
    let mut recorder = recorder();
    let took = Duration::from_micros(123_456);
    recorder.ended(&Sample { done: took, ..at(0) });
    for record in recorder.take(true) {
        let Record::Interval(one) = record else { continue };
        let read = one.histogram.quantile(1.0).expect("one value");
        let off = read.abs_diff(took).as_secs_f64() / took.as_secs_f64();
        let (least, most) = if one.second.is_some() { (0.0, 0.01) } else { (0.0, 0.001) };
        assert!((least..=most).contains(&off), "{:?}: {read:?}", one.second);
    }
}

#[test]
fn the_distributions_of_a_phase_come_every_ten_seconds_and_at_the_end() {
    let mut recorder = recorder();
    let mut wholes = |last| {
        recorder.ended(&at(100));
        let records = recorder.take(last);
        let whole =
            |record: &&Record| matches!(record, Record::Interval(one) if one.second.is_none());
        records.iter().filter(whole).count()
    };
    let wholes: Vec<usize> = (1..=11).map(|call| wholes(call == 11)).collect();
    assert_eq!(wholes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
}

#[test]
fn errors_of_our_own_have_no_outcome_and_no_latency() {
    let mut recorder = recorder();
    let miss = missed(Outcome::Failed, Cause::NoPorts, "no ports");
    recorder.ended(&Sample { verdict: Err(&miss), ..at(100) });
    recorder.walked(&Sample { series: 0, verdict: Err(&miss), ..at(100) });
    assert_eq!(recorder.take_gauge().own_errors, 1, "the journey sends nothing of its own");
    let records = recorder.take(true);
    assert!(!records.iter().any(|record| matches!(record, Record::Interval(_))));
    let counters = counters(&records);
    let one = &counters[&(0, 0)];
    assert_eq!((one.own, one.failed, one.causes.get(&Cause::NoPorts)), (1, 0, Some(&1)));
}

#[test]
fn arrivals_are_told_as_due_begun_and_dropped() {
    let mut recorder = recorder();
    recorder.begun(0, ms(100), ms(1));
    recorder.begun(0, ms(200), ms(21));
    recorder.dropped(0, ms(300));
    let gauge = recorder.take_gauge();
    assert_eq!((gauge.sends, gauge.late, gauge.dropped), (2, 1, 1));
    assert_eq!(gauge.lateness.count(), 2);
    let records = recorder.take(false);
    let wanted = Arrivals { second: 0, phase: 0, series: 0, due: 3, begun: 2, dropped: 1 };
    assert_eq!(records, [Record::Arrivals(wanted)]);
    assert_eq!(recorder.take_gauge().sends, 0, "it is told once");
}

#[test]
fn who_answered_is_told_by_the_second_in_which_the_answer_was_complete() {
    let mut recorder = recorder();
    for (due, span, by) in [(900, 50, "a"), (950, 30, "a"), (960, 70, "a"), (970, 10, "b")] {
        recorder.ended(&Sample { served_by: Some(by), ..took(at(due), span) });
    }
    let told = served(&recorder.take(false));
    let one = |second, by: &str, count, first, last| Served {
        second,
        by: by.to_owned(),
        count,
        first: ms(first),
        last: ms(last),
    };
    let wanted = [one(0, "a", 2, 950, 980), one(0, "b", 1, 980, 980), one(1, "a", 1, 1030, 1030)];
    assert_eq!(told, wanted);
}

#[test]
fn a_system_of_endless_names_is_told_as_others() {
    let mut recorder = recorder();
    for number in 0..400 {
        let long = format!("{number:04}{}", "é".repeat(80));
        recorder.ended(&Sample { served_by: Some(&long), ..at(100) });
    }
    let told = served(&recorder.take(false));
    assert_eq!(told.len(), 257);
    assert_eq!(told.last().map(|one| (one.by.as_str(), one.count)), Some(("(others)", 144)));
    assert!(told.iter().all(|one| one.by.len() <= 100));
}

#[test]
fn of_many_failures_in_a_second_the_first_ones_and_the_last_are_kept() {
    let mut recorder = recorder();
    let miss = missed(Outcome::Failed, Cause::Refused, "refused");
    for due in 0..500 {
        recorder.ended(&Sample { verdict: Err(&miss), ..at(due) });
    }
    let kept = failures(&recorder.take(false));
    assert_eq!(kept.len(), 200);
    assert_eq!((kept[0].due, kept[198].due, kept[199].due), (ms(0), ms(198), ms(499)));
    assert_eq!(recorder.failures_left_out(), 300);
}

#[test]
fn when_very_many_were_kept_each_second_still_tells_its_first_and_last() {
    let mut recorder = recorder();
    let miss = missed(Outcome::Failed, Cause::Refused, "refused");
    let mut kept = Vec::new();
    for second in 0..150 {
        for due in 0..300 {
            recorder.ended(&Sample { verdict: Err(&miss), ..at(second * 1000 + due) });
        }
        kept.push(failures(&recorder.take(false)));
    }
    assert!(kept[..100].iter().all(|kept| kept.len() == 200));
    for (second, kept) in (0..).zip(&kept).skip(100) {
        let due: Vec<_> = kept.iter().map(|one| one.due).collect();
        assert_eq!(due, [ms(second * 1000), ms(second * 1000 + 299)]);
    }
}

#[test]
fn messages_without_end_are_told_as_further_ones_and_the_causes_hold_all() {
    let mut recorder = recorder();
    let mut told = Vec::new();
    for number in 0..900 {
        let text = format!("{number} {}", "x".repeat(400));
        let miss = missed(Outcome::Failed, Cause::Status(500), &text);
        recorder.ended(&Sample { verdict: Err(&miss), ..at(100) });
        if number % 100 == 99 {
            let records = recorder.take(false);
            assert_eq!(counters(&records)[&(0, 0)].causes[&Cause::Status(500)], 100);
            told.extend(failures(&records).into_iter().map(|one| one.message));
        }
    }
    assert_eq!(told.len(), 900);
    assert!(told[..500].iter().all(|text| text.chars().count() == 300));
    assert!(told[500..].iter().all(|text| text.starts_with("(a further message")));
}

/// The series of the journey as a whole is 0, that of its step 1.
fn recorder() -> Recorder {
    let phase = |name: &str, begin, end| Phase { name: name.to_owned(), begin, end };
    Recorder::new(vec![phase("steady", ms(0), ms(1_500)), phase("fault", ms(1_500), ms(4_000))])
}

/// A request due at so many milliseconds, sent at once and answered in the same moment.
fn at(due: u64) -> Sample<'static> {
    Sample {
        series: 1,
        user: 3,
        due: ms(due),
        sent: Some(ms(due)),
        first_byte: Some(ms(due)),
        done: ms(due),
        connect: None,
        bytes: 10,
        status: Some(200),
        served_by: None,
        verdict: Ok(()),
    }
}

/// `sample`, answered after so many milliseconds.
fn took(sample: Sample<'_>, span: u64) -> Sample<'_> {
    Sample { done: sample.due + ms(span), ..sample }
}

fn missed(outcome: Outcome, cause: Cause, message: &str) -> Miss {
    Miss { outcome, cause, message: message.to_owned() }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The counters of the step, by second and phase.
fn counters(records: &[Record]) -> BTreeMap<(u32, usize), Counters> {
    let counters = records.iter().filter_map(|record| match record {
        Record::Counters(one) if one.series == 1 => Some(((one.second, one.phase), one.clone())),
        _ => None,
    });
    counters.collect()
}

fn served(records: &[Record]) -> Vec<Served> {
    let served = records.iter().filter_map(|record| match record {
        Record::Served(one) => Some(one.clone()),
        _ => None,
    });
    served.collect()
}

fn failures(records: &[Record]) -> Vec<Failure> {
    let failures = records.iter().filter_map(|record| match record {
        Record::Failure(one) => Some(one.clone()),
        _ => None,
    });
    failures.collect()
}
