//! One request on its way to an upstream and back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::upstream::{Upstream, Upstreams};
use crate::log::Log;

/// Connections to all upstreams. One that turns out to be closed before anything was sent on it is
/// replaced unseen, whatever the method.
pub(super) type Client = legacy::Client<HttpConnector, Body>;

/// Bodies are held until the answer has begun, as they may be needed again.
const BODY_MAX: usize = 64 << 20;

/// Idle connections kept for each upstream.
const IDLE_MAX: usize = 256;

/// How long an idle connection is kept.
const IDLE_LIFE: Duration = Duration::from_secs(30);

/// Headers that belong to one connection and end with it.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What each request needs to find its way.
pub(super) struct Proxy {
    pub(super) client: Client,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) retries: bool,
    pub(super) response_timeout: Duration,
    pub(super) log: Log,
}

/// How an attempt failed.
enum Failure {
    /// There was no connection: the upstream has seen nothing.
    NotSent,
    /// The upstream may have acted.
    Sent,
    /// The upstream has it and does not answer.
    Late,
}

pub(super) fn client(connect_timeout: Duration) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_MAX)
        .pool_idle_timeout(IDLE_LIFE)
        .build(connector)
}

/// Sends the request to the upstream whose turn it is, and to the next as long as that is safe.
pub(super) async fn forward(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return (StatusCode::BAD_REQUEST, "cannot read the body, or it is too long\n")
            .into_response();
    };
    let twice_is_once = parts.method.is_idempotent();
    let mut answer = (StatusCode::SERVICE_UNAVAILABLE, "no upstream is up\n");
    for upstream in proxy.upstreams.turns() {
        let again = match proxy.attempt(upstream, &parts, body.clone()).await {
            Ok(response) => return response,
            Err(Failure::Late) => {
                return (StatusCode::GATEWAY_TIMEOUT, "upstream did not answer in time\n")
                    .into_response();
            }
            Err(Failure::NotSent) => true,
            Err(Failure::Sent) => twice_is_once,
        };
        // The next check tells whether it is back.
        if upstream.mark(false) {
            proxy.log.line(&format!("upstream={} down", upstream.authority));
        }
        answer = (StatusCode::BAD_GATEWAY, "upstream failed\n");
        if !(again && proxy.retries) {
            break;
        }
    }
    answer.into_response()
}

impl Proxy {
    async fn attempt(
        &self,
        upstream: &Upstream,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Response, Failure> {
        let request = readdress(upstream, parts, body);
        match timeout(self.response_timeout, self.client.request(request)).await {
            Err(_) => Err(Failure::Late),
            Ok(Err(error)) if error.is_connect() => Err(Failure::NotSent),
            Ok(Err(_)) => Err(Failure::Sent),
            Ok(Ok(mut response)) => {
                leave_connection_behind(response.headers_mut());
                Ok(response.map(Body::new))
            }
        }
    }
}

fn readdress(upstream: &Upstream, parts: &Parts, body: Bytes) -> Request {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme("http").authority(upstream.authority.clone());
    let uri = uri.path_and_query(path).build().expect("parts of valid URLs make a valid URL");
    // An empty body is sent as none at all, not as a chunk of nothing.
    let mut request = Request::new(if body.is_empty() { Body::empty() } else { body.into() });
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers.clone();
    leave_connection_behind(request.headers_mut());
    request
}

fn leave_connection_behind(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}
