//! The scribe: a thread that writes the journal, so that nobody who measures waits for a disk.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rehearsal_reports::event::{Event, What};
use rehearsal_reports::journal::{JournalError, JournalWriter};
use rehearsal_reports::micros;
use rehearsal_reports::record::{End, Generator, Record, ThreadUse};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::gauges::{self, Gauges, Reading};
use crate::live::{Live, Watcher};
use crate::recorder::Gauge;
use crate::stop::{Reason, Stopper};

/// Letters that may wait. Each sender writes a few a second, so a full box means a disk that has
/// hung for a minute; what does not fit then stays with its sender until the next second.
const BOX: usize = 512;

/// What the scribe is told.
#[derive(Debug)]
pub enum Letter {
    /// Write these.
    Records(Vec<Record>),
    /// A load thread's account of one second.
    Account(Account),
    /// A whole second is over.
    SecondOver(u32),
    /// Close the journal.
    End(End),
}

/// How one load thread fared in one second.
#[derive(Clone, Debug)]
pub struct Account {
    /// The second.
    pub second: u32,
    /// The kernel's number of the thread.
    pub thread: i32,
    /// What its recorder counted.
    pub gauge: Gauge,
    /// CPU time of the thread in it.
    pub cpu: Duration,
    /// How long it really was.
    pub length: Duration,
    /// Requests on their way at its end.
    pub in_flight: u64,
    /// The longest time in which its event loop looked after nobody.
    pub stalled: Duration,
}

impl Account {
    /// The account of the calling thread, which used `cpu` in the `length` of the second.
    #[must_use]
    pub fn of(
        second: u32,
        gauge: Gauge,
        (cpu, length): (Duration, Duration),
        in_flight: u64,
        stalled: Duration,
    ) -> Self {
        Self { second, thread: gauges::thread_id(), gauge, cpu, length, in_flight, stalled }
    }
}

/// Where records are sent to.
#[derive(Clone, Debug)]
pub struct Post(SyncSender<Letter>);

impl Post {
    /// Sends `records`, or gives them back when the box is full: nobody who measures waits.
    pub fn records(&self, records: Vec<Record>) -> Result<(), Vec<Record>> {
        match self.0.try_send(Letter::Records(records)) {
            Err(TrySendError::Full(Letter::Records(records))) => Err(records),
            _ => Ok(()),
        }
    }

    /// Sends a load thread's account; in a full box it is lost, and the second counts as unmeasured.
    pub fn account(&self, account: Account) {
        drop(self.0.try_send(Letter::Account(account)));
    }

    /// Says that a second is over; in a full box the next one says it for both.
    pub fn second_over(&self, second: u32) {
        drop(self.0.try_send(Letter::SecondOver(second)));
    }

    /// Sends an event. Waits for room: events are few, and none may be lost.
    pub fn event(&self, at: Duration, what: What) {
        self.send(Letter::Records(vec![Record::Event(Event { at, what })]));
    }

    /// Sends `letter` and waits for room.
    pub fn send(&self, letter: Letter) {
        // The scribe ends early only when it cannot write, and says so itself.
        drop(self.0.send(letter));
    }
}

/// The scribe at work.
#[derive(Debug)]
pub struct Scribe {
    thread: JoinHandle<Result<(), JournalError>>,
}

impl Scribe {
    /// Starts writing to `journal`. When that fails, all are asked to stop by `stopper`.
    #[must_use]
    pub fn start(
        journal: JournalWriter,
        watcher: Watcher,
        clock: Clock,
        stopper: Stopper,
    ) -> (Self, Post, watch::Receiver<Live>) {
        let (sender, letters) = sync_channel(BOX);
        let (live, seen) = watch::channel(Live::default());
        let desk = Desk {
            journal,
            watcher,
            live,
            clock,
            gauges: Gauges::new(),
            accounts: Vec::new(),
            readings: BTreeMap::new(),
        };
        let work = move || {
            let outcome = desk.work(&letters);
            if let Err(error) = &outcome {
                stopper.stop(Reason::Journal(error.to_string()));
            }
            outcome
        };
        let thread = Builder::new().name("scribe".to_owned()).spawn(work);
        let thread = thread.expect("a process that has just started may have a few threads");
        (Self { thread }, Post(sender), seen)
    }

    /// Waits until all is written. Every [`Post`] must have sent its last letter.
    pub fn finish(self) -> Result<(), JournalError> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

struct Desk {
    journal: JournalWriter,
    watcher: Watcher,
    live: watch::Sender<Live>,
    clock: Clock,
    gauges: Gauges,
    /// Accounts not yet written, each with what the kernel says of its thread.
    accounts: Vec<(Account, ThreadUse)>,
    /// What the kernel said of the process at the end of each second not yet written.
    readings: BTreeMap<u32, Reading>,
}

impl Desk {
    fn work(mut self, letters: &Receiver<Letter>) -> Result<(), JournalError> {
        for letter in letters {
            match letter {
                Letter::Records(records) => {
                    let important = records.iter().any(|record| matches!(record, Record::Event(_)));
                    for record in &records {
                        self.watcher.see(record);
                        self.journal.append(record)?;
                    }
                    if important {
                        self.journal.flush()?;
                    }
                }
                Letter::Account(account) => {
                    let spent = (account.cpu, account.length);
                    let thread = self.gauges.thread(account.thread, spent);
                    self.accounts.push((account, thread));
                }
                Letter::SecondOver(second) => {
                    self.readings.insert(second, self.gauges.read());
                    self.settle(second)?;
                    self.show(second)?;
                }
                Letter::End(end) => {
                    let reading = self.gauges.read();
                    for (account, _) in &self.accounts {
                        self.readings.entry(account.second).or_insert(reading);
                    }
                    self.settle(u32::MAX)?;
                    self.show(u32::try_from(self.clock.now().as_secs()).unwrap_or(u32::MAX))?;
                    self.journal.append(&Record::End(end))?;
                    return self.journal.sync();
                }
            }
        }
        self.journal.sync()
    }

    /// Writes how the generator fared in the seconds before `second`. That one itself is left for
    /// the next time: the threads that are not the first to tell of it have a second to do so.
    fn settle(&mut self, second: u32) -> Result<(), JournalError> {
        let accounts = std::mem::take(&mut self.accounts);
        let (mut old, rest): (Vec<_>, Vec<_>) =
            accounts.into_iter().partition(|(account, _)| account.second < second);
        self.accounts = rest;
        old.sort_by_key(|(account, _)| (account.second, account.thread));
        for accounts in old.chunk_by(|(a, _), (b, _)| a.second == b.second) {
            let reading = self.readings.get(&accounts[0].0.second).copied().unwrap_or_default();
            let record = Record::Generator(Box::new(one_second(accounts, &reading)));
            self.watcher.see(&record);
            self.journal.append(&record)?;
        }
        self.readings = self.readings.split_off(&second);
        Ok(())
    }

    /// Shows what can be said of the run at the end of `second`.
    fn show(&mut self, second: u32) -> Result<(), JournalError> {
        self.live.send_replace(self.watcher.close(second));
        self.journal.flush()
    }
}

/// One record from the accounts of all load threads, which are not empty.
fn one_second(accounts: &[(Account, ThreadUse)], reading: &Reading) -> Generator {
    let mut lateness = Gauge::default().lateness;
    for (account, _) in accounts {
        lateness.add(&account.gauge.lateness);
    }
    let all = || accounts.iter().map(|(account, _)| account);
    let sum = |count: fn(&Account) -> u64| all().map(count).sum();
    Generator {
        second: accounts[0].0.second,
        length: all().map(|account| account.length).max().unwrap_or_default(),
        sends: sum(|account| account.gauge.sends),
        late: sum(|account| account.gauge.late),
        lateness_p50: lateness.quantile(0.5).unwrap_or_default(),
        lateness_p99: lateness.quantile(0.99).unwrap_or_default(),
        lateness_max: lateness.max().unwrap_or_default(),
        lateness: (!lateness.is_empty()).then_some(lateness),
        cpu: all().map(|account| account.cpu.as_secs_f64()).sum(),
        cpu_limit: all().map(|account| account.length.as_secs_f64()).sum(),
        threads: accounts.iter().map(|(_, thread)| *thread).collect(),
        process_cpu: reading.cpu.map(|cpu| cpu.as_secs_f64()),
        steal: reading.steal.map(|steal| steal.as_secs_f64()),
        stall_max: all().map(|account| account.stalled).max().unwrap_or_default(),
        in_flight: sum(|account| account.in_flight),
        dropped: sum(|account| account.gauge.dropped),
        own_errors: sum(|account| account.gauge.own_errors),
        descriptors: reading.descriptors,
        descriptors_limit: reading.descriptors_limit,
        ports_used: reading.ports_used,
        ports_limit: reading.ports_limit,
        memory: reading.memory,
    }
}

/// The last record of a journal.
#[must_use]
pub fn end(at: Duration, interrupted: bool, left_out: u64, cpu: Duration) -> End {
    let memory_peak = gauges::usage().1;
    End {
        at: Duration::from_micros(micros::of(at)),
        interrupted,
        failures_left_out: left_out,
        cpu_seconds: cpu.as_secs_f64(),
        memory_peak,
    }
}

#[cfg(test)]
mod tests {
    use rehearsal_reports::journal::Journal;
    use rehearsal_reports::run::{Machine, Prober, Run, SCHEMA};
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn accounts_of_one_second_are_one_record_however_late_a_thread_tells_its_own() {
        let written = journal(|post| {
            post.account(account(0, 11, 100));
            post.send(Letter::SecondOver(0));
            post.account(account(0, 12, 900));
            post.account(account(1, 11, 50));
            post.account(account(1, 12, 60));
            post.send(Letter::SecondOver(1));
        });
        assert_eq!(written.iter().map(|one| one.second).collect::<Vec<_>>(), [0, 1]);
        let first = &written[0];
        assert_eq!((first.sends, first.threads.len(), first.in_flight), (2, 2, 6));
        let lateness = first.lateness.as_ref().expect("a distribution");
        assert_eq!((lateness.count(), first.lateness_p50), (2, Duration::from_micros(100)));
        assert!(first.lateness_p99 >= Duration::from_micros(900), "{first:?}");
        assert_eq!(first.stall_max, Duration::from_millis(12));
        assert!(written.iter().all(|one| one.descriptors > 0 && one.memory.is_some()));
    }

    #[test]
    fn the_last_part_of_a_second_is_told_with_its_length() {
        let written = journal(|post| {
            let length = Duration::from_millis(40);
            post.account(Account { length, ..account(7, 11, 10) });
        });
        assert_eq!(written.len(), 1);
        assert_eq!(written[0].length, Duration::from_millis(40));
        assert!((written[0].cpu_limit - 0.04).abs() < 1e-9);
    }

    /// The generator's records in the journal of a run in which `act` posts letters.
    fn journal(act: impl FnOnce(&Post)) -> Vec<Generator> {
        let directory = TempDir::new().expect("a directory");
        let journal = JournalWriter::create(directory.path(), &run()).expect("a journal");
        let (stopper, _stop) = crate::stop::channel();
        let watcher = Watcher::new(Vec::new(), Vec::new());
        let clock = Clock::starting_in(Duration::ZERO);
        let (scribe, post, _live) = Scribe::start(journal, watcher, clock, stopper);
        act(&post);
        post.send(Letter::End(end(Duration::ZERO, false, 0, Duration::ZERO)));
        scribe.finish().expect("written");
        let mut journal = Journal::open(directory.path()).expect("a run");
        let mut written = Vec::new();
        while let Some(record) = journal.next().expect("a sound journal") {
            if let Record::Generator(generator) = record {
                written.push(*generator);
            }
        }
        written
    }

    fn account(second: u32, thread: i32, late: u64) -> Account {
        let mut gauge = Gauge { sends: 1, ..Gauge::default() };
        gauge.lateness.record(Duration::from_micros(late));
        Account {
            second,
            thread,
            gauge,
            cpu: Duration::from_millis(100),
            length: Duration::from_secs(1),
            in_flight: 3,
            stalled: Duration::from_millis(u64::from(thread.unsigned_abs())),
        }
    }

    fn run() -> Run {
        let (period, timeout) = (Duration::from_millis(50), Duration::from_millis(500));
        Run {
            schema: SCHEMA,
            id: "20261123T235018Z-4f3a".to_owned(),
            name: "a run".to_owned(),
            started: "2026-11-23T23:50:18.000000Z".to_owned(),
            version: "0.1.0".to_owned(),
            command: Vec::new(),
            seed: 1,
            scenario_file: "scenario.yaml".to_owned(),
            scenario: String::new(),
            target: "http://127.0.0.1:8080".to_owned(),
            identity: None,
            phases: Vec::new(),
            series: Vec::new(),
            load: Vec::new(),
            transport: Vec::new(),
            load_engine: "native".to_owned(),
            users: 1,
            prober: Prober { period, timeout, targets: Vec::new() },
            instances: Vec::new(),
            faults: Vec::new(),
            objectives: Vec::new(),
            machine: Machine {
                hostname: "bench-1".to_owned(),
                cores: 2,
                kernel: "6.8.0".to_owned(),
                engine: None,
            },
        }
    }
}
