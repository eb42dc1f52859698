//! What is asked of the writer task, and what becomes of it.
//!
//! Input: a new exam, or an event sealed on the event before it. Output: the outcome, once the commit is durable.
//! Must not know: transactions, SQL, who waits.

use super::{Appended, Created, NewExam};
use crate::exam::Exam;
use crate::exam::event::{Head, Sealed};
use std::sync::Arc;

/// Creates an exam once its id is allocated; called again when a transaction is retried.
pub(super) type CreateExam = Arc<dyn Fn(&Head) -> Exam + Send + Sync>;

/// One write.
pub(super) enum WriteRequest {
    /// A new exam with its first event.
    Create(Box<NewExam>, CreateExam),
    /// One more event of an exam.
    Append(Box<NewEvent>),
}

/// An event to append.
#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    pub exam: i64,
    pub sealed: Sealed,
    /// Whether it is restored from a snapshot because the database lost it.
    pub recovered: bool,
    /// When the exam expires, after an event that changes its time; in milliseconds since 1970 UTC.
    pub expires_at: Option<i64>,
}

/// What became of a write.
pub(super) enum Outcome {
    Created(Created),
    Appended(Appended),
}
