//! The external partner: somebody else's service, which is slow when it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::lifecycle::{self, Draining, Lifecycle};
use crate::log::Log;

/// How the partner behaves.
#[derive(Args, Clone, Debug)]
pub struct PartnerArgs {
    #[command(flatten)]
    lifecycle: Lifecycle,

    /// How long each quote takes; `PUT /delay` with a duration changes it while running
    #[arg(long, env = "TESTBED_DELAY", default_value = "0ms", value_parser = humantime::parse_duration)]
    delay: Duration,
}

/// The delay in microseconds, changed while requests are under way.
type Delay = Arc<AtomicU64>;

#[derive(Deserialize)]
struct Wanted {
    #[serde(default = "first_item")]
    item: u32,
}

#[derive(Serialize)]
struct Quote {
    item: u32,
    /// In cents.
    price: u32,
}

pub(crate) async fn run(args: PartnerArgs) -> Result<(), Error> {
    let delay = Delay::new(AtomicU64::new(micros(args.delay)));
    let router = Router::new()
        .route("/quote", get(quote))
        .route("/delay", put(set_delay))
        .route("/health", get(|| async { "ok\n" }))
        .with_state(delay);
    lifecycle::serve("partner", router, Draining::default(), &args.lifecycle, &Log::open()).await
}

async fn quote(State(delay): State<Delay>, Query(wanted): Query<Wanted>) -> Json<Quote> {
    let micros = delay.load(Ordering::Relaxed);
    if micros > 0 {
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
    // Any price will do as long as the same item always has the same one.
    Json(Quote { item: wanted.item, price: 1_000 + wanted.item % 100 * 25 })
}

async fn set_delay(State(delay): State<Delay>, wanted: String) -> Result<String, StatusCode> {
    let wanted = humantime::parse_duration(wanted.trim()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let before = delay.swap(micros(wanted), Ordering::Relaxed);
    Ok(format!("{}\n", humantime::format_duration(Duration::from_micros(before))))
}

fn first_item() -> u32 {
    1
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)
}
