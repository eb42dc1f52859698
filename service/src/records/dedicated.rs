//! A connection dedicated to one task: its prepared statements stay cached, its server process stays warm, and
//! consecutive statements need no checkout.
//!
//! Input: a pool. Output: the connection, for one statement at a time; it is replaced after an error or an
//! abandoned statement. SQLite has a single connection, and a transaction pooler multiplexes by itself: there the
//! pool is used instead. Must not know: any statement.

use super::pool::{Pool, TRUSTED, ping};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A dedicated connection.
#[derive(Debug)]
pub(super) struct Dedicated {
    pool: Pool,
    connection: Option<(PoolConnection<Postgres>, Instant)>,
    is_idle: Arc<AtomicBool>,
}

/// Its use, for metrics, and the means to close it.
#[derive(Clone, Debug)]
pub(super) struct DedicatedUsage {
    pool: Pool,
    is_idle: Arc<AtomicBool>,
}

/// Runs a statement on the dedicated connection; the same statement runs on each kind of pool.
macro_rules! by {
    ($connection:expr, $name:ident => $body:expr) => {
        match $connection.pool() {
            $crate::records::pool::Pool::Postgres(pool) => {
                let mut connection = $connection.take(&pool).await?;
                let result = {
                    let $name = &mut *connection;
                    $body
                };
                $connection.give_back(connection);
                result
            }
            pool => $crate::records::pool::on!(&pool, $name => $body),
        }
    };
}
pub(super) use by;

impl Dedicated {
    /// A connection in addition to those of the pool; for SQLite the pool itself.
    pub(super) fn beside(pool: &Pool) -> Self {
        Self {
            pool: pool.dedicated().unwrap_or_else(|| pool.clone()),
            connection: None,
            is_idle: Arc::default(),
        }
    }

    pub(super) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Its use; `None` for SQLite, where it is the shared pool.
    pub(super) fn usage(&self) -> Option<DedicatedUsage> {
        let usage = || DedicatedUsage { pool: self.pool.clone(), is_idle: Arc::clone(&self.is_idle) };
        (!matches!(self.pool, Pool::Sqlite(_))).then(usage)
    }

    /// The connection; a new one if it is missing or broken.
    pub(super) async fn take(
        &mut self,
        pool: &sqlx::PgPool,
    ) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.is_idle.store(false, Ordering::Relaxed);
        if let Some((mut connection, used)) = self.connection.take()
            && (used.elapsed() < TRUSTED || ping(&mut connection).await.is_ok())
        {
            return Ok(connection);
        }
        pool.acquire().await
    }

    /// Returns the connection after a completed statement.
    pub(super) fn give_back(&mut self, connection: PoolConnection<Postgres>) {
        self.is_idle.store(true, Ordering::Relaxed);
        self.connection = Some((connection, Instant::now()));
    }
}

impl DedicatedUsage {
    /// As [`Pool::connections`]; a held but unused connection counts as idle.
    pub(super) fn connections(&self) -> (u32, usize, u32) {
        let (size, idle, most) = self.pool.connections();
        (size, idle + usize::from(self.is_idle.load(Ordering::Relaxed)), most)
    }

    /// As [`Pool::follow`].
    pub(super) fn follow(&self, options: &sqlx::postgres::PgConnectOptions) {
        self.pool.follow(options, true);
    }

    /// Closes it once the task has returned it.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
