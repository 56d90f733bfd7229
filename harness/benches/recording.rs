//! What recording a request costs, beside one bare histogram record in the same run.
//!
//! A request of a one-step journey is `begun`, `ended` and `walked`: its arrival, its lateness, six
//! histogram records of two precisions, its counters and who answered it. `cargo bench -p rehearsal
//! --bench recording` prints nanoseconds a request; the hand-over of each second is told apart.

use std::hint::black_box;
use std::time::Duration;

use rehearsal::clock::Clock;
use rehearsal::recorder::{Recorder, Sample};
use rehearsal_reports::histogram::{DIGITS_PHASE, Histogram};
use rehearsal_reports::run::Phase;

/// Requests a second of the run that is played.
const RATE: u64 = 100_000;

/// Seconds of it, after one that warms up.
const SECONDS: u64 = 20;

/// Rounds, of which the median is told.
const ROUNDS: usize = 7;

/// The series of the journey as a whole and of its step.
const WHOLE: usize = 0;
const STEP: usize = 1;

#[expect(clippy::print_stdout, reason = "a bench says what it measured")]
fn main() {
    let clock = Clock::starting_in(Duration::ZERO);
    let mut rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| round(clock)).collect();
    let mut median = |place: usize| {
        rounds.sort_by(|a, b| a[place].total_cmp(&b[place]));
        rounds[ROUNDS / 2][place]
    };
    let (request, record, second) = (median(0), median(1), median(2));
    println!("recording a request:    {request:8.1} ns (begun, ended and walked)");
    println!("one histogram record:   {record:8.1} ns");
    println!("ratio:                  {:8.1}", request / record);
    println!("handing over a second:  {second:8.0} ns ({:.2} ns a request)", second / rate());
}

/// Nanoseconds a request, a bare record, and a second's hand-over.
fn round(clock: Clock) -> [f64; 3] {
    let phase = Phase {
        name: "steady".to_owned(),
        begin: Duration::ZERO,
        end: Duration::from_secs(SECONDS + 1),
    };
    let mut recorder = Recorder::new(vec![phase]);
    let (mut recording, mut handing_over) = (Duration::ZERO, Duration::ZERO);
    for second in 0..=SECONDS {
        let begin = clock.now();
        for request in 0..RATE {
            record(&mut recorder, second, request);
        }
        let middle = clock.now();
        black_box((recorder.take_gauge(), recorder.take(false)));
        if second > 0 {
            recording += middle.saturating_sub(begin);
            handing_over += clock.now().saturating_sub(middle);
        }
    }
    let mut histogram = Histogram::new(DIGITS_PHASE);
    let begin = clock.now();
    for request in 0..RATE * SECONDS {
        histogram.record(black_box(took(request)));
    }
    let bare = clock.now().saturating_sub(begin);
    black_box(histogram.count());
    let seconds = f64::from(u32::try_from(SECONDS).expect("few"));
    let ns = |span: Duration| span.as_secs_f64() * 1e9;
    let requests = rate() * seconds;
    [ns(recording) / requests, ns(bare) / requests, ns(handing_over) / seconds]
}

fn record(recorder: &mut Recorder, second: u64, request: u64) {
    let due = Duration::from_nanos(second * 1_000_000_000 + request * (1_000_000_000 / RATE));
    let due = black_box(due);
    let late = Duration::from_micros(request % 40);
    recorder.begun(WHOLE, due, late);
    let done = due + took(request);
    let by = ["was-1", "was-2", "was-3"][usize::try_from(request % 3).expect("few")];
    let sample = Sample {
        series: STEP,
        user: request % 64,
        due,
        sent: Some(due + late),
        first_byte: Some(done),
        done,
        connect: None,
        bytes: 128,
        status: Some(200),
        served_by: Some(by),
        verdict: Ok(()),
    };
    recorder.ended(black_box(&sample));
    recorder.walked(black_box(&Sample { series: WHOLE, sent: None, served_by: None, ..sample }));
}

/// A few hundred microseconds with a tail: squares of a sequence that fills the unit evenly.
fn took(request: u64) -> Duration {
    let even = request.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    Duration::from_micros(150 + ((even * even) >> 30))
}

fn rate() -> f64 {
    f64::from(u32::try_from(RATE).expect("few"))
}
