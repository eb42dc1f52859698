//! PostgreSQL behind a transaction pooler, such as pgbouncer in transaction mode.
//!
//! Input: statements. Output: their results. No session state survives a transaction there: every statement runs in
//! a transaction, as an unnamed prepared statement, and session settings are set in each writing transaction. This
//! costs round trips, so it must be requested with `pooled=true`. Must not know: any table.

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgArguments, PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{Either, Error, Execute, Executor, Postgres, SqlStr, Transaction};

/// Begins a transaction with a durable commit in one round trip, overriding the role's default.
const BEGIN: &str = "BEGIN; SELECT set_config('synchronous_commit', 'on', true) \
                     WHERE current_setting('synchronous_commit') IN ('off', 'local')";
/// Serialises migrations, and removes named prepared statements before and after them, because sqlx migrates with
/// named ones.
const MIGRATE: &str = "SELECT pg_advisory_xact_lock(7233189406); DEALLOCATE ALL";
const MIGRATED: &str = "DEALLOCATE ALL";

/// Removes `pooled=true` from a URL; returns the URL and whether it was there.
pub(super) fn parse(url: &str) -> (String, bool) {
    let Some((place, parameters)) = url.split_once('?') else { return (url.to_owned(), false) };
    let (pooled, others): (Vec<&str>, Vec<&str>) =
        parameters.split('&').partition(|parameter| *parameter == "pooled=true");
    (format!("{place}?{}", others.join("&")), !pooled.is_empty())
}

/// A pool of connections to the pooler. As an executor, it runs each statement in its own transaction with a
/// durable commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionPool<'p>(pub(super) &'p PgPool);

/// A transaction. As an executor, it uses unnamed prepared statements.
#[derive(Debug)]
pub(super) struct PooledTransaction(Transaction<'static, Postgres>);

impl TransactionPool<'_> {
    /// Begins a writing transaction.
    pub(super) async fn begin(self) -> Result<Box<PooledTransaction>, Error> {
        Ok(Box::new(PooledTransaction(self.0.begin_with(BEGIN).await?)))
    }

    /// As [`super::pool::Pool::connections`].
    pub(super) fn connections(self) -> (u32, usize, u32) {
        (self.0.size(), self.0.num_idle(), self.0.options().get_max_connections())
    }

    pub(super) async fn close(self) {
        self.0.close().await;
    }

    /// Migrates the tables to this version.
    pub(super) async fn migrate(self, mut migrations: Migrator) -> Result<(), MigrateError> {
        // The lock that sqlx takes is a session lock.
        migrations.set_locking(false);
        let mut transaction = self.0.begin().await?;
        sqlx::raw_sql(MIGRATE).execute(&mut *transaction).await?;
        migrations.run(&mut *transaction).await?;
        sqlx::raw_sql(MIGRATED).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

impl PooledTransaction {
    pub(super) async fn commit(self: Box<Self>) -> Result<(), Error> {
        self.0.commit().await
    }
}

/// The same query as an unnamed prepared statement.
fn once<'q, E: Execute<'q, Postgres>>(mut query: E) -> Result<Query<'q, Postgres, PgArguments>, Error> {
    let arguments = query.take_arguments().map_err(Error::Encode)?.unwrap_or_default();
    Ok(sqlx::query_with(query.sql(), arguments).persistent(false))
}

type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c mut PooledTransaction {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match once(query) {
            Ok(query) => (&mut *self.0).fetch_many(query),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match once(query) {
            Ok(query) => (&mut *self.0).fetch_optional(query),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        (&mut *self.0).prepare_with(sql, parameters)
    }
}

impl<'p> Executor<'p> for TransactionPool<'p> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let steps = async move {
            let mut transaction = PooledTransaction(self.0.begin_with(BEGIN).await?);
            let steps: Vec<Step> = transaction.fetch_many(query).try_collect().await?;
            transaction.0.commit().await?;
            Ok(stream::iter(steps.into_iter().map(Ok)))
        };
        steps.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let row = async move {
            let mut transaction = PooledTransaction(self.0.begin_with(BEGIN).await?);
            let row = transaction.fetch_optional(query).await?;
            transaction.0.commit().await?;
            Ok(row)
        };
        row.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        self.0.prepare_with(sql, parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_parameter_is_taken_out() {
        for (url, without, pooled) in [
            ("postgres://db/exams", "postgres://db/exams", false),
            ("postgres://db/exams?pooled=true", "postgres://db/exams?", true),
            ("postgres://db/exams?sslmode=require", "postgres://db/exams?sslmode=require", false),
            ("postgres://db/e?a=b&pooled=true&c=d", "postgres://db/e?a=b&c=d", true),
        ] {
            assert_eq!(parse(url), (without.to_owned(), pooled));
        }
    }
}
