//! Runs that never took place, written as a run would have written them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rehearsal_reports::event::{Event, What};
use rehearsal_reports::histogram::{DIGITS_PHASE, DIGITS_SECOND, Histogram};
use rehearsal_reports::journal::{Journal, JournalWriter};
use rehearsal_reports::outcome::{Cause, Outcome};
use rehearsal_reports::record::{
    Arrivals, Counters, End, Failure, Generator, Interval, Latency, Probe, Record, Served,
    ThreadUse,
};
use rehearsal_reports::report::Report;
use rehearsal_reports::run::{
    Instance, Machine, Phase, PlannedFault, ProbeTarget, Prober, Run, SCHEMA, Series,
};
use tempfile::TempDir;

/// The series of every such run: the journey as a whole, and its two steps.
pub(crate) const WHOLE: usize = 0;
pub(crate) const WHOAMI: usize = 1;
pub(crate) const ORDERS: usize = 2;

/// A request that was made.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) series: usize,
    pub(crate) due: Duration,
    pub(crate) took: Duration,
    pub(crate) cause: Option<Cause>,
    pub(crate) by: Option<&'static str>,
    pub(crate) message: String,
}

impl Request {
    fn outcome(&self) -> Outcome {
        match self.cause {
            None => Outcome::Ok,
            Some(Cause::Reset | Cause::FirstByteTimeout) => Outcome::Unknown,
            Some(_) => Outcome::Failed,
        }
    }

    fn done(&self) -> Duration {
        self.due + self.took
    }
}

/// A run that is being made up.
pub(crate) struct Tale {
    pub(crate) run: Run,
    pub(crate) records: Vec<Record>,
    pub(crate) ended: bool,
}

impl Tale {
    /// A run with these phases, in seconds.
    pub(crate) fn with_phases(phases: &[(&str, u64)]) -> Self {
        let mut begin = Duration::ZERO;
        let phases = phases.iter().map(|(name, seconds)| {
            let end = begin + Duration::from_secs(*seconds);
            let phase = Phase { name: (*name).to_owned(), begin, end };
            begin = end;
            phase
        });
        Self { run: planned(phases.collect()), records: Vec::new(), ended: true }
    }

    pub(crate) fn length(&self) -> Duration {
        self.run.phases.last().map_or(Duration::ZERO, |phase| phase.end)
    }

    pub(crate) fn fault(&mut self, name: &str, begin: Duration, end: Option<Duration>) -> usize {
        self.run.faults.push(PlannedFault {
            name: name.to_owned(),
            action: name.split(' ').next().unwrap_or(name).to_owned(),
            instances: vec!["was-1".to_owned()],
            begin,
            end,
            planned: false,
        });
        self.run.faults.len() - 1
    }

    pub(crate) fn event(&mut self, at: Duration, what: What) {
        self.records.push(Record::Event(Event { at, what }));
    }

    /// Probes at 20 a second up to the end; `cause` says how each one fares.
    pub(crate) fn probes(&mut self, cause: impl Fn(Duration) -> Option<Cause>) {
        let mut due = Duration::ZERO;
        while due < self.length() {
            let cause = cause(due);
            let done = due + Duration::from_millis(if cause.is_some() { 1 } else { 3 });
            self.records.push(Record::Probe(Probe { target: 0, due, sent: due, done, cause }));
            due += self.run.prober.period;
        }
    }

    /// `rate` journeys a second over the whole run, of which none is dropped.
    pub(crate) fn arrivals(&mut self, rate: u64) {
        for second in 0..seconds(self.length()) {
            let phase = self.run.phase_at(Duration::from_secs(u64::from(second)));
            let arrivals =
                Arrivals { second, phase, series: WHOLE, due: rate, begun: rate, dropped: 0 };
            self.records.push(Record::Arrivals(arrivals));
        }
    }

    /// A generator that kept up in every second.
    pub(crate) fn generator(&mut self, sends: u64) {
        for second in 0..seconds(self.length()) {
            self.records.push(Record::Generator(Box::new(sound(second, sends))));
        }
    }

    /// Counts and times `requests` as the recorder of a run does.
    pub(crate) fn requests(&mut self, requests: &[Request]) {
        let mut counters: BTreeMap<(u32, usize, usize), Counters> = BTreeMap::new();
        let mut seconds: BTreeMap<(u32, usize, usize, Outcome, Latency), Histogram> =
            BTreeMap::new();
        let mut phases: BTreeMap<(usize, usize, Outcome, Latency), Histogram> = BTreeMap::new();
        for request in requests {
            let (second, phase) = (self::seconds(request.due), self.run.phase_at(request.due));
            let series = request.series;
            let sum = counters.entry((second, phase, series)).or_insert_with(|| Counters {
                second,
                phase,
                series,
                ..Counters::default()
            });
            count(sum, request);
            for latency in [Latency::Response, Latency::Service] {
                let outcome = request.outcome();
                let key = (second, phase, series, outcome, latency);
                let new = || Histogram::new(DIGITS_SECOND);
                seconds.entry(key).or_insert_with(new).record(request.took);
                let new = || Histogram::new(DIGITS_PHASE);
                phases
                    .entry((phase, series, outcome, latency))
                    .or_insert_with(new)
                    .record(request.took);
            }
        }
        let counters = counters.into_values().map(Record::Counters);
        let seconds =
            seconds.into_iter().map(|((second, phase, series, outcome, latency), histogram)| {
                let second = Some(second);
                Record::Interval(Interval { second, phase, series, outcome, latency, histogram })
            });
        let phases = phases.into_iter().map(|((phase, series, outcome, latency), histogram)| {
            let second = None;
            Record::Interval(Interval { second, phase, series, outcome, latency, histogram })
        });
        self.records.extend(counters.chain(seconds).chain(phases));
        self.served(requests);
        self.failures(requests);
    }

    fn served(&mut self, requests: &[Request]) {
        let mut served: BTreeMap<(u32, &str), Served> = BTreeMap::new();
        for request in requests.iter().filter(|request| request.cause.is_none()) {
            let Some(by) = request.by.filter(|_| request.series != WHOLE) else {
                continue;
            };
            let (second, done) = (seconds(request.done()), request.done());
            let new = || Served { second, by: by.to_owned(), count: 0, first: done, last: done };
            let sum = served.entry((second, by)).or_insert_with(new);
            sum.count += 1;
            sum.first = sum.first.min(done);
            sum.last = sum.last.max(done);
        }
        self.records.extend(served.into_values().map(Record::Served));
    }

    fn failures(&mut self, requests: &[Request]) {
        let failed = requests.iter().filter(|request| request.series != WHOLE);
        for (user, request) in (0..).zip(failed) {
            let Some(cause) = request.cause else {
                continue;
            };
            let status = if let Cause::Status(status) = cause { Some(status) } else { None };
            self.records.push(Record::Failure(Failure {
                series: request.series,
                phase: self.run.phase_at(request.due),
                user: user % 120,
                due: request.due,
                sent: (cause != Cause::Refused).then_some(request.due),
                first_byte: status.map(|_| request.done()),
                done: request.done(),
                outcome: request.outcome(),
                cause,
                status,
                served_by: None,
                message: request.message.clone(),
            }));
        }
    }

    /// Writes the run into `directory`.
    pub(crate) fn write(&self, directory: &Path) {
        let mut journal = JournalWriter::create(directory, &self.run).expect("a new directory");
        for record in &self.records {
            journal.append(record).expect("a record");
        }
        if self.ended {
            let end = End {
                at: self.length(),
                interrupted: false,
                failures_left_out: 0,
                cpu_seconds: 27.9,
                memory_peak: 64 << 20,
            };
            journal.append(&Record::End(end)).expect("the end");
        }
        journal.sync().expect("a disk");
    }

    /// The report on the run, and the directory that it stands in.
    pub(crate) fn report(&self) -> (Report, TempDir) {
        let directory = TempDir::new().expect("a directory");
        self.write(directory.path());
        (open(directory.path()), directory)
    }
}

/// A second in which a generator of two threads kept up.
fn sound(second: u32, sends: u64) -> Generator {
    let longest = Duration::from_micros(1_400 + u64::from(second % 7) * 200);
    let mut lateness = Histogram::new(DIGITS_SECOND);
    (1..sends).for_each(|send| lateness.record(Duration::from_micros(10 + send % 50)));
    lateness.record(longest);
    let thread = |busy| ThreadUse {
        busy,
        waited: Some(Duration::from_micros(700)),
        preempted: Some(u64::from(second % 3)),
    };
    Generator {
        second,
        length: Duration::from_secs(1),
        sends,
        lateness_p50: Duration::from_micros(35),
        lateness_p99: Duration::from_micros(180),
        lateness_max: longest,
        lateness: Some(lateness),
        cpu: 0.31,
        cpu_limit: 2.0,
        threads: vec![thread(0.17), thread(0.14)],
        process_cpu: Some(0.35),
        steal: Some(0.0),
        stall_max: Duration::from_micros(900),
        in_flight: 4,
        descriptors: 96,
        descriptors_limit: Some(20_000),
        ports_used: Some(61),
        ports_limit: Some(28_232),
        memory: Some((48 << 20) + u64::from(second) * 4096),
        ..Generator::default()
    }
}

/// The report on the run in `directory`.
pub(crate) fn open(directory: &Path) -> Report {
    Report::of(Journal::open(directory).expect("a run")).expect("a report")
}

fn count(sum: &mut Counters, request: &Request) {
    match request.outcome() {
        Outcome::Ok => sum.ok += 1,
        Outcome::Failed => sum.failed += 1,
        Outcome::Unknown => sum.unknown += 1,
    }
    if let Some(cause) = request.cause {
        *sum.causes.entry(cause).or_default() += 1;
    }
    sum.bytes += 120;
}

pub(crate) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).expect("a short run")
}

pub(crate) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn planned(phases: Vec<Phase>) -> Run {
    let series = [None, Some("GET /whoami"), Some("POST /orders")];
    let series = series
        .map(|step| Series { journey: "order".to_owned(), step: step.map(ToOwned::to_owned) });
    let instance = |index: usize| Instance {
        name: format!("was-{index}"),
        service: "was".to_owned(),
        id: format!("{index}f2c9d81a7be"),
        hostname: format!("{index}f2c9d81a7be"),
        image: Some("shop-was:1.4.2@sha256:6f1c…".to_owned()),
    };
    Run {
        schema: SCHEMA,
        id: "20261123T235018Z-4f3a".to_owned(),
        name: "kill one WAS under office-hours load".to_owned(),
        started: "2026-11-23T23:50:18.000000Z".to_owned(),
        version: "0.1.0".to_owned(),
        command: ["rehearsal", "run", "kill-one-was.yaml"].map(ToOwned::to_owned).to_vec(),
        seed: 42,
        scenario_file: "scenarios/kill-one-was.yaml".to_owned(),
        scenario: "name: kill one WAS under office-hours load\n".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        identity: Some("port 8080 belongs to container shop-lb-1".to_owned()),
        phases,
        series: series.to_vec(),
        load: vec!["constant-arrival-rate of `order`, 300/s".to_owned()],
        transport: vec!["a connection per user".to_owned()],
        load_engine: "native".to_owned(),
        users: 120,
        prober: Prober {
            period: Duration::from_millis(50),
            timeout: Duration::from_millis(500),
            targets: vec![ProbeTarget {
                name: "front".to_owned(),
                url: "http://127.0.0.1:8080/health".to_owned(),
            }],
        },
        instances: (1..=3).map(instance).collect(),
        faults: Vec::new(),
        objectives: Vec::new(),
        machine: Machine {
            hostname: "bench-1".to_owned(),
            cores: 2,
            kernel: "6.8.0".to_owned(),
            engine: Some("Docker 27.3, API 1.47".to_owned()),
        },
    }
}

/// The whole story of one kill: 0.85 s in which nothing answers, a second in which the balancer
/// still sends a third of the requests to the dead instance, an undo, and a stumble when the
/// instance comes back.
pub(crate) fn kill_one(phases: &[(&str, u64)], rate: u64, kill: f64, undo: f64) -> Tale {
    let mut tale = Tale::with_phases(phases);
    let phases = tale.run.phases.clone();
    for phase in phases {
        tale.event(phase.begin, What::PhaseBegan { phase: phase.name });
    }
    let fault = tale.fault("kill was-1", secs(kill), Some(secs(undo)));
    let instance = || "was-1".to_owned();
    tale.event(secs(kill), What::InjectBegan { fault, instance: instance(), in_flight: 3 });
    let evidence = "container died with exit code 137 at 23:50:58.041".to_owned();
    tale.event(secs(kill + 0.041), What::Injected { fault, instance: instance(), evidence });
    tale.event(
        secs(kill + 0.041),
        What::Platform { instance: instance(), action: "die".to_owned() },
    );
    let action = "health_status: unhealthy".to_owned();
    tale.event(secs(kill + 1.2), What::Platform { instance: instance(), action });
    tale.event(secs(undo), What::UndoBegan { fault, instance: instance() });
    tale.event(secs(undo + 0.4), What::InstanceUp { fault, instance: instance() });
    tale.event(secs(undo + 2.1), What::InstanceHealthy { fault, instance: instance() });
    tale.event(secs(undo + 2.2), What::Restored { fault, instance: instance() });
    let end = tale.length();
    tale.event(end, What::LoadEnded);
    let dead = move |at: Duration| at >= secs(kill + 0.05) && at < secs(kill + 0.9);
    tale.probes(move |due| dead(due).then_some(Cause::Refused));
    tale.arrivals(rate);
    tale.generator(rate);
    let requests = kill_one_requests(end, rate, kill, undo);
    tale.requests(&requests);
    tale
}

fn kill_one_requests(end: Duration, rate: u64, kill: f64, undo: f64) -> Vec<Request> {
    let mut requests = Vec::new();
    for arrival in 0..end.as_secs() * rate {
        let due = Duration::from_secs(1) * u32::try_from(arrival).expect("few")
            / u32::try_from(rate).expect("few");
        let at = due.as_secs_f64();
        // Squares of a sequence that fills the unit evenly: a few milliseconds, and a long tail.
        let even = (f64::from(u32::try_from(arrival).expect("few")) * 0.618_034).fract();
        let took = Duration::from_secs_f64(0.003 + 0.004 * even + 0.02 * even.powi(40));
        let dead = at >= kill + 0.05 && at < kill + 0.9;
        let flapping = at >= kill + 0.9 && at < kill + 1.9 && arrival % 3 == 0;
        let stumbling = at >= undo + 2.6 && at < undo + 2.75 && arrival % 3 == 0;
        let cause = match () {
            () if dead => Some(Cause::Refused),
            () if flapping => Some(Cause::Status(502)),
            () if stumbling => Some(Cause::FirstByteTimeout),
            () => None,
        };
        let took = if stumbling { Duration::from_millis(500) } else { took };
        let message = match cause {
            Some(Cause::Refused) => "connection refused (os error 111)",
            Some(Cause::Status(_)) => "502 Bad Gateway <script>alert(1)</script>",
            Some(_) => "no first byte within 500 ms",
            None => "",
        };
        let away = at >= kill && at < undo + 2.3;
        let by = match arrival % 3 {
            0 if !away => "was-1",
            0 | 1 => "was-2",
            _ => "was-3",
        };
        let request = |series, due, took| Request {
            series,
            due,
            took,
            cause,
            by: Some(by),
            message: message.to_owned(),
        };
        requests.push(request(WHOAMI, due, took));
        if cause.is_none() {
            requests.push(request(ORDERS, due + took, took));
            requests.push(request(WHOLE, due, took * 2));
        } else {
            requests.push(request(WHOLE, due, took));
        }
    }
    requests
}
