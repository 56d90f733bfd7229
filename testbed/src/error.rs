//! What can keep a role from starting or from going on.

use std::io;
use std::net::SocketAddr;

/// Why a role ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address as asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The accept loop or a signal handler failed.
    #[error("cannot serve")]
    Serve(#[from] io::Error),
    /// `--database` is neither kind that is known.
    #[error("`{0}` names no database; known: `sqlite:PATH`, `postgres://...`")]
    UnknownDatabase(String),
    /// The orders are in `PostgreSQL`, which keeps no sessions here.
    #[error("orders in PostgreSQL need `--sessions redis://...`")]
    NoSessionStore,
    /// A `PostgreSQL` address that cannot be read.
    #[error("cannot read the address of the database")]
    PostgresAddress(#[source] tokio_postgres::Error),
    /// The pool of database connections cannot be made.
    #[error("cannot make the pool of database connections")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// A Redis address that cannot be read.
    #[error("cannot read the address of the session store")]
    RedisAddress(#[source] redis::RedisError),
    /// The `SQLite` file cannot be opened.
    #[error("cannot open the database `{path}`")]
    OpenSqlite {
        /// The file as asked for.
        path: String,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// The client for calls to other services cannot be made, or a check could not be sent.
    #[error("cannot call")]
    Call(#[from] reqwest::Error),
    /// A check was answered, but not with success.
    #[error("`{url}` answered {status}")]
    Unhealthy {
        /// The URL that was asked.
        url: String,
        /// The status of the answer.
        status: u16,
    },
}
