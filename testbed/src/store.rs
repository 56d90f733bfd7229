//! Where orders and sessions live.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod sqlite;
mod postgres;
mod redis;

pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;
pub(crate) use sqlite::Sqlite;

/// How long a session lasts, in seconds.
const SESSION_SECONDS: u32 = 24 * 60 * 60;

/// Orders shown of one user.
const NEWEST_MAX: u32 = 20;

/// What one user bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Chosen by the client, so that it can ask for an order whose answer it never got.
    pub(crate) id: String,
    /// Who bought.
    pub(crate) user: String,
    /// The number of the article.
    pub(crate) item: i32,
}

/// Why a store did not answer. Users see 503 for all of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// All connections were taken for as long as a request may wait for one.
    #[error("no free connection in time")]
    Exhausted,
    /// The store is gone or did not answer in time.
    #[error("store unavailable: {0}")]
    Unavailable(String),
}

/// Whether an order could be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is stored.
    Stored,
    /// There is one of this id, and it stays as it was.
    Duplicate,
}

/// How many connections a pool has and how long a request waits for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) size: usize,
    pub(crate) wait: Duration,
}

/// The store of orders.
#[derive(Clone)]
pub(crate) enum Orders {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Orders {
    pub(crate) async fn add(&self, order: &Order) -> Result<Added, StoreError> {
        match self {
            Self::Sqlite(store) => store.add_order(order).await,
            Self::Postgres(store) => store.add_order(order).await,
        }
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<Order>, StoreError> {
        match self {
            Self::Sqlite(store) => store.order(id).await,
            Self::Postgres(store) => store.order(id).await,
        }
    }

    /// The newest orders of `user`, newest first.
    pub(crate) async fn newest(&self, user: &str) -> Result<Vec<Order>, StoreError> {
        match self {
            Self::Sqlite(store) => store.newest_orders(user).await,
            Self::Postgres(store) => store.newest_orders(user).await,
        }
    }

    /// Whether writes would find a database. Answers at once, from what is known.
    pub(crate) fn reachable(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(store) => store.reachable(),
        }
    }
}

/// The store of sessions: token to user.
#[derive(Clone)]
pub(crate) enum Sessions {
    Sqlite(Sqlite),
    Redis(Redis),
}

impl Sessions {
    pub(crate) async fn put(&self, token: &str, user: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.put_session(token, user).await,
            Self::Redis(store) => store.put_session(token, user).await,
        }
    }

    /// Who `token` belongs to; `None` when there is no such session.
    pub(crate) async fn user(&self, token: &str) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(store) => store.session_user(token).await,
            Self::Redis(store) => store.session_user(token).await,
        }
    }
}
