//! A connection pool to either database, opened only if a commit is durable there.
//!
//! Comes in: a URL. Goes out: a [`Pool`], its tables at this version, and what it promises of a commit.
//! Must not know: any other statement.

use super::OpenError;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use std::str::FromStr;
use std::time::Duration;

/// How long a request waits for the database before it is told to come again.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Connections to PostgreSQL: one writes, the others read.
const CONNECTIONS: u32 = 8;

/// A pool of connections.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Does the same with either pool; every statement runs unchanged on both.
macro_rules! on {
    ($pool:expr, $name:ident => $body:expr) => {
        match $pool {
            $crate::records::pool::Pool::Sqlite($name) => $body,
            $crate::records::pool::Pool::Postgres($name) => $body,
        }
    };
}
pub(super) use on;

impl Pool {
    /// Opens a database, and has its word that a commit is durable.
    pub(super) async fn open(
        url: &str,
        password: Option<&str>,
        create: bool,
    ) -> Result<(Self, String), OpenError> {
        match url.starts_with("sqlite:") {
            true => sqlite(url, create).await,
            false => postgres(url, password).await,
        }
    }

    /// Connections there are, those of them that do nothing, and most there may be.
    pub(super) fn connections(&self) -> (u32, usize, u32) {
        on!(self, pool => (pool.size(), pool.num_idle(), pool.options().get_max_connections()))
    }

    pub(super) async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

async fn sqlite(url: &str, create: bool) -> Result<(Pool, String), OpenError> {
    let connect = |source| OpenError::Connect { url: url.to_owned(), source, hint: SQLITE_HINT };
    let options = SqliteConnectOptions::from_str(url)
        .map_err(connect)?
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .locking_mode(SqliteLockingMode::Exclusive)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    // One connection, kept for good: the exclusive lock is its own.
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .before_acquire(|connection, _| Box::pin(is_outside(connection)))
        .connect_with(options)
        .await
        .map_err(connect)?;
    let migrate = |source| OpenError::Migrate { url: url.to_owned(), source };
    migrations(sqlx::migrate!("migrations/sqlite")).run(&pool).await.map_err(migrate)?;
    let reported: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool).await.map_err(connect)?;
    if reported != 2 {
        let reported = format!("synchronous={reported}, not FULL (2)");
        return Err(OpenError::NotDurable { url: url.to_owned(), reported });
    }
    Ok((Pool::Sqlite(pool), "SQLite, journal WAL, synchronous FULL".to_owned()))
}

/// Whether a connection is in no transaction; one that is after all is closed, and another opened.
///
/// A full disk makes SQLite roll back by itself. A rollback then fails, and the library takes the transaction for one
/// that goes on: what follows would be nested in it, and acknowledged without ever being durable.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback may be on its way.
    connection.ping().await?;
    let is_stuck = connection.is_in_transaction();
    if is_stuck {
        tracing::warn!("a transaction could not be rolled back; its connection is closed");
    }
    Ok(!is_stuck)
}

async fn postgres(url: &str, password: Option<&str>) -> Result<(Pool, String), OpenError> {
    let shown = without_password(url);
    let connect = |source| OpenError::Connect { url: shown.clone(), source, hint: POSTGRES_HINT };
    let mut options = PgConnectOptions::from_str(url).map_err(connect)?.application_name("exam-service");
    if let Some(password) = password {
        options = options.password(password);
    }
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // A commit that is not durable is none, whatever the role's defaults are.
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query(
                    "SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                )
                .execute(connection)
                .await
                .map(drop)
            })
        })
        .connect_with(options)
        .await
        .map_err(connect)?;
    // Two services that start at once: an advisory lock lets one after the other migrate.
    let migrate = |source| OpenError::Migrate { url: shown.clone(), source };
    migrations(sqlx::migrate!("migrations/postgres")).run(&pool).await.map_err(migrate)?;
    let [version, commit, fsync, pages, standbys] =
        ["server_version", "synchronous_commit", "fsync", "full_page_writes", "synchronous_standby_names"]
            .map(|name| sqlx::query_scalar::<_, String>("SELECT current_setting($1)").bind(name));
    let commit = commit.fetch_one(&pool).await.map_err(connect)?;
    let fsync = fsync.fetch_one(&pool).await.map_err(connect)?;
    let pages = pages.fetch_one(&pool).await.map_err(connect)?;
    let standbys = standbys.fetch_one(&pool).await.map_err(connect)?;
    let version = version.fetch_one(&pool).await.map_err(connect)?;
    let version = version.split_whitespace().next().unwrap_or_default();
    let standbys = if standbys.is_empty() {
        "no synchronous standby".to_owned()
    } else {
        format!("standbys {standbys}")
    };
    let durability = format!(
        "PostgreSQL {version}, synchronous_commit {commit}, fsync {fsync}, full_page_writes {pages}, {standbys}"
    );
    if fsync != "on" || commit == "off" || commit == "local" {
        return Err(OpenError::NotDurable { url: shown, reported: durability });
    }
    Ok((Pool::Postgres(pool), durability))
}

/// A newer service may have been here before: what it added is not in this one's way.
fn migrations(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

const SQLITE_HINT: &str = "Is the folder there and writable, and no other exam-service using it?";
const POSTGRES_HINT: &str = "Is it running, and are host, database, user and password right?";

/// A URL as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // Parameters may hold a password too; and one that was not escaped may hold anything but an @.
    let shown = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            format!("{scheme}://{}@{}", user.split(':').next().unwrap_or_default(), shown(place))
        }
        None => format!("{scheme}://{}", shown(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://exam:word@db:5432/exams?sslmode=require", "postgres://exam@db:5432/exams"),
            ("postgres://exam:wo/rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://exam:wo?rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://exam:wo@rd@db/exams", "postgres://exam@db/exams"),
            ("postgres://db/exams?password=word", "postgres://db/exams"),
            ("sqlite:exams.db", "sqlite:exams.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
