//! An exam's time in the hands of those who run exams: pause, go on, more time for one or for all.

use super::{Error, Flow, refusal_error};
use crate::exam::Exam;
use crate::exam::time::Timing;
use crate::records::{Appended, Filter};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Exams are listed in pages of so many.
const PAGE: i64 = 200;
/// So many are changed at once.
const TOGETHER: usize = 64;

/// What became of an extension for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Exams that have more time now.
    pub extended: u64,
    /// Exams that had it from the same extension before.
    pub before: u64,
}

impl Flow {
    /// Changes the time of an exam. Gives the exam, and whether this changed anything.
    ///
    /// # Errors
    /// There is no such exam, it has ended, or the database's.
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

    /// Gives every open exam (of a type, if one is named) more time. Should it fail half-way, the same
    /// key gives the rest theirs, and nobody twice.
    ///
    /// # Errors
    /// The database's.
    pub async fn extend_all(
        &self,
        exam_type: Option<String>,
        seconds: u32,
        key: String,
    ) -> Result<Extended, Error> {
        let mut filter = Filter { ended: Some(false), exam_type, limit: PAGE, ..Filter::default() };
        let timing = Timing::Extend(seconds, Some(key));
        let mut extended = Extended::default();
        loop {
            let page = self.records.listed(&filter).await?;
            let Some(last) = page.last() else { return Ok(extended) };
            filter.after = last.id;
            let ids: Vec<i64> = page.iter().map(|listed| listed.id).collect();
            let each = stream::iter(ids).map(|id| self.extend_open(id, &timing));
            let changed: Vec<Option<bool>> = each.buffer_unordered(TOGETHER).try_collect().await?;
            for changed in changed.into_iter().flatten() {
                if changed { extended.extended += 1 } else { extended.before += 1 }
            }
        }
    }
    /// Whether an exam has more time now; `None` if it has ended meanwhile.
    async fn extend_open(&self, id: i64, timing: &Timing) -> Result<Option<bool>, Error> {
        match self.time(id, timing).await {
            Ok((_, changed)) => Ok(Some(changed)),
            Err(Error::Ended(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
