//! Ending an exam: by a caller, or because its time is over.
//!
//! Input: an exam's id. Output: the exam as it ended, by one event. Must not know: how the reply is written.

use super::{Error, Flow, authorized};
use crate::access::caller::Caller;
use crate::exam::Exam;
use crate::records::Appended;
use engine::EndReason;
use std::sync::Arc;

impl Flow {
    /// Ends an exam by request; idempotent.
    ///
    /// # Errors
    /// There is no such exam for this caller, or the database's.
    pub async fn complete(&self, caller: &Caller, id: i64) -> Result<Arc<Exam>, Error> {
        let exam = authorized(caller, self.load(id).await?)?;
        self.end(exam, |_| EndReason::Manual).await
    }

    /// Ends an exam whose time is over and returns the reason; `None` if it has time left.
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
}
