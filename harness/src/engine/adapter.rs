//! From a request's bytes to hyper and back.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use rehearsal_reports::outcome::{Cause, Outcome};

use crate::answer::{Answer, Keep};
use crate::target::{self, Connection, Fault};
use crate::wire::Wire;

/// One request, in moments and result; the answer is in the buffer that was handed in.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) connect: Option<Duration>,
    pub(super) sent: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) done: Duration,
    pub(super) bytes: u64,
    pub(super) result: Result<(), Fault>,
}

/// Sends `wire` and reads the answer into `answer`.
pub(super) async fn exchange(
    connection: &mut Connection,
    wire: &Wire,
    keep: Keep,
    answer: &mut Answer,
    now: Duration,
) -> Exchange {
    answer.clear();
    let Some(request) = request(wire) else {
        let message = "no request can be made of this".to_owned();
        let fault = Fault { outcome: Outcome::Failed, cause: Cause::CheckFailed, message };
        let none = None;
        return Exchange {
            connect: none,
            sent: none,
            first_byte: none,
            done: now,
            bytes: 0,
            result: Err(fault),
        };
    };
    let target::Exchange { connect, sent, first_byte, done, bytes, result } =
        connection.exchange(request, keep == Keep::Body).await;
    let result = result.map(|found| {
        answer.status = found.status;
        answer.body.extend_from_slice(&found.body);
        for (name, value) in &found.headers {
            answer.push_header(name.as_str().as_bytes(), value.as_bytes());
        }
    });
    Exchange { connect, sent, first_byte, done, bytes, result }
}

fn request(wire: &Wire) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(wire.body_bytes())));
    *request.method_mut() = wire.method().parse().ok()?;
    *request.uri_mut() = wire.target().parse().ok()?;
    let head = std::str::from_utf8(wire.head()).ok()?;
    for line in head.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}
