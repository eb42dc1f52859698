//! The story of an exam: start, next, answer, complete, status. Pure decisions and I/O meet here,
//! once.
//!
//! Comes in: what a caller wants. Goes out: the exam as it stands then, or a typed refusal.
//! The order of every change: load (checked), decide (pure), append (the commit), reply; the snapshot is on its way
//! to the store by then (speed). Must not know: HTTP statuses, SQL, Redis.

mod load;
mod start;
mod time;

pub use start::{Origin, Start};
pub use time::Extended;

use crate::caller::Caller;
use crate::catalogue::Catalogue;
use crate::event::{Entry, ItemId, Submitted};
use crate::exam::{Exam, Refusal, ReplayError, Verdict};
use crate::exposure::Shared;
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::records::{self, Appended, Records};
use crate::saver::Saver;
use crate::store::Store;
use crate::trace::{self, TARGET};
use contract::Fault;
use engine::EndReason;
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, info_span};

/// All that an exam needs.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The database of record.
    pub records: Records,
    /// The snapshots, to be read.
    pub store: Store,
    /// The way of snapshots to the store.
    pub saver: Saver,
    /// Exam types and banks.
    pub catalogue: Arc<Catalogue>,
    /// Exams that this process has seen lately.
    pub recent: Recent,
    /// How often items were given.
    pub exposure: Shared,
    /// The process's metrics.
    pub metrics: Metrics,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exam.
    pub exam: i64,
    /// The item it answers.
    pub item: ItemId,
    /// What was submitted.
    pub submitted: Submitted,
    /// Milliseconds the examinee took.
    pub response_time_ms: Option<u32>,
}

/// Why a call changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such exam for this caller.
    #[error("there is no exam {0}")]
    UnknownExam(i64),
    /// Fields that are wrong by themselves or for this exam.
    #[error("the request has faults")]
    Invalid(Vec<Fault>),
    /// The key started another exam.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// Another item is on the screen.
    #[error("another item is on the screen")]
    NotCurrent(Arc<Exam>),
    /// The item was answered before, and otherwise.
    #[error("the item was answered before, and otherwise")]
    AlreadyAnswered(Arc<Exam>),
    /// The exam's time stands still.
    #[error("the exam is paused")]
    Paused,
    /// The examinee has had every exam of the type that there is for them.
    #[error("no attempt is left: this exam type has {0} for each examinee")]
    NoAttemptLeft(u32),
    /// The exam is over.
    #[error("the exam has ended")]
    Ended(EndReason),
    /// The database of record failed.
    #[error(transparent)]
    Records(#[from] records::Error),
}

impl Flow {
    /// The exam as it stands, for a caller: the reply of `next`, `status` and of a repeated `complete`.
    ///
    /// # Errors
    /// There is no such exam for them, or the database's.
    pub async fn exam(&self, caller: &Caller, id: i64) -> Result<Arc<Exam>, Error> {
        trace::exam(id);
        reached(caller, self.load(id).await?)
    }

    /// Takes an answer. Gives the exam, and the seq of the answer's event: the last one, unless the
    /// same answer had come before.
    ///
    /// # Errors
    /// Why the answer was not taken; then nothing has changed, unless the exam's time was over.
    pub async fn answer(&self, caller: &Caller, answer: Answer) -> Result<(Arc<Exam>, i64), Error> {
        let Answer { exam: id, item, submitted, response_time_ms } = answer;
        trace::exam(id);
        // A new answer needs no check beforehand: the log takes it only after the very event it was
        // decided on. Whatever else an unchecked exam says may be out of date, and is asked again.
        let (exam, mut checked) = match self.at_hand(id).await {
            Some(exam) => (exam, false),
            None => (self.load(id).await?, true),
        };
        let mut exam = reached(caller, exam)?;
        let mut is_from_log = false;
        loop {
            let verdict = info_span!(target: TARGET, "decide").in_scope(|| {
                self.exposure.with(&exam.head().bank_version, |exposure| {
                    exam.answer(item, submitted, response_time_ms, self.records.now(), exposure)
                })
            });
            match verdict {
                Ok(Verdict::Append(entry)) => {
                    let seq = entry.seq;
                    if self.commit(&mut exam, entry).await? == Appended::Committed {
                        return Ok((exam, seq));
                    }
                    // Somebody was first. The log has grown, so this ends: what is read now decides.
                    self.metrics.repeated("conflict");
                }
                // When an exam closes is not under its hash, so of that only the log is believed.
                Ok(Verdict::Over(_)) if !is_from_log => is_from_log = true,
                Ok(Verdict::Over(entry)) => {
                    // Whoever was first, what is read now refuses the answer or takes it.
                    self.commit(&mut exam, entry).await?;
                }
                _ if !checked => {}
                Ok(Verdict::Repeat(seq)) => {
                    self.metrics.repeated("same_answer");
                    return Ok((exam, seq));
                }
                Err(refusal) => return Err(refused(refusal, exam)),
            }
            is_from_log |= checked;
            let seen = exam.version();
            exam = if is_from_log { Box::pin(self.replay(id)).await? } else { self.load(id).await? };
            if exam.version() > seen {
                self.recent.roams(id);
            }
            checked = true;
        }
    }

    /// Ends an exam by hand; one that has ended stays as it ended.
    ///
    /// # Errors
    /// There is no such exam for this caller, or the database's.
    pub async fn complete(&self, caller: &Caller, id: i64) -> Result<Arc<Exam>, Error> {
        let exam = reached(caller, self.load(id).await?)?;
        self.end(exam, |_| EndReason::Manual).await
    }

    /// Ends an exam whose time is over, and gives the reason it has ended for; `None` if it has time left
    /// after all.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn expire(&self, id: i64) -> Result<Option<EndReason>, Error> {
        let exam = self.replay(id).await?;
        let over = exam.is_over(self.records.now());
        if exam.head().terms.closes_at.is_some() && exam.end().is_none() && over.is_none() {
            self.records.expire_at(id, exam.expires_at()).await?;
            return Ok(None);
        }
        let ended = self.end(exam, |_| over.unwrap_or(EndReason::Expired)).await?;
        Ok(ended.end())
    }

    async fn end(
        &self,
        mut exam: Arc<Exam>,
        reason: impl Fn(&Exam) -> EndReason,
    ) -> Result<Arc<Exam>, Error> {
        while let Some(entry) = exam.complete(reason(&exam), self.records.now()) {
            if self.commit(&mut exam, entry).await? == Appended::Committed {
                break;
            }
            exam = self.replay(exam.head().id).await?;
        }
        Ok(exam)
    }

    /// Appends an event and, once it is durable, takes it into the exam and its snapshot.
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
            self.recent.let_go(id);
            Arc::make_mut(exam).apply_sealed(sealed).map_err(damaged)?;
            self.recent.keep(exam);
            self.metrics.committed(exam, began.elapsed());
            self.exposure.gave(exam);
            self.saver.keep(exam);
        }
        Ok(appended)
    }
}

/// An exam that is not theirs is, to a caller, none.
fn reached(caller: &Caller, exam: Arc<Exam>) -> Result<Arc<Exam>, Error> {
    if caller.reaches(&exam) { Ok(exam) } else { Err(Error::UnknownExam(exam.head().id)) }
}

fn refused(refusal: Refusal, exam: Arc<Exam>) -> Error {
    match refusal {
        Refusal::Invalid(fault) => Error::Invalid(vec![fault]),
        Refusal::AlreadyAnswered => Error::AlreadyAnswered(exam),
        Refusal::NotCurrent => Error::NotCurrent(exam),
        Refusal::Paused => Error::Paused,
        Refusal::Ended(reason) => Error::Ended(reason),
    }
}
