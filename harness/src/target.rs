//! Connections to the system under test: one request, and what became of it.
//!
//! Nothing is ever tried again, with one exception that no user could notice either: a kept
//! connection that turns out to be closed before a byte of the request was written is replaced.
//! Once bytes have left, a connection that closes without an answer leaves the outcome unknown.
//!
//! ```text
//! Wire --> Client::exchange --> Line --> our own codec (HTTP/1.1) | hyper (HTTP/2, second opinion)
//!              |                             |
//!          redirects, gzip                 Stream: TCP, Unix socket, TLS
//! ```
//!
//! A client belongs to one thread: nothing in it is locked or sent.

use std::time::Duration;

use rehearsal_reports::outcome::Cause;
use tokio::time::{sleep, timeout};

use crate::answer::{Answer, Keep};
use crate::clock::Clock;
use crate::scenario::Timeouts;
use crate::transport::{
    Codec, Compression, Connections, DnsWord, DnsWritten, Http, Ip, Misfit, Transport,
};
use crate::wire::Wire;

mod endpoint;
mod exchange;
mod stream;
mod chunked;
mod codec;
mod deadline;
mod raw;
mod by_hyper;
#[cfg(feature = "goose")]
mod by_reqwest;
mod connect;
mod line;
mod redirect;
mod unpack;

pub use connect::ClientError;
pub use endpoint::{Endpoint, Scheme};
pub use exchange::{Exchange, Fault};
pub use line::Line;

use by_hyper::Sender;
use connect::Dial;
use deadline::Watch;
use exchange::{Job, Trouble};
use line::{Conn, Kept, Pool};
use raw::{Buffers, Means, Raw};

/// Everything that the users of one thread share on their way to the system.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    /// Scheme and authority, for protocols that name both.
    origin: String,
    transport: Transport,
    timeouts: Timeouts,
    clock: Clock,
    dial: Dial,
    means: Means,
    pool: Pool,
}

impl Client {
    /// A client for `endpoint`. Looks its name up, unless `transport` says otherwise.
    pub fn new(
        endpoint: Endpoint,
        transport: &Transport,
        timeouts: Timeouts,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let dial = Dial::new(&endpoint, transport, clock)?;
        let scheme = if endpoint.scheme == Scheme::Https { "https" } else { "http" };
        Ok(Self {
            origin: format!("{scheme}://{}", endpoint.authority()),
            endpoint,
            timeouts,
            clock,
            dial,
            means: Means { buffers: Buffers::default(), watch: Watch::new(clock) },
            pool: Pool::new(transport),
            transport: transport.clone(),
        })
    }

    /// A client that asks once and on a new connection each time, within `limit` in all: the same
    /// way as the load's, without what would hide how the system fares.
    pub fn probing(
        endpoint: Endpoint,
        transport: &Transport,
        limit: Duration,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let mut transport = Transport {
            connections: Connections::PerRequest,
            max_connections: None,
            max_age: None,
            max_requests: None,
            back_off: None,
            redirects: 0,
            compression: Compression::Off,
            ..transport.clone()
        };
        // An instance behind an `https` front door is asked at its own, plain port.
        if endpoint.scheme == Scheme::Http && transport.http == Http::Two {
            transport.http = Http::One;
        }
        let timeouts = Timeouts { connect: limit, first_byte: limit, total: limit };
        Self::new(endpoint, &transport, timeouts, clock)
    }

    /// Where requests go.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How they travel.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// A user's way to the system; there is no connection yet.
    #[must_use]
    pub fn line(&self) -> Line {
        Line::new(&self.transport)
    }

    /// Sends the request and reads the answer to its end into `answer`, which holds nothing but
    /// what belongs to it. Runs within a `LocalSet`.
    pub async fn exchange(
        &self,
        line: &mut Line,
        wire: &Wire,
        keep: Keep,
        answer: &mut Answer,
    ) -> Exchange {
        answer.clear();
        if std::mem::take(&mut line.busy) {
            line.kept = None;
        }
        let (timeouts, clock) = (self.timeouts, self.clock);
        let mut job = Job { wire, keep, begin: clock.now(), timeouts, clock };
        let mut exchange = Exchange::begun();
        let mut result = self.attempt(line, &mut job, answer, &mut exchange).await;
        if result.is_ok() && self.transport.redirects > 0 && redirect::redirects(answer.status) {
            result = Box::pin(self.follow(line, &job, answer, &mut exchange)).await;
        }
        if result.is_ok() && self.transport.compression == Compression::Gzip {
            let whole = exchange.bytes == answer.body.len() as u64;
            result = unpack::unpack(answer, keep, whole);
        }
        if result.is_err() {
            exchange.done = self.clock.now();
            answer.clear();
        }
        exchange.result = result;
        exchange
    }

    /// One request, over whichever connection may carry it.
    async fn attempt(
        &self,
        line: &mut Line,
        job: &mut Job<'_>,
        answer: &mut Answer,
        exchange: &mut Exchange,
    ) -> Result<(), Fault> {
        #[cfg(feature = "goose")]
        if let Some(client) = &line.foreign {
            let asked = by_reqwest::ask(client, &self.origin, job, answer, exchange);
            return Box::pin(asked).await;
        }
        let mut now = job.begin;
        let mut place = None;
        if let Some(room) = self.pool.room() {
            place = room.try_acquire().ok();
            if place.is_none() {
                place = Some(Box::pin(line::enter(room, job)).await?);
                now = self.clock.now();
            }
        }
        loop {
            let reused = self.pool.lend(line, now, &self.transport);
            if !reused {
                Box::pin(self.connect(line, job, exchange)).await?;
                now = self.clock.now();
            }
            let Some(kept) = &mut line.kept else { continue };
            exchange.sent = Some(now);
            line.busy = true;
            let asked = match &mut kept.conn {
                Conn::Raw(raw) => raw.ask(job, &self.means, answer, exchange).await,
                Conn::Hyper(sender) => {
                    Box::pin(sender.ask(job, &self.origin, answer, exchange)).await
                }
            };
            line.busy = false;
            match asked {
                Ok(reusable) => {
                    self.pool.take_back(line, reusable, &self.transport);
                    drop(place);
                    return Ok(());
                }
                Err(Trouble::Fault(fault)) => {
                    line.kept = None;
                    return Err(fault);
                }
                Err(Trouble::Unwritten) => {
                    line.kept = None;
                    exchange.sent = None;
                    self.pool.forget();
                    if !reused {
                        return Err(Fault::failed(Cause::Reset, "closed before the request"));
                    }
                    now = self.clock.now();
                }
            }
        }
    }

    /// Gives `line` a connection of its own, or one that was made meanwhile for all.
    async fn connect(
        &self,
        line: &mut Line,
        job: &mut Job<'_>,
        exchange: &mut Exchange,
    ) -> Result<(), Fault> {
        let mut opening = None;
        if self.pool.multiplexes() {
            let late = |_| Fault::failed(Cause::ConnectTimeout, "no shared connection in time");
            opening = Some(timeout(job.left(), self.pool.opening.lock()).await.map_err(late)?);
            if self.pool.lend(line, self.clock.now(), &self.transport) {
                return Ok(());
            }
        }
        if line.not_before() > self.clock.now() {
            sleep(self.clock.ahead(line.not_before())).await;
            // The time limits are the system's; this was the user's own patience.
            job.begin = self.clock.now();
        }
        let connected = self.dial.connect(self.timeouts.connect.min(job.left())).await;
        let refused = connected.as_ref().is_err_and(|fault| fault.cause == Cause::Refused);
        line.tried(refused, self.clock.now(), &self.transport);
        let connected = connected?;
        exchange.connect = Some(connected.connect);
        exchange.tls = connected.tls;
        let conn = match (self.transport.http, self.transport.codec) {
            (Http::One, Codec::Raw) => Conn::Raw(Raw::new(connected.stream)),
            (Http::One, Codec::Hyper) => Conn::Hyper(Sender::one(connected.stream).await?),
            (Http::Two | Http::TwoClear, _) => Conn::Hyper(Sender::two(connected.stream).await?),
        };
        let kept = Kept { conn, made: self.clock.now(), requests: 0 };
        self.pool.share(&kept);
        line.kept = Some(kept);
        drop(opening);
        Ok(())
    }

    /// Follows the redirect in `answer`, and those that it leads to.
    async fn follow(
        &self,
        line: &mut Line,
        job: &Job<'_>,
        answer: &mut Answer,
        exchange: &mut Exchange,
    ) -> Result<(), Fault> {
        let mut wire = job.wire.clone();
        let (sent, mut connect, mut tls) = (exchange.sent, exchange.connect, exchange.tls);
        for _ in 0..self.transport.redirects {
            let Some(path) = self.onward(&wire, answer) else { return Ok(()) };
            wire = redirect::next(&wire, &path, answer.status, answer);
            // A browser keeps the cookies of every answer on the way.
            answer.forget_all_but("set-cookie");
            (exchange.connect, exchange.tls) = (None, None);
            let result =
                self.attempt(line, &mut Job { wire: &wire, ..*job }, answer, exchange).await;
            connect = sum(connect, exchange.connect);
            tls = sum(tls, exchange.tls);
            (exchange.sent, exchange.connect, exchange.tls) = (sent, connect, tls);
            result?;
        }
        match self.onward(&wire, answer) {
            Some(_) => Err(Fault::failed(Cause::CheckFailed, "more redirects than are followed")),
            None => Ok(()),
        }
    }

    /// The path to which `answer` redirects, if that is on the target.
    fn onward(&self, wire: &Wire, answer: &Answer) -> Option<String> {
        let location = answer.header("location").filter(|_| redirect::redirects(answer.status))?;
        redirect::path(&self.endpoint, wire.target(), std::str::from_utf8(location).ok()?)
    }
}

fn sum(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

/// What of `transport` does not go with `endpoint`.
#[must_use]
pub fn misfits(endpoint: &Endpoint, transport: &Transport) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut wrong = |holds: bool, key: &'static str, message: &str, expected: &str| {
        if holds {
            misfits.push(Misfit::new(&[key], message, expected));
        }
    };
    let tls = endpoint.scheme == Scheme::Https;
    wrong(
        transport.http == Http::Two && !tls,
        "http",
        "HTTP/2 is agreed on in TLS, and the target is not `https`",
        "`h2c` for HTTP/2 in plain text, or a target with `https`",
    );
    wrong(
        transport.http == Http::TwoClear && tls,
        "http",
        "`h2c` is plain text, and the target is `https`",
        "`2`",
    );
    wrong(
        !transport.tls.is_default() && !tls,
        "tls",
        "the target does not speak TLS",
        "goes with a target of `https`",
    );
    let unix = endpoint.scheme == Scheme::Unix;
    let expected = "leave it out with a Unix socket";
    let message = "a Unix socket has no addresses";
    wrong(unix && !transport.source_addresses.is_empty(), "source-addresses", message, expected);
    wrong(unix && transport.ip != Ip::Any, "ip", message, expected);
    let once = transport.dns == DnsWritten::Word(DnsWord::Once);
    wrong(unix && !once, "dns", "a Unix socket has no name", expected);
    misfits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_on_its_way_is_small() {
        let clock = Clock::starting_in(Duration::ZERO);
        let endpoint = Endpoint::http("127.0.0.1", 1);
        let client = Client::new(endpoint, &Transport::default(), Timeouts::default(), clock)
            .expect("an address needs no look-up");
        let (mut line, mut answer) = (client.line(), Answer::default());
        let wire = Wire::default();
        let exchange = client.exchange(&mut line, &wire, Keep::Body, &mut answer);
        let size = size_of_val(&exchange);
        assert!(size < 1024, "{size} bytes");
        drop(exchange);
        assert!(size_of::<Line>() <= 192, "{} bytes", size_of::<Line>());
    }

    #[test]
    fn what_does_not_go_with_a_target_is_told() {
        let keys = |endpoint: &str, transport: &Transport| {
            let endpoint: Endpoint = endpoint.parse().expect("a target");
            let found = misfits(&endpoint, transport);
            found.iter().map(|misfit| misfit.key.join(".")).collect::<Vec<_>>()
        };
        let two = Transport { http: Http::Two, ..Transport::default() };
        assert_eq!(keys("http://a", &two), ["http"]);
        assert_eq!(keys("https://a", &two), [""; 0]);
        let clear = Transport { http: Http::TwoClear, ..Transport::default() };
        assert_eq!(keys("https://a", &clear), ["http"]);
        let mut sources = Transport { ip: Ip::Four, ..Transport::default() };
        sources.source_addresses.push([127, 0, 0, 1].into());
        sources.tls.insecure = true;
        assert_eq!(keys("unix:/a", &sources), ["tls", "source-addresses", "ip"]);
    }
}
