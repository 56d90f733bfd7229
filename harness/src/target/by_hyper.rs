//! HTTP/2, and HTTP/1.1 for a second opinion, by the hyper library behind the same seam as our own
//! codec: a request comes as the bytes of HTTP/1.1 and the answer goes into the same buffers.

use std::error::Error as _;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rehearsal_reports::outcome::Cause;
use tokio::time::timeout;

use super::codec::{self, HEAD_LIMIT, HEADERS_LIMIT};
use super::exchange::{Exchange, Fault, Job, Trouble};
use super::stream::Stream;
use crate::answer::Answer;
use crate::wire::Wire;

/// The status of a server that changes the protocol.
const SWITCHING: u16 = 101;

/// Runs hyper's tasks on the thread of their connection.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F> Executor<F> for Here
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// A connection that hyper drives in a task of its own.
#[derive(Debug)]
pub(super) enum Sender {
    /// HTTP/1.1.
    One(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2.
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Speaks HTTP/1.1 on `stream`.
    pub(super) async fn one(stream: Stream) -> Result<Self, Fault> {
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_LIMIT).max_buf_size(HEAD_LIMIT);
        let (sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::failed(Cause::Reset, words(&error)))?;
        // The sender hears of every error itself.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(Self::One(sender))
    }

    /// Speaks HTTP/2 on `stream`.
    pub(super) async fn two(stream: Stream) -> Result<Self, Fault> {
        let (sender, connection) = http2::Builder::new(Here)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::failed(Cause::Reset, words(&error)))?;
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(Self::Two(sender))
    }

    /// One more user of the same connection; HTTP/1.1 has one only.
    pub(super) fn another(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(sender) => Some(Self::Two(sender.clone())),
        }
    }

    /// Whether the connection is known to have ended.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Two(sender) => sender.is_closed(),
        }
    }

    /// Sends the request to `origin` (`https://host:port`) and reads the answer to its end;
    /// returns whether the connection may be used again.
    pub(super) async fn ask(
        &mut self,
        job: &Job<'_>,
        origin: &str,
        answer: &mut Answer,
        exchange: &mut Exchange,
    ) -> Result<bool, Trouble> {
        let request = self.request(job.wire, origin).map_err(Trouble::Fault)?;
        let ready = async {
            match self {
                Self::One(sender) => sender.ready().await,
                Self::Two(sender) => sender.ready().await,
            }
        };
        match timeout(job.left(), ready).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Trouble::Unwritten),
            Err(_) => {
                let fault = Fault::failed(Cause::ConnectTimeout, "the connection is not ready");
                return Err(Trouble::Fault(fault));
            }
        }
        let sent = job.clock.now();
        exchange.sent = Some(sent);
        let limit = job.timeouts.first_byte.min(job.left());
        let response = match self {
            Self::One(sender) => timeout(limit, sender.try_send_request(request)).await,
            Self::Two(sender) => timeout(limit, sender.try_send_request(request)).await,
        };
        let response = response.map_err(|_| Trouble::Fault(job.late(sent, None)))?;
        let response = response.map_err(unanswered)?;
        exchange.first_byte = Some(job.clock.now());
        if response.status().as_u16() == SWITCHING {
            let message = "a switch to a protocol that nobody asked for";
            return Err(Trouble::Fault(Fault::unknown(Cause::Malformed, message)));
        }
        let read = timeout(job.left(), read(response, job, answer, &mut exchange.bytes)).await;
        read.map_err(|_| Trouble::Fault(job.late(sent, exchange.first_byte)))?
            .map_err(Trouble::Fault)?;
        exchange.done = job.clock.now();
        Ok(!self.is_closed())
    }

    /// The request as hyper's own type. HTTP/2 names the host elsewhere, and knows no headers
    /// about the connection.
    fn request(&self, wire: &Wire, origin: &str) -> Result<Request<Full<Bytes>>, Fault> {
        let two = matches!(self, Self::Two(_));
        let target = if two { format!("{origin}{}", wire.target()) } else { wire.target().into() };
        let target: Uri = target
            .parse()
            .map_err(|_| Fault::failed(Cause::CheckFailed, "the path is not one of HTTP"))?;
        let mut request = Request::builder().method(wire.method()).uri(target);
        for (name, value) in wire.headers() {
            if !(two && matches!(name, "host" | "connection" | "keep-alive" | "transfer-encoding"))
            {
                request = request.header(name, value);
            }
        }
        let body = Full::new(Bytes::copy_from_slice(wire.body_bytes()));
        request.body(body).map_err(|error| Fault::failed(Cause::CheckFailed, error))
    }
}

/// Reads the answer to its end.
async fn read(
    response: Response<Incoming>,
    job: &Job<'_>,
    answer: &mut Answer,
    bytes: &mut u64,
) -> Result<(), Fault> {
    let (head, mut body) = response.into_parts();
    answer.status = head.status.as_u16();
    for (name, value) in &head.headers {
        answer.push_header(name.as_str().as_bytes(), value.as_bytes());
    }
    let limit = codec::kept(job.keep, answer.status);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cut(&error))?;
        if let Some(data) = frame.data_ref() {
            *bytes += data.len() as u64;
            codec::keep_part(&mut answer.body, limit, data);
        }
    }
    Ok(())
}

/// Why a request got no answer.
fn unanswered(mut error: TrySendError<Request<Full<Bytes>>>) -> Trouble {
    if error.take_message().is_some() {
        return Trouble::Unwritten;
    }
    let error = error.error();
    Trouble::Fault(if error.is_parse() {
        Fault::unknown(Cause::Malformed, words(error))
    } else if let Some(two) = cause::<h2::Error>(error) {
        of_two(two, Cause::Reset)
    } else if let Some(io) = cause::<io::Error>(error) {
        Fault::broken(io, false)
    } else {
        Fault::ended(false)
    })
}

/// Why an answer that had begun did not come to its end.
fn cut(error: &hyper::Error) -> Fault {
    if let Some(two) = cause::<h2::Error>(error) {
        return of_two(two, Cause::BodyCut);
    }
    let io = cause::<io::Error>(error);
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
            if io.is_some_and(|io| Fault::broken(io, true).cause != Cause::Tls) =>
        {
            Fault::unknown(Cause::Malformed, words(error))
        }
        _ => io.map_or_else(|| Fault::ended(true), |io| Fault::broken(io, true)),
    }
}

/// What an error of HTTP/2 means; `cause` where the server ended the answer.
fn of_two(error: &h2::Error, cause: Cause) -> Fault {
    if error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        // RFC 9113 section 8.7: such a request was not processed.
        return Fault::failed(Cause::Reset, "the server refused the stream");
    }
    if error.is_remote() && error.is_go_away() {
        return Fault::unknown(cause, "the server gave the connection up (GOAWAY)");
    }
    if error.is_remote() {
        return Fault::unknown(cause, "the server reset the stream (RST_STREAM)");
    }
    match error.get_io() {
        Some(io) => Fault::broken(io, cause == Cause::BodyCut),
        None => Fault::unknown(Cause::Malformed, error),
    }
}

/// The first error of type `E` behind `error`.
fn cause<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The error with the reason behind it.
fn words(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
