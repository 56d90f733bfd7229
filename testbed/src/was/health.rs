//! What load balancers and operators ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Was;

/// The process lives. Says nothing of its stores: a restart would not bring those back.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether users should be sent here. Answers from what is known, so it is quick even when the
/// database hangs.
pub(super) async fn ready(State(was): State<Arc<Was>>) -> (StatusCode, &'static str) {
    if was.draining.begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    if !was.orders.reachable() {
        return (StatusCode::SERVICE_UNAVAILABLE, "database not reachable\n");
    }
    (StatusCode::OK, "ready\n")
}

/// A request that costs next to nothing.
pub(super) async fn version() -> Json<Value> {
    Json(json!({ "name": "orders", "version": env!("CARGO_PKG_VERSION") }))
}
