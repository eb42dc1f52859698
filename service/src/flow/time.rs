//! Changes of an exam's time: pause, resume, extend one exam or all.
//!
//! Input: an exam id or a filter, and the change. Output: the exam, or counts. Must not know: how the reply is
//! written.

use super::{Error, Flow, refusal_error};
use crate::exam::Exam;
use crate::exam::time::Timing;
use crate::records::{Appended, Filter};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Exams in a page of the list.
const PAGE: i64 = 200;
/// Exams that are changed concurrently.
const TOGETHER: usize = 64;

/// The result of an extension for all exams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Exams that were extended.
    pub extended: u64,
    /// Exams that the same extension had extended before.
    pub before: u64,
}

/// By how much exams are extended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Seconds; idempotent by key.
    Seconds(u32, Option<String>),
    /// What each exam lost in outages and has not got back.
    Outage,
}

impl Flow {
    /// Changes the time of an exam. Returns the exam and whether anything changed.
    ///
    /// # Errors
    /// There is no such exam, it has ended, or database errors.
    pub async fn time(&self, id: i64, timing: &Timing) -> Result<(Arc<Exam>, bool), Error> {
        let mut exam = self.load(id).await?;
        loop {
            let entry = match exam.timing(timing, self.records.now()) {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok((exam, false)),
                Err(refusal) => return Err(refusal_error(refusal, exam)),
            };
            if self.commit(&mut exam, entry).await? == Appended::Committed {
                return Ok((exam, true));
            }
            exam = self.replay(id).await?;
        }
    }

    /// Extends an exam; `false` if the same was done before, or an outage took nothing of it.
    ///
    /// # Errors
    /// There is no such exam, it has ended, or database errors.
    pub async fn extend(&self, id: i64, by: &By) -> Result<bool, Error> {
        let extensions = match by {
            By::Seconds(seconds, key) => vec![Timing::Extend(*seconds, key.clone())],
            By::Outage => {
                let exam = self.load(id).await?;
                if let Some(reason) = exam.end() {
                    return Err(Error::Ended(reason));
                }
                let outages = self.records.outages(exam.head().started_at).await?;
                exam.credits(&outages, self.records.now())
            }
        };
        let mut is_changed = false;
        for timing in &extensions {
            is_changed |= self.time(id, timing).await?.1;
        }
        Ok(is_changed)
    }

    /// Extends every open exam, of one type or of all. Idempotent by key: a retry after a partial failure extends
    /// the remaining exams.
    ///
    /// # Errors
    /// The database's.
    pub async fn extend_all(&self, exam_type: Option<String>, by: &By) -> Result<Extended, Error> {
        let mut filter = Filter { ended: Some(false), exam_type, limit: PAGE, ..Filter::default() };
        let mut extended = Extended::default();
        loop {
            let page = self.records.page(&filter).await?;
            let Some(last) = page.last() else { return Ok(extended) };
            filter.after = last.id;
            let ids: Vec<i64> = page.iter().map(|listed| listed.id).collect();
            let each = stream::iter(ids).map(|id| self.extend_open(id, by));
            let changed: Vec<Option<bool>> = each.buffer_unordered(TOGETHER).try_collect().await?;
            for changed in changed.into_iter().flatten() {
                if changed { extended.extended += 1 } else { extended.before += 1 }
            }
        }
    }
    /// Whether the exam was extended; `None` if it has ended in the meantime.
    async fn extend_open(&self, id: i64, by: &By) -> Result<Option<bool>, Error> {
        match self.extend(id, by).await {
            Ok(changed) => Ok(Some(changed)),
            Err(Error::Ended(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
