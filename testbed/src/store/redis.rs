//! Sessions in Redis, over one connection that comes back by itself.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError};

use super::{SESSION_SECONDS, StoreError};
use crate::error::Error;

/// How long a new connection may take.
const CONNECT_MAX: Duration = Duration::from_millis(300);

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// The session store.
#[derive(Clone)]
pub(crate) struct Redis {
    connection: ConnectionManager,
}

impl Redis {
    /// Connects with the first command, so that the service can start before its session store.
    pub(crate) fn open(url: &str) -> Result<Self, Error> {
        let client = Client::open(url).map_err(Error::RedisAddress)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_number_of_retries(0);
        let connection =
            ConnectionManager::new_lazy_with_config(client, config).map_err(Error::RedisAddress)?;
        Ok(Self { connection })
    }

    pub(super) async fn put_session(&self, token: &str, user: &str) -> Result<(), StoreError> {
        self.ask(&Cmd::set_ex(key(token), user, u64::from(SESSION_SECONDS))).await
    }

    pub(super) async fn session_user(&self, token: &str) -> Result<Option<String>, StoreError> {
        self.ask(&Cmd::get(key(token))).await
    }

    /// Both commands may be sent twice, so the one that finds the connection dead is not lost.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        let answer = match command.query_async(&mut connection).await {
            Err(error) if error.is_connection_dropped() => {
                command.query_async(&mut connection).await
            }
            answer => answer,
        };
        answer.map_err(|error: RedisError| StoreError::Unavailable(error.to_string()))
    }
}

fn key(token: &str) -> String {
    format!("session:{token}")
}
