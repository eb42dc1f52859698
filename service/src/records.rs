//! The database of record: exams, their events, and the banks they started with.
//!
//! Comes in: heads, entries, banks. Goes out: the same, and whether an append was first.
//! The insertion of one event is the commit and the compare-and-set at once. The only file that
//! knows SQL; the statements run unchanged on SQLite and PostgreSQL.
//! Must not know: the store, HTTP, why an event was decided.

mod list;
mod rows;

pub use list::{Filter, Given, Listed, Page};

use crate::crash;
use crate::event::{Chain, Entry, Head};
use crate::exam::Exam;
use sqlx::SqlitePool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous,
};
use std::str::FromStr;
use std::time::Duration;

/// How long a request waits for the database before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database of record.
#[derive(Clone, Debug)]
pub struct Records {
    pool: SqlitePool,
    durability: String,
}

/// What went wrong with the database of record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or does not answer in time; the caller may come again.
    #[error("the database of record does not answer: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// What it holds cannot be read.
    #[error("the database of record holds something unreadable: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached, or another process holds it.
    #[error(
        "cannot open {url}: {source}. Is the folder there and writable, and no other exam-service using it?"
    )]
    Connect {
        /// The database.
        url: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this version.
    #[error("cannot bring the tables of {url} to this version: {source}")]
    Migrate {
        /// The database.
        url: String,
        /// What it said.
        source: sqlx::migrate::MigrateError,
    },
    /// It does not make commits durable.
    #[error("{url} reports synchronous={reported}, not FULL (2): an acknowledged answer could be lost")]
    NotDurable {
        /// The database.
        url: String,
        /// Its own word.
        reported: i64,
    },
}

/// Whether an append was the first at its seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The event is durable.
    Committed,
    /// Another event stands at that seq; nothing was written.
    Conflict,
}

/// The end of an exam's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Seq of the last event.
    pub seq: i64,
    /// Whether the exam has ended.
    pub ended: bool,
}

/// A start: everything of the head but the number, which the database gives.
#[derive(Clone, Debug)]
pub struct NewExam {
    /// The head; its `id` is replaced.
    pub head: Head,
    /// The examinee's number, if the caller gave one.
    pub student_id: Option<i64>,
    /// The class's number, if the caller gave one.
    pub class_id: Option<i64>,
    /// The caller's key for this very start.
    pub idempotency_key: Option<String>,
    /// Hash of the request, to tell a retry from another request under the same key.
    pub fingerprint: String,
}

/// What became of a start.
#[derive(Clone, Debug)]
pub enum Created {
    /// A new exam.
    New(Box<Exam>),
    /// The exam that the same key started before.
    Before(i64),
    /// The key was used for another request.
    KeyReused,
}

impl Records {
    /// Opens a SQLite database for this process alone, makes its tables, and has its word that a
    /// commit is durable.
    ///
    /// # Errors
    /// Why it cannot serve as a database of record.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_as(url, true).await
    }

    /// As [`Records::open`], but a file that is not there is not made.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        Self::open_as(url, false).await
    }

    async fn open_as(url: &str, create: bool) -> Result<Self, OpenError> {
        let connect = |source| OpenError::Connect { url: url.to_owned(), source };
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
            .connect_with(options)
            .await
            .map_err(connect)?;
        let migrate = |source| OpenError::Migrate { url: url.to_owned(), source };
        sqlx::migrate!("migrations/sqlite").run(&pool).await.map_err(migrate)?;
        let reported: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool).await.map_err(connect)?;
        if reported != 2 {
            return Err(OpenError::NotDurable { url: url.to_owned(), reported });
        }
        Ok(Self { pool, durability: "SQLite, journal WAL, synchronous FULL".to_owned() })
    }

    /// What this database promises of a commit, in its own words.
    pub fn durability(&self) -> &str {
        &self.durability
    }

    /// Keeps a bank version; keeping it again changes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep_bank(&self, version: &str, body: &str) -> Result<(), Error> {
        sqlx::query("INSERT INTO banks (version, body) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(version)
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The body of a bank version, if it was ever kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn bank(&self, version: &str) -> Result<Option<String>, Error> {
        let query = sqlx::query_scalar("SELECT body FROM banks WHERE version = $1");
        Ok(query.bind(version).fetch_optional(&self.pool).await?)
    }

    /// Writes a new exam and its first event, both or neither. `begin` makes the exam once its
    /// number is known.
    ///
    /// # Errors
    /// The database's; then nothing was written.
    pub async fn create(
        &self,
        new: NewExam,
        begin: impl FnOnce(&Head) -> Exam + Send,
    ) -> Result<Created, Error> {
        let mut transaction = self.pool.begin().await?;
        let policy = rows::policy_text(&new.head.policy);
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO exams (exam_type, policy, bank_version, seed, engine_version, started_at, \
             idempotency_key, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        )
        .bind(&new.head.exam_type)
        .bind(policy)
        .bind(&new.head.bank_version)
        .bind(new.head.seed)
        .bind(&new.head.engine_version)
        .bind(new.head.started_at)
        .bind(&new.idempotency_key)
        .bind(&new.fingerprint)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(id) = id else {
            transaction.rollback().await?;
            return self.created_before(&new).await;
        };
        sqlx::query("INSERT INTO examinees (exam_id, student_id, class_id) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(new.student_id)
            .bind(new.class_id)
            .execute(&mut *transaction)
            .await?;
        let exam = Box::new(begin(&Head { id, ..new.head }));
        for entry in exam.entries() {
            insert(id, entry, exam.chain(), false).execute(&mut *transaction).await?;
        }
        crash::point("start.commit.before");
        transaction.commit().await?;
        crash::point("start.commit.after");
        Ok(Created::New(exam))
    }

    async fn created_before(&self, new: &NewExam) -> Result<Created, Error> {
        let (id, fingerprint): (i64, String) =
            sqlx::query_as("SELECT id, fingerprint FROM exams WHERE idempotency_key = $1")
                .bind(&new.idempotency_key)
                .fetch_one(&self.pool)
                .await?;
        Ok(if fingerprint == new.fingerprint { Created::Before(id) } else { Created::KeyReused })
    }

    /// Appends an event. This is the commit of an answer: when it returns `Committed`, the event is
    /// durable.
    ///
    /// # Errors
    /// The database's; then the event may or may not be in the log, and the caller may come again.
    pub async fn append(&self, exam: i64, entry: &Entry, chain: &Chain) -> Result<Appended, Error> {
        self.append_as(exam, entry, chain, false).await
    }

    /// Appends an event that a snapshot held and the log had lost.
    ///
    /// # Errors
    /// As [`Records::append`].
    pub async fn recover(&self, exam: i64, entry: &Entry, chain: &Chain) -> Result<Appended, Error> {
        self.append_as(exam, entry, chain, true).await
    }

    async fn append_as(
        &self,
        exam: i64,
        entry: &Entry,
        chain: &Chain,
        recovered: bool,
    ) -> Result<Appended, Error> {
        let kind = entry.event.kind();
        let mut transaction = self.pool.begin().await?;
        let written = insert(exam, entry, chain, recovered).execute(&mut *transaction).await?;
        if written.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Appended::Conflict);
        }
        if entry.event.is_ending() {
            let end = sqlx::query("UPDATE exams SET ended_at = $2 WHERE id = $1").bind(exam).bind(entry.at);
            end.execute(&mut *transaction).await?;
        }
        crash::point(if kind == "answered" { "answer.commit.before" } else { "complete.commit.before" });
        transaction.commit().await?;
        crash::point(if kind == "answered" { "answer.commit.after" } else { "complete.commit.after" });
        Ok(Appended::Committed)
    }

    /// Where the log of an exam ends; `None` when there is no such exam. One indexed read.
    ///
    /// # Errors
    /// The database's.
    pub async fn tip(&self, exam: i64) -> Result<Option<Tip>, Error> {
        let row: Option<(Option<i64>, Option<i64>)> = sqlx::query_as(
            "SELECT (SELECT MAX(seq) FROM events WHERE exam_id = exams.id), ended_at \
             FROM exams WHERE id = $1",
        )
        .bind(exam)
        .fetch_optional(&self.pool)
        .await?;
        match row {
            None => Ok(None),
            Some((Some(seq), ended_at)) => Ok(Some(Tip { seq, ended: ended_at.is_some() })),
            Some((None, _)) => Err(Error::Damaged(format!("exam {exam} has no event"))),
        }
    }

    /// The head of an exam and all its events; `None` when there is no such exam.
    ///
    /// # Errors
    /// The database's, or a row that cannot be read.
    pub async fn load(&self, exam: i64) -> Result<Option<(Head, Vec<Entry>)>, Error> {
        let head = sqlx::query_as::<_, rows::HeadRow>(
            "SELECT id, exam_type, policy, bank_version, seed, engine_version, started_at \
             FROM exams WHERE id = $1",
        );
        let Some(head) = head.bind(exam).fetch_optional(&self.pool).await? else { return Ok(None) };
        let entries = sqlx::query_as::<_, rows::EntryRow>(
            "SELECT seq, at, body FROM events WHERE exam_id = $1 ORDER BY seq",
        );
        let entries = entries.bind(exam).fetch_all(&self.pool).await?;
        let entries = entries.into_iter().map(|row| row.entry(exam)).collect::<Result<_, _>>()?;
        Ok(Some((head.head()?, entries)))
    }

    /// Ends all work with the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn insert<'q>(
    exam: i64,
    entry: &Entry,
    chain: &Chain,
    recovered: bool,
) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(
        "INSERT INTO events (exam_id, seq, at, kind, body, hash, recovered) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(exam)
    .bind(entry.seq)
    .bind(entry.at)
    .bind(entry.event.kind())
    .bind(entry.body())
    .bind(chain.as_str().to_owned())
    .bind(i64::from(recovered))
}
