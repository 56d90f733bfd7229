//! The prober: a light, even heartbeat beside the load, which measures outages.
//!
//! A probe is due every period, is never tried again, takes a fresh connection and waits for no
//! other probe. Its time limit is below TCP's first retransmit, so that the gap between an open
//! port and a server that listens is not taken for recovery.

use std::io;
use std::rc::Rc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use rehearsal_reports::outcome::Cause;
use rehearsal_reports::record::{Probe, Record};
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::clock::Clock;
use crate::pacer::{Timer, hurry};
use crate::plan::ProberPlan;
use crate::scenario::Timeouts;
use crate::scribe::{Letter, Post};
use crate::script::header_value;
use crate::stop::Stop;
use crate::target::{Connection, Endpoint, Exchange};

/// Whom to probe. An instance's published port may change when it starts again, so that the
/// addresses are told anew by whoever watches the instances; `None` while there is none.
pub type Targets = tokio::sync::watch::Receiver<Vec<Option<Endpoint>>>;

/// What the prober needs to know.
#[derive(Debug)]
pub struct Brief {
    /// Its settings.
    pub plan: ProberPlan,
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
    let mut probes = JoinSet::new();
    tokio::select! {
        outcome = begin_probes(&prober, &mut probes) => outcome?,
        () = stop.asked() => {}
    }
    while probes.join_next().await.is_some() {}
    Ok(())
}

async fn begin_probes(prober: &Rc<Brief>, probes: &mut JoinSet<()>) -> io::Result<()> {
    let timer = Timer::new(prober.clock)?;
    for number in 0_u32.. {
        let due = prober.plan.period * number;
        if due >= prober.length {
            return Ok(());
        }
        timer.wait_until(due).await?;
        let targets = prober.targets.borrow().clone();
        for (target, endpoint) in targets.into_iter().enumerate() {
            let prober = Rc::clone(prober);
            probes.spawn_local(async move {
                let probe = probe(&prober, (target, endpoint), due).await;
                prober.post.send(Letter::Records(vec![Record::Probe(probe)]));
            });
        }
        while probes.try_join_next().is_some() {}
    }
    Ok(())
}

async fn probe(
    prober: &Brief,
    (target, endpoint): (usize, Option<Endpoint>),
    due: Duration,
) -> Probe {
    let sent = prober.clock.now();
    let Some(endpoint) = endpoint else {
        return Probe { target, due, sent, done: sent, cause: Some(Cause::Refused) };
    };
    let exchange = ask(&endpoint, &prober.plan.path, prober.plan.timeout, prober.clock).await;
    Probe { target, due, sent, done: exchange.done, cause: cause(&exchange) }
}

/// Asks `endpoint` for `path` on a fresh connection, once.
pub async fn ask(endpoint: &Endpoint, path: &str, limit: Duration, clock: Clock) -> Exchange {
    let limits = Timeouts { connect: limit, first_byte: limit, total: limit };
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let headers = request.headers_mut();
    headers.insert(HOST, header_value(&endpoint.authority()));
    headers.insert(USER_AGENT, HeaderValue::from_static("rehearsal-prober"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Connection::new(endpoint.clone(), limits, clock).exchange(request, true).await
}

/// Why the answer does not count as good; `None` when it does.
#[must_use]
pub fn cause(exchange: &Exchange) -> Option<Cause> {
    match &exchange.result {
        Ok(answer) if answer.status < 400 => None,
        Ok(answer) => Some(Cause::Status(answer.status)),
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
