//! The front of the embedded testbed: web server and load balancer in one small process.
//!
//! Requests go round robin to the upstreams that are up. An upstream is taken out by its own
//! readiness, asked a few times a second, or at once when a connection to it fails; a check that
//! succeeds brings it back. What may be sent twice is told by what has happened to it: a request
//! that found no connection was never sent, and any may be tried elsewhere; one that was sent is
//! repeated only when its method promises that twice is the same as once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::{Args, ValueEnum};
use hyper::http::uri::Authority;

use crate::error::Error;
use crate::lifecycle::{self, Draining, Lifecycle};
use crate::log::Log;

mod upstream;
mod checks;
mod proxy;

use proxy::Proxy;
use upstream::Upstreams;

/// Whom the front serves, and how patiently.
#[derive(Args, Clone, Debug)]
pub struct FrontArgs {
    #[command(flatten)]
    lifecycle: Lifecycle,

    /// An order service, as `host:port`; once for each
    #[arg(long = "upstream", required = true, env = "TESTBED_UPSTREAMS", value_delimiter = ',')]
    upstreams: Vec<Authority>,

    /// Whether a request that failed is tried on another upstream where that is safe
    #[arg(long, env = "TESTBED_RETRIES", default_value = "on")]
    retries: Switch,

    /// How long a new connection to an upstream may take
    #[arg(long, default_value = "200ms", value_parser = humantime::parse_duration)]
    connect_timeout: Duration,

    /// How long an upstream may take to begin its answer
    #[arg(long, env = "TESTBED_RESPONSE_TIMEOUT", default_value = "5s", value_parser = humantime::parse_duration)]
    response_timeout: Duration,

    /// Time from check to check, and the longest a check may take
    #[arg(long, default_value = "200ms", value_parser = humantime::parse_duration)]
    check_every: Duration,

    /// Checks that must fail in a row to take an upstream out; one that succeeds brings it back
    #[arg(long, default_value_t = 2)]
    fall: u32,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

pub(crate) async fn run(args: FrontArgs) -> Result<(), Error> {
    let upstreams = Arc::new(Upstreams::new(args.upstreams));
    let client = proxy::client(args.connect_timeout);
    let log = Log::open();
    for upstream in upstreams.iter() {
        let checks = checks::Checks {
            every: args.check_every,
            fall: args.fall,
            log: log.clone(),
            client: proxy::client(args.check_every),
        };
        tokio::spawn(checks.watch(Arc::clone(upstream)));
    }
    let proxy = Proxy {
        client,
        upstreams,
        retries: args.retries == Switch::On,
        response_timeout: args.response_timeout,
        log: log.clone(),
    };
    let router = Router::new().fallback(proxy::forward).with_state(Arc::new(proxy));
    lifecycle::serve("front", router, Draining::default(), &args.lifecycle, &log).await
}
