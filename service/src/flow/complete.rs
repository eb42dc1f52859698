//! Ending an exam: by a caller, or because its time is over.
//!
//! An exam whose time is over ends with the first call that sees it, or by the expiry job. If an outage took of its
//! time, the end is held for a while, so that the exam can be extended.
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
        let (mut exam, _) = self.settle(authorized(caller, self.load(id).await?)?).await?;
        while let Some(entry) = exam.complete(EndReason::Manual, self.records.now()) {
            if self.commit(&mut exam, entry).await? == Appended::Committed {
                break;
            }
            exam = self.replay(id).await?;
        }
        Ok(exam)
    }

    /// Ends the exam if its time is over and its end is not held. Returns the exam, and until when its end is held,
    /// in milliseconds since 1970 UTC. Reads nothing while time is left.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn settle(&self, mut exam: Arc<Exam>) -> Result<(Arc<Exam>, Option<i64>), Error> {
        if exam.over(self.records.now()).is_none() {
            return Ok((exam, None));
        }
        loop {
            // `closes_at` is not covered by the hash chain, so an ending by time is decided on the log only.
            exam = Box::pin(self.replay(exam.head().id)).await?;
            let now = self.records.now();
            let Some(entry) = exam.over(now) else { return Ok((exam, None)) };
            let outages = self.records.outages(exam.head().started_at).await?;
            let held = exam.held_until(&outages, self.outage_grace, now);
            if held.is_some() {
                return Ok((exam, held));
            }
            if self.commit(&mut exam, entry).await? == Appended::Committed {
                return Ok((exam, None));
            }
        }
    }

    /// Ends an exam whose time is over and returns the reason; `None` if it has time left.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn expire(&self, id: i64) -> Result<Option<EndReason>, Error> {
        let (mut exam, held) = self.settle(self.replay(id).await?).await?;
        if exam.end().is_some() {
            return Ok(exam.end());
        }
        if let Some(expires_at) = held.or(exam.expires_at()) {
            self.records.expire_at(id, Some(expires_at)).await?;
            return Ok(None);
        }
        // An exam of the first release has its expiry in the list only.
        if let Some(entry) = exam.complete(EndReason::Expired, self.records.now()) {
            self.commit(&mut exam, entry).await?;
        }
        Ok(exam.end())
    }
}
