//! The scribe: a thread that writes the journal, so that nobody who measures waits for a disk.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rehearsal_reports::event::{Event, What};
use rehearsal_reports::journal::{JournalError, JournalWriter};
use rehearsal_reports::micros;
use rehearsal_reports::record::{End, Generator, Record};
use tokio::sync::watch;

use crate::clock::Clock;
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
    /// What its recorder counted.
    pub gauge: Gauge,
    /// CPU time of the thread in it.
    pub cpu: Duration,
    /// How long it really was.
    pub length: Duration,
    /// Requests on their way at its end.
    pub in_flight: u64,
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
        let desk = Desk { journal, watcher, live, clock, accounts: Vec::new() };
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
    accounts: Vec<Account>,
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
                Letter::Account(account) => self.accounts.push(account),
                Letter::SecondOver(second) => self.close(second)?,
                Letter::End(end) => {
                    self.close(u32::try_from(self.clock.now().as_secs()).unwrap_or(u32::MAX))?;
                    self.journal.append(&Record::End(end))?;
                    return self.journal.sync();
                }
            }
        }
        self.journal.sync()
    }

    fn close(&mut self, second: u32) -> Result<(), JournalError> {
        let accounts = std::mem::take(&mut self.accounts);
        let (old, rest) = accounts.into_iter().partition(|account| account.second <= second);
        self.accounts = rest;
        for generator in combined(old) {
            self.journal.append(&Record::Generator(generator))?;
        }
        self.live.send_replace(self.watcher.close(second));
        self.journal.flush()
    }
}

/// One record per second from the accounts of all load threads.
fn combined(mut accounts: Vec<Account>) -> Vec<Generator> {
    accounts.sort_by_key(|account| account.second);
    let seconds = accounts.chunk_by(|a, b| a.second == b.second);
    seconds.map(one_second).collect()
}

fn one_second(accounts: &[Account]) -> Generator {
    let mut lateness = Gauge::default().lateness;
    for account in accounts {
        lateness.add(&account.gauge.lateness);
    }
    let sum = |count: fn(&Account) -> u64| accounts.iter().map(count).sum();
    Generator {
        second: accounts.first().map_or(0, |account| account.second),
        sends: sum(|account| account.gauge.sends),
        late: sum(|account| account.gauge.late),
        lateness_p99: lateness.quantile(0.99).unwrap_or_default(),
        lateness_max: lateness.max().unwrap_or_default(),
        cpu: accounts.iter().map(|account| account.cpu.as_secs_f64()).sum(),
        cpu_limit: accounts.iter().map(|account| account.length.as_secs_f64()).sum(),
        in_flight: sum(|account| account.in_flight),
        dropped: sum(|account| account.gauge.dropped),
        own_errors: sum(|account| account.gauge.own_errors),
        descriptors: descriptors(),
    }
}

/// Descriptors that this process has open.
fn descriptors() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
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

/// The last record of a journal.
#[must_use]
pub fn end(at: Duration, interrupted: bool, left_out: u64, cpu: Duration) -> End {
    let memory_peak = usage().1;
    End {
        at: Duration::from_micros(micros::of(at)),
        interrupted,
        failures_left_out: left_out,
        cpu_seconds: cpu.as_secs_f64(),
        memory_peak,
    }
}
