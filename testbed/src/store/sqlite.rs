//! Orders and sessions in one `SQLite` file, which several processes share.
//!
//! Write-ahead logging lets readers go on while one writes; writers of all processes queue for the
//! busy timeout. What was acknowledged is in the file's log and survives the death of any process;
//! only the death of the machine could take the last moments.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use super::{Added, NEWEST_MAX, Order, PoolLimits, SESSION_SECONDS, StoreError};
use crate::error::Error;

/// How long a statement waits for the writers of other processes.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// Attempts to open a file that several processes are making at this moment: turning on the log
/// needs the file alone, and `SQLite` does not wait for that.
const OPEN_ATTEMPTS: u32 = 50;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        item INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS orders_by_owner ON orders (owner, number);
    CREATE TABLE IF NOT EXISTS sessions (
        token TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        until INTEGER NOT NULL
    );";

/// A pool of connections to one file.
#[derive(Clone)]
pub(crate) struct Sqlite {
    path: Arc<str>,
    idle: Arc<Mutex<Vec<Connection>>>,
    slots: Arc<Semaphore>,
    wait: Duration,
}

impl Sqlite {
    /// Opens the file, making it and its tables when absent.
    pub(crate) async fn open(path: &str, limits: PoolLimits) -> Result<Self, Error> {
        let mut attempt = 1;
        let first = loop {
            match connect(path).and_then(|first| first.execute_batch(SCHEMA).map(|()| first)) {
                Ok(first) => break first,
                Err(source) if attempt == OPEN_ATTEMPTS || !is_busy(&source) => {
                    return Err(Error::OpenSqlite { path: path.to_owned(), source });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            attempt += 1;
        };
        Ok(Self {
            path: path.into(),
            idle: Arc::new(Mutex::new(vec![first])),
            slots: Arc::new(Semaphore::new(limits.size)),
            wait: limits.wait,
        })
    }

    pub(super) async fn add_order(&self, order: &Order) -> Result<Added, StoreError> {
        let order = order.clone();
        self.with(move |database| {
            let added = database
                .prepare_cached(
                    "INSERT INTO orders (id, owner, item) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                )?
                .execute(params![order.id, order.user, order.item])?;
            Ok(if added == 1 { Added::Stored } else { Added::Duplicate })
        })
        .await
    }

    pub(super) async fn order(&self, id: &str) -> Result<Option<Order>, StoreError> {
        let id = id.to_owned();
        self.with(move |database| {
            database
                .prepare_cached("SELECT id, owner, item FROM orders WHERE id = ?")?
                .query_row([id], read_order)
                .optional()
        })
        .await
    }

    pub(super) async fn newest_orders(&self, user: &str) -> Result<Vec<Order>, StoreError> {
        let user = user.to_owned();
        self.with(move |database| {
            database
                .prepare_cached(
                    "SELECT id, owner, item FROM orders WHERE owner = ?
                     ORDER BY number DESC LIMIT ?",
                )?
                .query_map(params![user, NEWEST_MAX], read_order)?
                .collect()
        })
        .await
    }

    pub(super) async fn put_session(&self, token: &str, user: &str) -> Result<(), StoreError> {
        let (token, user) = (token.to_owned(), user.to_owned());
        self.with(move |database| {
            database
                .prepare_cached(
                    "INSERT INTO sessions (token, owner, until) VALUES (?, ?, unixepoch() + ?)",
                )?
                .execute(params![token, user, SESSION_SECONDS])
                .map(drop)
        })
        .await
    }

    pub(super) async fn session_user(&self, token: &str) -> Result<Option<String>, StoreError> {
        let token = token.to_owned();
        self.with(move |database| {
            database
                .prepare_cached(
                    "SELECT owner FROM sessions WHERE token = ? AND until > unixepoch()",
                )?
                .query_row([token], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// Does `work` on a free connection, outside the threads that serve requests.
    async fn with<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let slot = tokio::time::timeout(self.wait, Arc::clone(&self.slots).acquire_owned());
        let slot = slot.await.map_err(|_| StoreError::Exhausted)?.expect("the slots stay open");
        let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
        let done = tokio::task::spawn_blocking(move || {
            let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = free.map_or_else(|| connect(&path), Ok)?;
            let outcome = work(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(slot);
            outcome
        });
        let outcome = done.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        outcome.map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

fn connect(path: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

fn read_order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order { id: row.get(0)?, user: row.get(1)?, item: row.get(2)? })
}
