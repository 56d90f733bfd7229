//! Orders: add one, get one, list one's own.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Was;
use super::refusal::Refusal;
use super::session::User;
use crate::store::{Added, Order};

#[derive(Deserialize)]
pub(super) struct Wanted {
    id: String,
    item: i32,
}

/// The id makes the request safe to repeat: the second time is told as a duplicate.
pub(super) async fn add(
    State(was): State<Arc<Was>>,
    User(user): User,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<Order>), Refusal> {
    let order = Order { id: wanted.id, user, item: wanted.item };
    match was.orders.add(&order).await? {
        Added::Stored => Ok((StatusCode::CREATED, Json(order))),
        Added::Duplicate => Err(Refusal::Duplicate),
    }
}

/// Needs no session: who knows the id may see the order, so that acknowledged orders can be
/// looked up even when all sessions are lost.
pub(super) async fn get(
    State(was): State<Arc<Was>>,
    Path(id): Path<String>,
) -> Result<Json<Order>, Refusal> {
    was.orders.get(&id).await?.map(Json).ok_or(Refusal::NotFound)
}

pub(super) async fn newest(
    State(was): State<Arc<Was>>,
    User(user): User,
) -> Result<Json<Vec<Order>>, Refusal> {
    Ok(Json(was.orders.newest(&user).await?))
}
