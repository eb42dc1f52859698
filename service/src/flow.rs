//! The exam calls: start, next, answer, complete, status. The one place where pure decisions and I/O meet.
//!
//! Input: a caller and a typed request. Output: the exam after the call, or a typed refusal.
//! Every change runs in this order: load the exam, decide (pure), append the event (the commit), reply; the snapshot
//! is saved asynchronously. Must not know: HTTP status codes, SQL, Redis.

mod answer;
mod complete;
mod load;
pub mod recent;
mod start;
mod time;

pub use answer::Answer;
pub use start::{Origin, Start};
pub use time::{By, Extended};

use crate::access::caller::Caller;
use crate::catalogue::Catalogue;
use crate::exam::event::Entry;
use crate::exam::{Exam, Refusal, ReplayError};
use crate::exposure::Shared;
use crate::telemetry::metrics::Metrics;

use crate::records::{self, Appended, Records};
use crate::store::Store;
use crate::store::saver::Saver;
use crate::telemetry::trace::{self, TARGET};
use contract::Fault;
use engine::EndReason;
use jiff::Timestamp;
use recent::Recent;
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, info_span};

/// Everything that an exam call needs.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The database of record.
    pub records: Records,
    /// The snapshot store, for reads.
    pub store: Store,
    /// The task that saves snapshots.
    pub saver: Saver,
    /// Exam types and banks.
    pub catalogue: Arc<Catalogue>,
    /// The cache of recently used exams.
    pub recent: Recent,
    /// Shared exposure counts.
    pub exposure: Shared,
    /// The process's metrics.
    pub metrics: Metrics,
    /// How long the end of an exam is held after an outage that took of its time, in milliseconds.
    pub outage_grace: i64,
}

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such exam for this caller.
    #[error("there is no exam {0}")]
    UnknownExam(i64),
    /// Invalid fields.
    #[error("the request has faults")]
    Invalid(Vec<Fault>),
    /// The idempotency key started another exam.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The item is not the current one.
    #[error("another item is on the screen")]
    NotCurrent(Arc<Exam>),
    /// The item has another answer already.
    #[error("the item was answered before, and otherwise")]
    AlreadyAnswered(Arc<Exam>),
    /// The exam is paused.
    #[error("the exam is paused")]
    Paused,
    /// The examinee has used all attempts at the exam type.
    #[error("no attempt is left: this exam type has {0} for each examinee")]
    NoAttemptLeft(u32),
    /// The exam has ended.
    #[error("the exam has ended")]
    Ended(EndReason),
    /// Its time ran out in an outage, and its end is held until then, in milliseconds since 1970 UTC.
    #[error("the time of this exam ran out while the service was unavailable; until {} a proctor can extend it", time(*.0))]
    Held(i64),
    /// The database of record failed.
    #[error(transparent)]
    Records(#[from] records::Error),
}

impl Flow {
    /// The current exam, for a caller: used by `next` and `status`.
    ///
    /// # Errors
    /// There is no such exam for this caller, or database errors.
    pub async fn exam(&self, caller: &Caller, id: i64) -> Result<Arc<Exam>, Error> {
        trace::exam(id);
        Ok(self.settle(authorized(caller, self.load(id).await?)?).await?.0)
    }

    /// Appends an event and, once it is durable, applies it to the exam and queues its snapshot.
    async fn commit(&self, exam: &mut Arc<Exam>, entry: Entry) -> Result<Appended, Error> {
        let began = Instant::now();
        let damaged = |error: ReplayError| records::Error::Damaged(error.to_string());
        let sealed = exam.chain().seal(entry);
        let expires_at = match sealed.entry.event.is_timing() {
            true => {
                let mut after = Exam::clone(exam);
                after.apply(sealed.entry.clone()).map_err(damaged)?;
                after.expires_at()
            }
            false => None,
        };
        let id = exam.head().id;
        let kind = sealed.entry.event.kind();
        let committing = info_span!(target: TARGET, "commit", exam = id, kind);
        let appended = self.records.append(id, sealed.clone(), expires_at).instrument(committing).await?;
        if appended == Appended::Committed {
            self.recent.release(id);
            Arc::make_mut(exam).apply_sealed(sealed).map_err(damaged)?;
            self.recent.insert(exam);
            self.metrics.committed(exam, began.elapsed());
            self.exposure.record_step(exam);
            self.saver.save(exam);
        }
        Ok(appended)
    }
}

/// Formats a time in milliseconds since 1970 UTC as RFC 3339, in seconds.
fn time(milliseconds: i64) -> String {
    Timestamp::from_second(milliseconds / 1000).unwrap_or_default().to_string()
}

/// An exam that the caller may not access is reported as unknown.
fn authorized(caller: &Caller, exam: Arc<Exam>) -> Result<Arc<Exam>, Error> {
    if caller.may_access(&exam) { Ok(exam) } else { Err(Error::UnknownExam(exam.head().id)) }
}

fn refusal_error(refusal: Refusal, exam: Arc<Exam>) -> Error {
    match refusal {
        Refusal::Invalid(fault) => Error::Invalid(vec![fault]),
        Refusal::AlreadyAnswered => Error::AlreadyAnswered(exam),
        Refusal::NotCurrent => Error::NotCurrent(exam),
        Refusal::Paused => Error::Paused,
        Refusal::Ended(reason) => Error::Ended(reason),
    }
}
