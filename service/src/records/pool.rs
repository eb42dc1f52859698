//! Connection pools for SQLite and PostgreSQL, opened only if commits are durable.
//!
//! Input: how a database is reached. Output: a [`Pool`] with migrated tables, and the durability settings. Must not know: any other
//! statement.

use super::OpenError;
use super::access::DatabaseAccess;
use super::migrations;
use super::transaction_pooling::TransactionPool;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// How long a request waits for a connection before it fails as unavailable.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// A connection idle for longer than this is pinged before use.
pub(super) const TRUSTED: Duration = Duration::from_secs(1);
/// How long a server may take to answer a ping. One that hangs, or whose machine is gone, is told by nothing else: the system waits for
/// a quarter of an hour.
const PING: Duration = Duration::from_secs(2);
/// Size of the shared pool. The writer and reader tasks have one dedicated connection each.
const MAX_CONNECTIONS: u32 = 6;

/// Planner settings of dedicated connections, whose statements all use primary keys. A cached plan from a time when
/// the tables were small would use sequential scans, and be kept as they grow. Without `force_generic_plan`,
/// statements with array parameters would be planned on each execution, because the estimate of the generic plan is
/// higher.
const PLANNER: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// A pool of connections.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    /// PostgreSQL behind a transaction pooler.
    TransactionPooled(PgPool),
}

/// Runs the same code with each kind of pool.
macro_rules! on {
    ($pool:expr, $name:ident => $body:expr) => {
        match $pool {
            $crate::records::pool::Pool::Sqlite($name) => $body,
            $crate::records::pool::Pool::Postgres($name) => $body,
            $crate::records::pool::Pool::TransactionPooled($name) => {
                let $name = $crate::records::transaction_pooling::TransactionPool($name);
                $body
            }
        }
    };
}
pub(super) use on;

impl Pool {
    /// Opens a database and checks that its commits are durable.
    pub(super) async fn open(access: &DatabaseAccess, create: bool) -> Result<(Self, String), OpenError> {
        match access.is_sqlite() {
            true => sqlite(&access.url, create).await,
            false => postgres(access).await,
        }
    }

    /// Makes new connections with these credentials; those that are open stay until they are replaced.
    pub(super) fn follow(&self, options: &PgConnectOptions, is_dedicated: bool) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(pool) if is_dedicated => {
                pool.set_connect_options(options.clone().options(PLANNER));
            }
            Self::Postgres(pool) | Self::TransactionPooled(pool) => pool.set_connect_options(options.clone()),
        }
    }

    /// A pool with one connection for a task; `None` for SQLite, which has only one.
    pub(super) fn dedicated(&self) -> Option<Self> {
        let one = |pool: &PgPool| {
            let alone = pool.options().clone().min_connections(0).max_connections(1);
            (alone, PgConnectOptions::clone(&pool.connect_options()))
        };
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pool) => {
                let (pool, connection) = one(pool);
                Some(Self::Postgres(pool.connect_lazy_with(connection.options(PLANNER))))
            }
            // Statements are planned on each execution there.
            Self::TransactionPooled(pool) => {
                let (pool, connection) = one(pool);
                Some(Self::TransactionPooled(pool.connect_lazy_with(connection)))
            }
        }
    }

    /// Number of connections, of idle connections, and the maximum.
    pub(super) fn connections(&self) -> (u32, usize, u32) {
        match self {
            Self::Sqlite(pool) => (pool.size(), pool.num_idle(), pool.options().get_max_connections()),
            Self::Postgres(pool) | Self::TransactionPooled(pool) => TransactionPool(pool).connections(),
        }
    }

    pub(super) async fn close(&self) {
        on!(self, pool => pool.close().await);
    }

    /// Resolves when the pool is closed.
    pub(super) async fn closed(&self) {
        match self {
            Self::Sqlite(pool) => pool.close_event().await,
            Self::Postgres(pool) | Self::TransactionPooled(pool) => pool.close_event().await,
        }
    }

    /// The durability settings of PostgreSQL inside a transaction; the inner `Err` if commits are not durable.
    async fn durability(&self) -> Result<Result<String, String>, sqlx::Error> {
        type Row = (String, String, String, String, String);
        let select = "SELECT current_setting('server_version'), current_setting('synchronous_commit'), \
                      current_setting('fsync'), current_setting('full_page_writes'), \
                      current_setting('synchronous_standby_names')";
        let (version, commit, fsync, pages, standbys): Row = on!(self, pool => {
            let mut transaction = pool.begin().await?;
            let row = sqlx::query_as(select).fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            row
        });
        let version = version.split_whitespace().next().unwrap_or_default();
        let standbys = match standbys.as_str() {
            "" => "no synchronous standby".to_owned(),
            names => format!("standbys {names}"),
        };
        let durability = format!(
            "PostgreSQL {version}, synchronous_commit {commit}, fsync {fsync}, full_page_writes {pages}, {standbys}"
        );
        let is_durable = fsync == "on" && commit != "off" && commit != "local";
        Ok(if is_durable { Ok(durability) } else { Err(durability) })
    }
}

async fn sqlite(url: &str, create: bool) -> Result<(Pool, String), OpenError> {
    let connect = |reason| OpenError::Connect { url: url.to_owned(), reason, hint: SQLITE_HINT };
    let options = SqliteConnectOptions::from_str(url)
        .map_err(connect)?
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .locking_mode(SqliteLockingMode::Exclusive)
        .foreign_keys(true)
        .busy_timeout(DEADLINE);
    // One permanent connection: it holds the exclusive lock.
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .acquire_timeout(DEADLINE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_outside(connection)))
        .connect_with(options)
        .await
        .map_err(connect)?;
    let migrate = |reason| OpenError::Migrate { url: url.to_owned(), reason };
    migrations::sqlite().run(&pool).await.map_err(migrate)?;
    let reported: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool).await.map_err(connect)?;
    if reported != 2 {
        let reported = format!("synchronous={reported}, not FULL (2)");
        return Err(OpenError::NotDurable { url: url.to_owned(), reported });
    }
    Ok((Pool::Sqlite(pool), "SQLite, journal WAL, synchronous FULL".to_owned()))
}

/// Whether a connection is outside of a transaction; otherwise it is closed and replaced.
///
/// On a full disk SQLite rolls back by itself. The explicit rollback then fails, and sqlx believes that the
/// transaction is still open: later transactions would become savepoints in it, acknowledged but not durable.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback may be pending.
    connection.ping().await?;
    let is_stuck = connection.is_in_transaction();
    if is_stuck {
        tracing::warn!("a transaction could not be rolled back; its connection is closed");
    }
    Ok(!is_stuck)
}

/// Asks a server whether it is there; an error closes the connection at once.
pub(super) async fn ping(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    timeout(PING, connection.ping()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether a connection is usable; one that was used within the last second is not pinged.
async fn is_alive(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle > TRUSTED {
        ping(connection).await?;
    }
    Ok(true)
}

async fn postgres(access: &DatabaseAccess) -> Result<(Pool, String), OpenError> {
    let shown = access.shown();
    let connect = |reason: sqlx::Error| {
        let hint = hint(&reason);
        OpenError::Connect { url: shown.clone(), reason, hint }
    };
    let (options, is_pooled) = access.postgres().map_err(connect)?;
    // Full from the start: while a password is rotated, no request has to make a connection with the old one.
    let mut pool = PgPoolOptions::new()
        .min_connections(MAX_CONNECTIONS)
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(DEADLINE)
        .test_before_acquire(false)
        .before_acquire(|connection, used| Box::pin(is_alive(connection, used.idle_for)))
        // The pool itself waits without limit for the answer to an abandoned statement, and the connection is lost to it so long.
        .after_release(|connection, _| Box::pin(async move { ping(connection).await.map(|()| true) }));
    if !is_pooled {
        // Overrides a role whose default is a commit that is not durable.
        pool = pool.after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query(
                    "SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                )
                .execute(connection)
                .await
                .map(drop)
            })
        });
    }
    let pool = pool.connect_with(options).await.map_err(connect)?;
    // An advisory lock serialises services that start at the same time.
    let migrate = |reason| OpenError::Migrate { url: shown.clone(), reason };
    let pool = match is_pooled {
        true => {
            TransactionPool(&pool).migrate(migrations::postgres()).await.map_err(migrate)?;
            Pool::TransactionPooled(pool)
        }
        false => {
            migrations::postgres().run(&pool).await.map_err(migrate)?;
            Pool::Postgres(pool)
        }
    };
    match pool.durability().await.map_err(connect)? {
        Ok(durability) => Ok((pool, durability)),
        Err(reported) => Err(OpenError::NotDurable { url: shown, reported }),
    }
}

/// What to check, by the driver's error.
fn hint(error: &sqlx::Error) -> &'static str {
    let text = error.to_string();
    let mentions = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if mentions(&["TLS", "certificate"]) {
        TLS_HINT
    } else if mentions(&["startup parameter", "prepared statement"]) {
        POOLER_HINT
    } else {
        POSTGRES_HINT
    }
}

const SQLITE_HINT: &str = "Is the folder there and writable, and no other exam-service using it?";
const POSTGRES_HINT: &str = "Is it running, and are host, database, user and password right?";
const TLS_HINT: &str = "Look at sslmode and sslrootcert in its URL: does the server speak TLS, and is its certificate \
                        for that host, and by that authority?";
const POOLER_HINT: &str = "Is there a pooler between, as pgbouncer? Then say so: ?pooled=true";
