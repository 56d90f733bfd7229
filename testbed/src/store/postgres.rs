//! Orders in `PostgreSQL`: written to the primary, read from a replica while it is there.
//!
//! Users must not pay for a dead replica: the first reads that fail on it fall back to the primary,
//! and from then on none asks it until it has answered a probe. Every wait has a bound, so that a
//! server which vanished without a word costs no more than one that refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use super::{Added, NEWEST_MAX, Order, PoolLimits, StoreError};
use crate::error::Error;

/// How long a new connection may take.
const CONNECT_MAX: Duration = Duration::from_millis(300);

/// How long a statement on the primary may take.
const STATEMENT_MAX: Duration = Duration::from_secs(2);

/// How long the replica may keep a reader before the primary is asked instead.
const REPLICA_MAX: Duration = Duration::from_millis(200);

/// How often a server is probed: the primary always, the replica while it is down.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// How long the answer to a probe may take.
const PROBE_MAX: Duration = Duration::from_millis(500);

/// Several instances start at once, and `IF NOT EXISTS` alone does not stand that: the lock lets
/// one make the tables and the others find them.
const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(1);
    CREATE TABLE IF NOT EXISTS orders (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        item INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS orders_by_owner ON orders (owner, number);
    COMMIT;";

/// Values bound to a statement.
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The primary and, if there is one, its replica.
#[derive(Clone)]
pub(crate) struct Postgres {
    primary: Pool,
    primary_up: Arc<AtomicBool>,
    replica: Option<Replica>,
}

#[derive(Clone)]
struct Replica {
    pool: Pool,
    down: Arc<AtomicBool>,
}

impl Postgres {
    /// Makes the pools and begins to watch the primary; connects to nothing yet.
    pub(crate) fn open(
        primary: &str,
        replica: Option<&str>,
        limits: PoolLimits,
    ) -> Result<Self, Error> {
        let config = config(primary)?;
        let primary_up = Arc::new(AtomicBool::new(false));
        tokio::spawn(watch_primary(config.clone(), Arc::clone(&primary_up)));
        let replica = match replica {
            Some(replica) => Some(Replica {
                pool: pool(self::config(replica)?, limits)?,
                down: Arc::new(AtomicBool::new(false)),
            }),
            None => None,
        };
        Ok(Self { primary: pool(config, limits)?, primary_up, replica })
    }

    /// Whether the primary answered the last probe.
    pub(super) fn reachable(&self) -> bool {
        self.primary_up.load(Ordering::Relaxed)
    }

    pub(super) async fn add_order(&self, order: &Order) -> Result<Added, StoreError> {
        let sql = "INSERT INTO orders (id, owner, item) VALUES ($1, $2, $3)
                   ON CONFLICT DO NOTHING RETURNING id";
        let rows = self.on_primary(sql, &[&order.id, &order.user, &order.item]).await?;
        Ok(if rows.is_empty() { Added::Duplicate } else { Added::Stored })
    }

    /// An order just written may not have reached the replica: what it does not know, the primary
    /// is asked for.
    pub(super) async fn order(&self, id: &str) -> Result<Option<Order>, StoreError> {
        let sql = "SELECT id, owner, item FROM orders WHERE id = $1";
        let rows = match self.on_replica(sql, &[&id]).await {
            Some(rows) if !rows.is_empty() => rows,
            _ => self.on_primary(sql, &[&id]).await?,
        };
        Ok(rows.first().map(read_order))
    }

    pub(super) async fn newest_orders(&self, user: &str) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT id, owner, item FROM orders WHERE owner = $1
                   ORDER BY number DESC LIMIT $2";
        let newest_max = i64::from(NEWEST_MAX);
        let rows = match self.on_replica(sql, &[&user, &newest_max]).await {
            Some(rows) => rows,
            None => self.on_primary(sql, &[&user, &newest_max]).await?,
        };
        Ok(rows.iter().map(read_order).collect())
    }

    async fn on_primary(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        query(&self.primary, STATEMENT_MAX, sql, values).await
    }

    /// `None` when there is no replica, it is known to be down, or it just failed.
    async fn on_replica(&self, sql: &str, values: Values<'_>) -> Option<Vec<Row>> {
        let replica = self.replica.as_ref()?;
        if replica.down.load(Ordering::Relaxed) {
            return None;
        }
        let answer = timeout(REPLICA_MAX, query(&replica.pool, REPLICA_MAX, sql, values)).await;
        match answer {
            Ok(Ok(rows)) => Some(rows),
            // Its connections are all taken: it is busy, not down.
            Ok(Err(StoreError::Exhausted)) => None,
            Ok(Err(StoreError::Unavailable(_))) | Err(_) => {
                if !replica.down.swap(true, Ordering::Relaxed) {
                    tokio::spawn(await_replica(replica.clone()));
                }
                None
            }
        }
    }
}

/// Asks on a connection of `pool`, which is thrown away when the answer takes longer than `limit`:
/// the next user would have to wait for it too.
async fn query(
    pool: &Pool,
    limit: Duration,
    sql: &str,
    values: Values<'_>,
) -> Result<Vec<Row>, StoreError> {
    let connection = pool.get().await.map_err(|error| match error {
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => StoreError::Exhausted,
        error => StoreError::Unavailable(error.to_string()),
    })?;
    let answer = timeout(limit, async {
        let statement = connection.prepare_cached(sql).await?;
        connection.query(&statement, values).await
    });
    let Ok(rows) = answer.await else {
        drop(Object::take(connection));
        return Err(StoreError::Unavailable("no answer in time".into()));
    };
    rows.map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Keeps `up` true to life for readiness, on a connection of its own: a pool that users have
/// exhausted must not make the instance look dead. Makes the tables on each new connection, since
/// the database may be a new one.
async fn watch_primary(config: Config, up: Arc<AtomicBool>) {
    loop {
        if let Ok(Ok((client, connection))) = timeout(PROBE_MAX, config.connect(NoTls)).await {
            let connection = tokio::spawn(connection);
            if matches!(timeout(STATEMENT_MAX, client.batch_execute(SCHEMA)).await, Ok(Ok(()))) {
                while matches!(timeout(PROBE_MAX, client.simple_query("")).await, Ok(Ok(_))) {
                    up.store(true, Ordering::Relaxed);
                    sleep(PROBE_EVERY).await;
                }
            }
            connection.abort();
        }
        up.store(false, Ordering::Relaxed);
        sleep(PROBE_EVERY).await;
    }
}

/// Returns the replica to service when it answers again.
async fn await_replica(replica: Replica) {
    loop {
        sleep(PROBE_EVERY).await;
        let probe = query(&replica.pool, PROBE_MAX, "SELECT 1", &[]);
        if matches!(timeout(PROBE_MAX, probe).await, Ok(Ok(_))) {
            replica.down.store(false, Ordering::Relaxed);
            return;
        }
    }
}

fn config(url: &str) -> Result<Config, Error> {
    let mut config: Config = url.parse().map_err(Error::PostgresAddress)?;
    config.connect_timeout(CONNECT_MAX);
    Ok(config)
}

fn pool(config: Config, limits: PoolLimits) -> Result<Pool, Error> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
        .runtime(Runtime::Tokio1)
        .max_size(limits.size)
        .wait_timeout(Some(limits.wait))
        .create_timeout(Some(CONNECT_MAX))
        .recycle_timeout(Some(CONNECT_MAX))
        .build()?;
    Ok(pool)
}

fn read_order(row: &Row) -> Order {
    Order { id: row.get(0), user: row.get(1), item: row.get(2) }
}
