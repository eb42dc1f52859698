//! A connection that a task keeps for itself: what it repeats stays prepared there, the database's process for it stays
//! warm, and nothing is asked between one statement and the next.
//!
//! Comes in: a pool. Goes out: its connection, for a statement at a time; one that was dropped half-way, or failed, is
//! not used again. SQLite has one connection for all, and a pooler is its own: there it is the pool that is used.
//! Must not know: any statement.

use super::pool::{Pool, TRUSTED};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Postgres};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a task keeps.
#[derive(Debug)]
pub(super) struct Dedicated {
    pool: Pool,
    connection: Option<(PoolConnection<Postgres>, Instant)>,
    is_idle: Arc<AtomicBool>,
}

/// What others know of it.
#[derive(Clone, Debug)]
pub(super) struct DedicatedUsage {
    pool: Pool,
    is_idle: Arc<AtomicBool>,
}

/// Runs a statement on the task's connection; every statement runs unchanged on each kind.
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
    /// A connection beside those of the pool, where there can be one.
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

    /// What may be known of it once a task has it; nothing where it is all the others' too.
    pub(super) fn usage(&self) -> Option<DedicatedUsage> {
        let usage = || DedicatedUsage { pool: self.pool.clone(), is_idle: Arc::clone(&self.is_idle) };
        (!matches!(self.pool, Pool::Sqlite(_))).then(usage)
    }

    /// The connection; a new one where there is none that can be used.
    pub(super) async fn take(
        &mut self,
        pool: &sqlx::PgPool,
    ) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.is_idle.store(false, Ordering::Relaxed);
        if let Some((mut connection, used)) = self.connection.take()
            && (used.elapsed() < TRUSTED || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        pool.acquire().await
    }

    /// Keeps the connection, after a statement that has told its outcome.
    pub(super) fn give_back(&mut self, connection: PoolConnection<Postgres>) {
        self.is_idle.store(true, Ordering::Relaxed);
        self.connection = Some((connection, Instant::now()));
    }
}

impl DedicatedUsage {
    /// As [`Pool::connections`]; a connection that is kept and does nothing is idle.
    pub(super) fn connections(&self) -> (u32, usize, u32) {
        let (size, idle, most) = self.pool.connections();
        (size, idle + usize::from(self.is_idle.load(Ordering::Relaxed)), most)
    }

    /// Ends all work with it, once the task has let it go.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
