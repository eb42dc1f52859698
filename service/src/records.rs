//! The database of record: exams, their events, and the banks they started with.
//!
//! Comes in: heads, entries, banks. Goes out: the same, and whether an append was first.
//! The insertion of one event is the commit and the compare-and-set at once. The only file that
//! knows SQL with its submodules; the statements run unchanged on SQLite and PostgreSQL.
//! Must not know: the store, HTTP, why an event was decided.

mod batch;
mod clock;
mod dedicated;
mod examinees;
mod id_allocation;
mod list;
mod pool;
mod reader;
mod rows;
mod statements;
mod transaction_pooling;
mod write_request;
mod writer;

pub use examinees::{Attempt, Examinee};
pub use list::{Filter, Given, Listed, Page};

use crate::exam::Exam;
use crate::exam::event::{Entry, Head, Sealed};
use crate::telemetry::metrics::{Metrics, Usage};
use clock::Clock;
use dedicated::{Dedicated, DedicatedUsage};
use pool::{Pool, on};
use reader::Reader;
use std::sync::Arc;
use write_request::{NewEvent, Outcome, WriteRequest};
use writer::Writer;

/// A database of record.
#[derive(Clone, Debug)]
pub struct Records {
    pool: Pool,
    /// Those of the tasks, where they have their own.
    dedicated: Vec<DedicatedUsage>,
    reader: Reader,
    writer: Writer,
    clock: Clock,
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
    #[error("cannot open {url}: {reason}. {hint}")]
    Connect {
        /// The database.
        url: String,
        /// What it said.
        reason: sqlx::Error,
        /// Where to look.
        hint: &'static str,
    },
    /// Its tables cannot be brought to this version.
    #[error("cannot bring the tables of {url} to this version: {reason}")]
    Migrate {
        /// The database.
        url: String,
        /// What it said.
        reason: sqlx::migrate::MigrateError,
    },
    /// It does not make commits durable.
    #[error("{url} reports {reported}: an acknowledged answer could be lost")]
    NotDurable {
        /// The database.
        url: String,
        /// Its own word.
        reported: String,
    },
}

/// Whether an append was the first at its seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The event is durable.
    Committed,
    /// Another event stands at that seq, or another one before it; nothing was written.
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
    /// Who sits it.
    pub examinee: Examinee,
    /// Which of their attempts it is, where the type counts them: at most one exam holds a slot.
    pub slot: Option<String>,
    /// When it ends by itself if nobody ends it, in milliseconds since 1970 UTC.
    pub expires_at: i64,
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
    /// Another exam holds the slot.
    SlotTaken,
}

impl Records {
    /// Opens a database, makes its tables, and has its word that a commit is durable. A SQLite file is
    /// opened for this process alone.
    ///
    /// # Errors
    /// Why it cannot serve as a database of record.
    pub async fn open(url: &str, password: Option<&str>, metrics: Metrics) -> Result<Self, OpenError> {
        Self::open_as(url, password, metrics, true).await
    }

    /// As [`Records::open`], but a file that is not there is not made.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open_existing(url: &str, password: Option<&str>) -> Result<Self, OpenError> {
        Self::open_as(url, password, Metrics::new(), false).await
    }

    async fn open_as(
        url: &str,
        password: Option<&str>,
        metrics: Metrics,
        create: bool,
    ) -> Result<Self, OpenError> {
        let (pool, durability) = Pool::open(url, password, create).await?;
        let (writes, reads) = (Dedicated::beside(&pool), Dedicated::beside(&pool));
        let dedicated = [&writes, &reads].into_iter().filter_map(Dedicated::usage).collect();
        let writer = Writer::start(writes, metrics);
        let reader = Reader::start(reads);
        let clock = Clock::start(pool.clone()).await;
        Ok(Self { pool, dedicated, reader, writer, clock, durability })
    }

    /// The time on the database's clock, in milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// What the database is used for just now.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage { waiting: self.writer.waiting(), ..Usage::default() };
        let dedicated = self.dedicated.iter().map(DedicatedUsage::connections);
        for (size, idle, most) in dedicated.chain([self.pool.connections()]) {
            usage.busy += usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(idle);
            usage.idle += idle;
            usage.most += most;
        }
        usage
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
        let insert = "INSERT INTO banks (version, body) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on!(&self.pool, pool => sqlx::query(insert).bind(version).bind(body).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// The versions of all banks that are kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn banks(&self) -> Result<Vec<String>, Error> {
        let select = "SELECT version FROM banks ORDER BY version";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).fetch_all(pool).await?))
    }

    /// The body of a bank version, if it was ever kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn bank(&self, version: &str) -> Result<Option<String>, Error> {
        let select = "SELECT body FROM banks WHERE version = $1";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).bind(version).fetch_optional(pool).await?))
    }

    /// Writes a new exam and its first event, both or neither. `begin` makes the exam once its
    /// number is known.
    ///
    /// # Errors
    /// The database's; then the exam may or may not be there, and a start with a key may come again.
    pub async fn create(
        &self,
        new: NewExam,
        begin: impl Fn(&Head) -> Exam + Send + Sync + 'static,
    ) -> Result<Created, Error> {
        match self.writer.write(WriteRequest::Create(Box::new(new), Arc::new(begin))).await? {
            Outcome::Created(created) => Ok(created),
            Outcome::Appended(_) => Err(Error::Damaged("a start was taken for an event".to_owned())),
        }
    }

    /// Appends an event to the one it was sealed on. This is the commit of an answer: when
    /// it returns `Committed`, the event is durable. With an event about time comes when the exam
    /// expires then.
    ///
    /// # Errors
    /// The database's; then the event may or may not be in the log, and the caller may come again.
    pub async fn append(
        &self,
        exam: i64,
        sealed: Sealed,
        expires_at: Option<i64>,
    ) -> Result<Appended, Error> {
        self.append_as(Box::new(NewEvent { exam, sealed, recovered: false, expires_at })).await
    }

    /// Appends an event that a snapshot held and the log had lost.
    ///
    /// # Errors
    /// As [`Records::append`].
    pub async fn recover(
        &self,
        exam: i64,
        sealed: Sealed,
        expires_at: Option<i64>,
    ) -> Result<Appended, Error> {
        self.append_as(Box::new(NewEvent { exam, sealed, recovered: true, expires_at })).await
    }

    async fn append_as(&self, event: Box<NewEvent>) -> Result<Appended, Error> {
        match self.writer.write(WriteRequest::Append(event)).await? {
            Outcome::Appended(appended) => Ok(appended),
            Outcome::Created(_) => Err(Error::Damaged("an event was taken for a start".to_owned())),
        }
    }

    /// Where the log of an exam ends; `None` when there is no such exam. One indexed read.
    ///
    /// # Errors
    /// The database's.
    pub async fn tip(&self, exam: i64) -> Result<Option<Tip>, Error> {
        self.reader.tip(exam).await
    }

    /// The head of an exam and all its events; `None` when there is no such exam.
    ///
    /// # Errors
    /// The database's, or a row that cannot be read.
    pub async fn load(&self, exam: i64) -> Result<Option<(Head, Vec<Entry>)>, Error> {
        let head = "SELECT id, exam_type, policy, bank_version, seed, engine_version, started_at, terms \
                    FROM exams WHERE id = $1";
        let entries = "SELECT seq, at, body FROM events WHERE exam_id = $1 ORDER BY seq";
        let (head, entries): (Option<rows::HeadRow>, Vec<rows::EntryRow>) = on!(&self.pool, pool => (
            sqlx::query_as(head).bind(exam).fetch_optional(pool).await?,
            sqlx::query_as(entries).bind(exam).fetch_all(pool).await?,
        ));
        let Some(head) = head else { return Ok(None) };
        let entries = entries.into_iter().map(|row| row.entry(exam)).collect::<Result<_, _>>()?;
        Ok(Some((head.head()?, entries)))
    }

    /// Ends all work with the database.
    pub async fn close(&self) {
        for connection in &self.dedicated {
            connection.close().await;
        }
        self.pool.close().await;
    }
}
