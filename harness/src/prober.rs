//! The prober: a light, even heartbeat beside the load, which measures outages.
//!
//! A probe is due every period, is never tried again, takes a fresh connection and waits for no
//! other probe. Its time limit is below TCP's first retransmit, so that the gap between an open
//! port and a server that listens is not taken for recovery.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rehearsal_reports::outcome::Cause;
use rehearsal_reports::record::{Probe, Record};
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::answer::{Answer, Keep};
use crate::clock::Clock;
use crate::pacer::{Timer, hurry};
use crate::plan::ProberPlan;
use crate::scribe::{Letter, Post};
use crate::stop::Stop;
use crate::target::{Client, ClientError, Endpoint, Exchange};
use crate::transport::Transport;
use crate::wire::Wire;

/// Whom to probe. An instance's published port may change when it starts again, so that the
/// addresses are told anew by whoever watches the instances; `None` while there is none.
pub type Targets = tokio::sync::watch::Receiver<Vec<Option<Endpoint>>>;

/// The time between two times that probes are handed over.
const HAND_OVER: Duration = Duration::from_secs(1);

/// What the prober needs to know.
#[derive(Debug)]
pub struct Brief {
    /// Its settings.
    pub plan: ProberPlan,
    /// How probes travel; each on a connection of its own.
    pub transport: Transport,
    /// When it ends.
    pub length: Duration,
    /// Whom to probe, by place.
    pub targets: Targets,
    /// The run's clock.
    pub clock: Clock,
    /// Where probes are reported to.
    pub post: Post,
    /// When to end early.
    pub stop: Stop,
}

/// Starts the prober on a thread of its own, so that a busy load thread does not hold it up.
#[must_use]
pub fn start(brief: Brief) -> JoinHandle<io::Result<()>> {
    let work = move || {
        hurry();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, work(brief))
    };
    let thread = Builder::new().name("prober".to_owned()).spawn(work);
    thread.expect("a process that has just started may have a few threads")
}

async fn work(brief: Brief) -> io::Result<()> {
    let mut stop = brief.stop.clone();
    let prober = Rc::new(brief);
    let seen = Seen::default();
    let mut probes = JoinSet::new();
    tokio::select! {
        outcome = begin_probes(&prober, &seen, &mut probes) => outcome?,
        () = stop.asked() => {}
    }
    while probes.join_next().await.is_some() {}
    prober.post.send(Letter::Records(seen.take()));
    Ok(())
}

/// Probes that are yet to be handed over.
type Seen = Rc<RefCell<Vec<Record>>>;

async fn begin_probes(prober: &Rc<Brief>, seen: &Seen, probes: &mut JoinSet<()>) -> io::Result<()> {
    let timer = Timer::new(prober.clock)?;
    let clients = Rc::new(Clients::default());
    let mut hand_over = HAND_OVER;
    for number in 0_u32.. {
        let due = prober.plan.period * number;
        if due >= prober.length {
            return Ok(());
        }
        timer.wait_until(due).await?;
        let targets = prober.targets.borrow().clone();
        for (target, endpoint) in targets.into_iter().enumerate() {
            let (prober, clients, seen) = (Rc::clone(prober), Rc::clone(&clients), Rc::clone(seen));
            probes.spawn_local(async move {
                let probe = probe(&prober, &clients, (target, endpoint), due).await;
                seen.borrow_mut().push(Record::Probe(probe));
            });
        }
        while probes.try_join_next().is_some() {}
        if due >= hand_over {
            hand_over = due + HAND_OVER;
            // What finds no room while a disk hangs stays here: nobody who measures waits.
            let left = prober.post.records(seen.take()).err().unwrap_or_default();
            seen.borrow_mut().extend(left);
        }
    }
    Ok(())
}

async fn probe(
    prober: &Brief,
    clients: &Clients,
    (target, endpoint): (usize, Option<Endpoint>),
    due: Duration,
) -> Probe {
    let sent = prober.clock.now();
    let asked = |cause, done| Probe { target, due, sent, done, cause };
    let Some(endpoint) = endpoint else { return asked(Some(Cause::Refused), sent) };
    let Ok(client) = clients.of(prober, target, endpoint) else {
        return asked(Some(Cause::Unreachable), prober.clock.now());
    };
    let mut answer = Answer::default();
    let exchange = ask(&client, &prober.plan.path, &mut answer).await;
    asked(cause(&exchange, &answer), exchange.done)
}

/// The way to each target, as long as it stays where it is.
#[derive(Debug, Default)]
struct Clients(RefCell<BTreeMap<usize, Rc<Client>>>);

impl Clients {
    fn of(
        &self,
        prober: &Brief,
        target: usize,
        endpoint: Endpoint,
    ) -> Result<Rc<Client>, ClientError> {
        let mut clients = self.0.borrow_mut();
        if let Some(client) = clients.get(&target).filter(|it| *it.endpoint() == endpoint) {
            return Ok(Rc::clone(client));
        }
        let limit = prober.plan.timeout;
        let client = Client::probing(endpoint, &prober.transport, limit, prober.clock)?;
        let client = Rc::new(client);
        clients.insert(target, Rc::clone(&client));
        Ok(client)
    }
}

/// Asks for `path` on a fresh connection, once. Runs within a `LocalSet`.
pub async fn ask(client: &Client, path: &str, answer: &mut Answer) -> Exchange {
    let mut wire = Wire::default();
    wire.begin("GET", path);
    wire.header("host", &client.endpoint().authority());
    wire.header("user-agent", "rehearsal-prober");
    for (name, value) in client.transport().headers() {
        if name != "user-agent" {
            wire.header(name, &value);
        }
    }
    wire.finish();
    client.exchange(&mut client.line(), &wire, Keep::Body, answer).await
}

/// Why the answer does not count as good; `None` when it does.
#[must_use]
pub fn cause(exchange: &Exchange, answer: &Answer) -> Option<Cause> {
    match &exchange.result {
        Ok(()) if answer.status < 400 => None,
        Ok(()) => Some(Cause::Status(answer.status)),
        Err(fault) if fault.cause == Cause::TotalTimeout && exchange.first_byte.is_none() => {
            // One limit bounds the whole probe: what it was waiting for says where it hung.
            Some(if exchange.sent.is_some() {
                Cause::FirstByteTimeout
            } else {
                Cause::ConnectTimeout
            })
        }
        Err(fault) => Some(fault.cause),
    }
}
