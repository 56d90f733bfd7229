//! Connections to the system under test: one request, and what became of it.
//!
//! Nothing is ever tried again, with one exception that no user could notice either: a kept
//! connection that turns out to be closed before a byte of the request was written is replaced.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::scenario::Timeouts;

/// The most of a body that is kept for looking into; what follows is read and only counted.
const KEPT: usize = 1 << 20;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Host and port as in a `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(format!("`{other}` is not spoken here, only `http`")),
            None => return Err(format!("`{text}` has no scheme")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("a target has no path; paths stand in the journeys".to_owned());
        }
        let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
        Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) })
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or the begin of it; empty when nobody wants to look into it.
    pub body: Bytes,
}

/// Why no complete answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the user may conclude.
    pub outcome: Outcome,
    /// What was seen.
    pub cause: Cause,
    /// The same in the system's words.
    pub message: String,
}

impl Fault {
    fn new(outcome: Outcome, cause: Cause, message: impl fmt::Display) -> Self {
        Self { outcome, cause, message: message.to_string() }
    }
}

/// One request, in moments and result.
#[derive(Debug)]
pub struct Exchange {
    /// How long connecting took, for a request that had to connect.
    pub connect: Option<Duration>,
    /// When the request was handed to the connection; `None` when there was none.
    pub sent: Option<Duration>,
    /// When the head of the answer was there.
    pub first_byte: Option<Duration>,
    /// When it ended.
    pub done: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The answer, or why none came.
    pub result: Result<Answer, Fault>,
}

/// A connection that is kept between the requests of one user. Lives on one thread.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    limits: Timeouts,
    clock: Clock,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection that is made when the first request needs it.
    #[must_use]
    pub fn new(endpoint: Endpoint, limits: Timeouts, clock: Clock) -> Self {
        Self { endpoint, limits, clock, sender: None }
    }

    /// Sends `request` and reads the answer to its end, keeping the body if `keep_body`.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>, keep_body: bool) -> Exchange {
        let mut exchange = Exchange {
            connect: None,
            sent: None,
            first_byte: None,
            done: Duration::ZERO,
            bytes: 0,
            result: Err(Fault::new(Outcome::Unknown, Cause::TotalTimeout, "no answer in time")),
        };
        let limit = self.limits.total;
        let result = timeout(limit, self.attempt(request, keep_body, &mut exchange)).await;
        if let Ok(result) = result {
            exchange.result = result;
        } else if exchange.sent.is_none() {
            exchange.result =
                Err(Fault::new(Outcome::Failed, Cause::ConnectTimeout, "not connected in time"));
        }
        if exchange.result.is_err() {
            self.sender = None;
        }
        exchange.done = self.clock.now();
        exchange
    }

    async fn attempt(
        &mut self,
        mut request: Request<Full<Bytes>>,
        keep_body: bool,
        exchange: &mut Exchange,
    ) -> Result<Answer, Fault> {
        loop {
            let kept = self.sender.take().filter(|sender| !sender.is_closed());
            let reused = kept.is_some();
            let mut sender = if let Some(sender) = kept {
                sender
            } else {
                let begin = self.clock.now();
                let sender = self.connect().await?;
                exchange.connect = Some(self.clock.now().saturating_sub(begin));
                sender
            };
            if sender.ready().await.is_err() {
                if reused {
                    continue;
                }
                return Err(Fault::new(Outcome::Failed, Cause::Reset, "closed before the request"));
            }
            exchange.sent = Some(self.clock.now());
            let response = timeout(self.limits.first_byte, sender.try_send_request(request)).await;
            let Ok(response) = response else {
                let message = "no first byte in time";
                return Err(Fault::new(Outcome::Unknown, Cause::FirstByteTimeout, message));
            };
            match response {
                Ok(response) => {
                    exchange.first_byte = Some(self.clock.now());
                    let answer = read(response, keep_body, &mut exchange.bytes).await?;
                    self.sender = Some(sender);
                    return Ok(answer);
                }
                Err(mut error) => {
                    if let Some(unsent) = error.take_message() {
                        exchange.sent = None;
                        if reused {
                            request = unsent;
                            continue;
                        }
                        return Err(Fault::new(Outcome::Failed, Cause::Reset, error.error()));
                    }
                    return Err(classified(error.error()));
                }
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Fault> {
        let address = (self.endpoint.host.as_str(), self.endpoint.port);
        let connecting = timeout(self.limits.connect, TcpStream::connect(address)).await;
        let Ok(stream) = connecting else {
            let message = "not connected in time";
            return Err(Fault::new(Outcome::Failed, Cause::ConnectTimeout, message));
        };
        let stream = stream.map_err(|error| not_connected(&error))?;
        // Requests are small and each is waited for: without this, the kernel would hold back the
        // second part of a request that was written in two.
        stream.set_nodelay(true).map_err(|error| not_connected(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::new(Outcome::Failed, Cause::Reset, error))?;
        // The sender hears of every error itself.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// Reads the answer to its end.
async fn read(
    response: Response<Incoming>,
    keep_body: bool,
    bytes: &mut u64,
) -> Result<Answer, Fault> {
    let (head, mut body) = response.into_parts();
    let mut kept = BytesMut::new();
    // The body of an answer that is not good is what explains it.
    let keep = keep_body || head.status.as_u16() >= 400;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let cause = if error.is_parse() { Cause::Malformed } else { Cause::BodyCut };
            Fault::new(Outcome::Unknown, cause, words(&error))
        })?;
        if let Some(data) = frame.data_ref() {
            *bytes += data.len() as u64;
            if keep && kept.len() < KEPT {
                kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
            }
        }
    }
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: kept.freeze() })
}

/// Why a connection could not be made; nothing was sent, so all of these are failures.
pub(crate) fn not_connected(error: &io::Error) -> Fault {
    let cause = match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Cause::Reset,
        io::ErrorKind::TimedOut => Cause::ConnectTimeout,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Cause::NoPorts,
        _ => match error.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::EMFILE | nix::errno::Errno::ENFILE) => Cause::NoDescriptors,
            Some(nix::errno::Errno::ENOBUFS) => Cause::NoPorts,
            _ => Cause::Unreachable,
        },
    };
    Fault::new(Outcome::Failed, cause, error)
}

/// What an error means for a request of which bytes may have left.
fn classified(error: &hyper::Error) -> Fault {
    let cause = if error.is_parse() { Cause::Malformed } else { Cause::Reset };
    Fault::new(Outcome::Unknown, cause, words(error))
}

/// The error with the reason behind it.
fn words(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_wrong_ones_refused() {
        let endpoint = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080".to_owned()));
        assert_eq!(endpoint("http://shop/"), Ok("http://shop:80".to_owned()));
        assert_eq!(endpoint("http://[::1]:81"), Ok("http://[::1]:81".to_owned()));
        for wrong in ["https://x", "127.0.0.1:80", "http://x/path", "ftp://x", "not a url"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
