//! The database of record: exams, their events, and the bank versions they use.
//!
//! Input: heads, sealed events, banks. Output: stored values, and whether an append was first. The insert of one
//! event is the commit and the compare-and-set at once. Only this room uses SQL; its statements run unchanged on
//! SQLite and PostgreSQL. Must not know: the store, HTTP, why an event was decided.

mod access;
mod batch;
mod clock;
mod dedicated;
mod digest;
mod examinees;
mod external_id;
pub mod heartbeat;
mod id_allocation;
mod list;
mod migrations;
pub mod period;
mod pool;
mod reader;
mod rows;
mod statements;
mod transaction_pooling;
mod write_request;
mod writer;

pub use access::DatabaseAccess;
pub use examinees::{Attempt, Examinee};
pub use external_id::ExternalId;
pub use list::{Filter, Given, Listed, Page};

use crate::exam::Exam;
use crate::exam::event::{Chain, Entry, Head, Sealed};
use crate::exam::outage::Outage;
use crate::telemetry::metrics::{Metrics, Usage};
use clock::Clock;
use dedicated::{Dedicated, DedicatedUsage};
use pool::{Pool, on};
use reader::Reader;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use write_request::{NewEvent, Outcome, WriteRequest};
use writer::Writer;

/// A database of record.
#[derive(Clone, Debug)]
pub struct Records {
    pool: Pool,
    /// Dedicated connections of the writer and reader tasks; empty for SQLite.
    dedicated: Vec<DedicatedUsage>,
    reader: Reader,
    writer: Writer,
    clock: Clock,
    /// The last heartbeat of this replica, in milliseconds since 1970 UTC.
    beat_at: Arc<AtomicI64>,
    /// Outages that this process ended, and has not told of. Never held across an await.
    untold: Arc<Mutex<Vec<Outage>>>,
    durability: String,
}

/// An error of the database of record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is unreachable or too slow; the caller may retry.
    #[error("the database of record does not answer: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Its content is unreadable.
    #[error("the database of record holds something unreadable: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is unreachable, or locked by another process.
    #[error("cannot open {url}: {reason}. {hint}")]
    Connect {
        /// The database.
        url: String,
        /// The driver's error.
        reason: sqlx::Error,
        /// What to check.
        hint: &'static str,
    },
    /// Its tables cannot be migrated to this version.
    #[error("cannot bring the tables of {url} to this version: {reason}")]
    Migrate {
        /// The database.
        url: String,
        /// What it said.
        reason: sqlx::migrate::MigrateError,
    },
    /// Its commits are not durable.
    #[error("{url} reports {reported}: an acknowledged answer could be lost")]
    NotDurable {
        /// The database.
        url: String,
        /// The settings it reports.
        reported: String,
    },
}

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The event is durable.
    Committed,
    /// There is another event at that seq or before it; nothing was written.
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

/// A start: the head without its id, which the database allocates.
#[derive(Clone, Debug)]
pub struct NewExam {
    /// The head; its `id` is overwritten.
    pub head: Head,
    /// The examinee.
    pub examinee: Examinee,
    /// The attempt, for types that count attempts: at most one exam has a slot.
    pub slot: Option<String>,
    /// When it expires, in milliseconds since 1970 UTC.
    pub expires_at: i64,
    /// Idempotency key of the start.
    pub idempotency_key: Option<String>,
    /// Hash of the request, to distinguish a retry from another request with the same key.
    pub fingerprint: String,
}

/// The result of a start.
#[derive(Clone, Debug)]
pub enum Created {
    /// A new exam.
    New(Box<Exam>),
    /// The exam that an earlier request with the same key started.
    Before(i64),
    /// The key was used for another request.
    KeyReused,
    /// Another exam has the slot.
    SlotTaken,
}

impl Records {
    /// Opens a database, migrates its tables, and checks that its commits are durable. A SQLite file is locked
    /// exclusively.
    ///
    /// # Errors
    /// Why it cannot be the database of record.
    pub async fn open(access: &DatabaseAccess, metrics: Metrics) -> Result<Self, OpenError> {
        Self::open_as(access, metrics, true).await
    }

    /// As [`Records::open`], without creating a missing SQLite file.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open_existing(access: &DatabaseAccess) -> Result<Self, OpenError> {
        Self::open_as(access, Metrics::new(), false).await
    }

    /// Follows new credentials without a request that fails: new connections use them. `false`, and nothing is
    /// changed, where the database itself is another one, which takes a restart.
    pub fn follow(&self, before: &DatabaseAccess, access: &DatabaseAccess) -> bool {
        if access == before {
            return true;
        }
        match access.postgres() {
            Ok((options, _)) if access.is_same_place(before) => {
                self.pool.follow(&options, false);
                self.dedicated.iter().for_each(|usage| usage.follow(&options));
                true
            }
            _ => false,
        }
    }

    async fn open_as(access: &DatabaseAccess, metrics: Metrics, create: bool) -> Result<Self, OpenError> {
        let (pool, durability) = Pool::open(access, create).await?;
        let (writes, reads) = (Dedicated::beside(&pool), Dedicated::beside(&pool));
        let dedicated = [&writes, &reads].into_iter().filter_map(Dedicated::usage).collect();
        let writer = Writer::start(writes, metrics);
        let reader = Reader::start(reads);
        let clock = Clock::start(pool.clone()).await.map_err(|reason| OpenError::Connect {
            url: access.shown(),
            reason,
            hint: "Its clock cannot be read",
        })?;
        Ok(Self {
            pool,
            dedicated,
            reader,
            writer,
            clock,
            beat_at: Arc::default(),
            untold: Arc::default(),
            durability,
        })
    }

    /// The time on the clock of exams, in milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Current use of the connections and of the write queue.
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

    /// The durability settings that the database reports.
    pub fn durability(&self) -> &str {
        &self.durability
    }

    /// Stores a bank version; idempotent.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep_bank(&self, version: &str, body: &str) -> Result<(), Error> {
        let insert = "INSERT INTO banks (version, body) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on!(&self.pool, pool => sqlx::query(insert).bind(version).bind(body).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// All stored bank versions.
    ///
    /// # Errors
    /// The database's.
    pub async fn banks(&self) -> Result<Vec<String>, Error> {
        let select = "SELECT version FROM banks ORDER BY version";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).fetch_all(pool).await?))
    }

    /// The body of a bank version, if it is stored.
    ///
    /// # Errors
    /// The database's.
    pub async fn bank(&self, version: &str) -> Result<Option<String>, Error> {
        let select = "SELECT body FROM banks WHERE version = $1";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).bind(version).fetch_optional(pool).await?))
    }

    /// Writes a new exam and its first event atomically. `begin` creates the exam once its id is allocated.
    ///
    /// # Errors
    /// Database errors. The exam may have been written; a start with an idempotency key can be retried.
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

    /// Appends an event after the one it was sealed on. This is the commit of an answer: when it returns
    /// `Committed`, the event is durable. A timing event comes with the new expiry of the exam.
    ///
    /// # Errors
    /// Database errors. The event may have been written; the caller can retry.
    pub async fn append(
        &self,
        exam: i64,
        sealed: Sealed,
        expires_at: Option<i64>,
    ) -> Result<Appended, Error> {
        self.append_as(Box::new(NewEvent { exam, sealed, recovered: false, expires_at })).await
    }

    /// Appends an event that the database lost and a snapshot still has.
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

    /// The end of an exam's log; `None` if there is no such exam. One indexed read.
    ///
    /// # Errors
    /// The database's.
    pub async fn tip(&self, exam: i64) -> Result<Option<Tip>, Error> {
        self.reader.tip(exam).await
    }

    /// The head and all events of an exam; `None` if there is no such exam.
    ///
    /// # Errors
    /// Database errors, or an unreadable row.
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

    /// The events of an exam after this one, in order; `None` if the log has another event in its place, as a database
    /// that was restored may have.
    ///
    /// # Errors
    /// Database errors, or an unreadable row.
    pub async fn events_after(
        &self,
        exam: i64,
        seq: i64,
        chain: &Chain,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let entries = "SELECT seq, at, body FROM events \
                       WHERE exam_id = $1 AND (seq > $2 OR (seq = $2 AND hash = $3)) ORDER BY seq";
        let entries: Vec<rows::EntryRow> = on!(&self.pool, pool => {
            sqlx::query_as(entries).bind(exam).bind(seq).bind(chain.as_str()).fetch_all(pool).await?
        });
        let entries: Vec<Entry> = entries.into_iter().map(|row| row.entry(exam)).collect::<Result<_, _>>()?;
        let mut entries = entries.into_iter();
        let is_known = entries.next().is_some_and(|entry| entry.seq == seq);
        Ok(is_known.then(|| entries.collect()))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        for connection in &self.dedicated {
            connection.close().await;
        }
        self.pool.close().await;
    }
}
