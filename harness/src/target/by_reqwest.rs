//! Requests over a client of reqwest, which is what the users of goose hold.

use std::error::Error;
use std::io;

use rehearsal_reports::outcome::Cause;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response, retry};
use tokio::time::timeout;

use super::codec;
use super::exchange::{Exchange, Fault, Job};
use crate::answer::Answer;
use crate::wire::Wire;

/// A client that does what ours do: it follows nothing, repeats nothing and unpacks nothing.
pub(super) fn builder() -> ClientBuilder {
    let builder = Client::builder().no_proxy().redirect(Policy::none()).retry(retry::never());
    builder.no_gzip().tcp_nodelay(true)
}

/// Sends the request of `job` to `origin` by `client` and reads the answer to its end. When
/// connecting ends is not to be seen from here.
pub(super) async fn ask(
    client: &Client,
    origin: &str,
    job: &Job<'_>,
    answer: &mut Answer,
    exchange: &mut Exchange,
) -> Result<(), Fault> {
    let sent = job.clock.now();
    exchange.sent = Some(sent);
    let late = |first_byte| job.late(sent, first_byte);
    let limit = job.timeouts.first_byte.min(job.left());
    let asked = timeout(limit, request(client, origin, job.wire)?.send());
    let response = match asked.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            if error.is_connect() {
                exchange.sent = None;
            }
            return Err(fault(&error, false));
        }
        Err(_) => return Err(late(None)),
    };
    exchange.first_byte = Some(job.clock.now());
    let read = timeout(job.left(), read(response, job, answer, exchange)).await;
    read.unwrap_or_else(|_| Err(late(exchange.first_byte)))
}

fn request(client: &Client, origin: &str, wire: &Wire) -> Result<reqwest::RequestBuilder, Fault> {
    let unfit = || Fault::failed(Cause::CheckFailed, "not a request that goose could send");
    let method = Method::from_bytes(wire.method().as_bytes()).map_err(|_| unfit())?;
    let mut headers = HeaderMap::new();
    for (name, value) in wire.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| unfit())?);
    }
    let url = format!("{origin}{}", wire.target());
    Ok(client.request(method, url).headers(headers).body(wire.body_bytes().to_vec()))
}

async fn read(
    mut response: Response,
    job: &Job<'_>,
    answer: &mut Answer,
    exchange: &mut Exchange,
) -> Result<(), Fault> {
    answer.status = response.status().as_u16();
    for (name, value) in response.headers() {
        answer.push_header(name.as_str().as_bytes(), value.as_bytes());
    }
    let limit = codec::kept(job.keep, answer.status);
    while let Some(part) = response.chunk().await.map_err(|error| fault(&error, true))? {
        exchange.bytes += part.len() as u64;
        codec::keep_part(&mut answer.body, limit, &part);
    }
    exchange.done = job.clock.now();
    Ok(())
}

/// What the error means; `begun` when the head of the answer was there.
fn fault(error: &reqwest::Error, begun: bool) -> Fault {
    if error.is_connect() && error.is_timeout() {
        return Fault::failed(Cause::ConnectTimeout, "not connected in time");
    }
    if error.is_connect() {
        return match behind::<io::Error>(error) {
            Some(error) => Fault::not_connected(error),
            None => Fault::failed(Cause::Unreachable, "not connected"),
        };
    }
    match behind::<hyper::Error>(error) {
        Some(error) if error.is_parse() => Fault::unknown(Cause::Malformed, error),
        _ => Fault::ended(begun),
    }
}

/// The error of this kind behind `error`.
fn behind<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut error = error.source();
    while let Some(inner) = error {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        error = inner.source();
    }
    None
}
