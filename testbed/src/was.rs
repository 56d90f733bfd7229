//! The order service: login with a session, orders, uploads, and quotes from a partner.
//!
//! It keeps nothing in memory that a user would miss: any instance can answer any request. Every
//! answer says which instance gave it, and every request leaves one line in the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use clap::Args;
use tokio::time::Instant;

use crate::error::Error;
use crate::lifecycle::{self, Draining, Lifecycle};
use crate::log::Log;
use crate::store::{Orders, PoolLimits, Postgres, Redis, Sessions, Sqlite};

mod refusal;
mod session;
mod orders;
mod uploads;
mod quote;
mod health;

/// How long the start waits for the database before listening without it. Where instances are
/// found by name alone, an open port is what brings users.
const DATABASE_WAIT: Duration = Duration::from_secs(2);

/// The largest request body.
const BODY_MAX: usize = 64 << 20;

/// Where the order service keeps things and whom it asks.
#[derive(Args, Clone, Debug)]
pub struct WasArgs {
    #[command(flatten)]
    lifecycle: Lifecycle,

    /// Name of this instance, sent as `x-served-by` [default: the name of the host]
    #[arg(long, env = "TESTBED_NAME")]
    name: Option<String>,

    /// Orders: `sqlite:PATH` (sessions too) or `postgres://user@host/database`
    #[arg(long, env = "TESTBED_DATABASE")]
    database: String,

    /// A streaming replica of the database, for reads
    #[arg(long, env = "TESTBED_REPLICA")]
    replica: Option<String>,

    /// Sessions: `redis://host:port` [default: in the file of the orders]
    #[arg(long, env = "TESTBED_SESSIONS")]
    sessions: Option<String>,

    /// Directory of uploads, which all instances share
    #[arg(long, env = "TESTBED_UPLOADS", default_value = "uploads")]
    uploads: PathBuf,

    /// Address of the partner, as in `http://host:port`
    #[arg(long, env = "TESTBED_PARTNER")]
    partner: Option<String>,

    /// How long the partner may take
    #[arg(long, env = "TESTBED_PARTNER_TIMEOUT", default_value = "1s", value_parser = humantime::parse_duration)]
    partner_timeout: Duration,

    /// Connections to each database
    #[arg(long, env = "TESTBED_POOL_SIZE", default_value_t = 10)]
    pool_size: usize,

    /// How long a request waits for a free connection
    #[arg(long, env = "TESTBED_POOL_TIMEOUT", default_value = "1s", value_parser = humantime::parse_duration)]
    pool_timeout: Duration,
}

/// What the handlers share.
struct Was {
    orders: Orders,
    sessions: Sessions,
    uploads: PathBuf,
    partner: Option<quote::Partner>,
    draining: Draining,
}

/// What every answer and every line of the log tells of this instance.
#[derive(Clone)]
struct Sign {
    name: HeaderValue,
    log: Log,
}

pub(crate) async fn run(args: WasArgs) -> Result<(), Error> {
    let log = Log::open();
    let draining = Draining::default();
    let (orders, sessions) = open_stores(&args).await?;
    let opened = Instant::now();
    while !orders.reachable() && opened.elapsed() < DATABASE_WAIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let partner = match &args.partner {
        Some(url) => Some(quote::Partner::new(url, args.partner_timeout)?),
        None => None,
    };
    let name = args.name.as_deref().map_or_else(host_name, header_text);
    let was = Was { orders, sessions, uploads: args.uploads, partner, draining: draining.clone() };
    let router = router(was).layer(from_fn_with_state(Sign { name, log: log.clone() }, sign));
    lifecycle::serve("was", router, draining, &args.lifecycle, &log).await
}

async fn open_stores(args: &WasArgs) -> Result<(Orders, Sessions), Error> {
    let limits = PoolLimits { size: args.pool_size, wait: args.pool_timeout };
    let redis = args.sessions.as_deref().map(Redis::open).transpose()?.map(Sessions::Redis);
    if let Some(path) = args.database.strip_prefix("sqlite:") {
        let file = Sqlite::open(path, limits).await?;
        let sessions = redis.unwrap_or_else(|| Sessions::Sqlite(file.clone()));
        return Ok((Orders::Sqlite(file), sessions));
    }
    if !args.database.starts_with("postgres") {
        return Err(Error::UnknownDatabase(args.database.clone()));
    }
    let sessions = redis.ok_or(Error::NoSessionStore)?;
    let postgres = Postgres::open(&args.database, args.replica.as_deref(), limits)?;
    Ok((Orders::Postgres(postgres), sessions))
}

fn router(was: Was) -> Router {
    Router::new()
        .route("/login", post(session::login))
        .route("/whoami", get(session::whoami))
        .route("/orders", get(orders::newest).post(orders::add))
        .route("/orders/{id}", get(orders::get))
        .route("/uploads", post(uploads::put))
        .route("/uploads/{name}", get(uploads::get))
        .route("/quote", get(quote::quote))
        .route("/health", get(health::alive))
        .route("/ready", get(health::ready))
        .route("/version", get(health::version))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Arc::new(was))
}

/// Puts the name of the instance on the answer and a line into the log.
async fn sign(State(sign): State<Sign>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    sign.log.line(&format!("method={method} path={path} status={status} ms={ms:.3}"));
    response.headers_mut().insert("x-served-by", sign.name);
    response
}

fn host_name() -> HeaderValue {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    header_text(name.trim())
}

fn header_text(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("unnamed"))
}
