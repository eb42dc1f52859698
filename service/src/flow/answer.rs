//! Answering the current item.
//!
//! Input: a caller and a submission. Output: the exam and the seq of the answer's event. A repeated submission returns
//! the first event. Must not know: how the reply is written.

use super::{Error, Flow, authorized, refusal_error};
use crate::access::caller::Caller;
use crate::exam::item::{ItemId, Submitted};
use crate::exam::{Exam, Verdict};
use crate::records::Appended;
use crate::telemetry::trace::{self, TARGET};
use std::sync::Arc;
use tracing::info_span;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exam.
    pub exam: i64,
    /// The item it answers.
    pub item: ItemId,
    /// The submission.
    pub submitted: Submitted,
    /// Milliseconds the examinee took.
    pub response_time_ms: Option<u32>,
}

impl Flow {
    /// Records an answer. Returns the exam and the seq of the answer's event: the last one, unless the answer is a
    /// repetition.
    ///
    /// # Errors
    /// Why the answer was refused. Nothing has changed then, unless the exam's time was over.
    pub async fn answer(&self, caller: &Caller, answer: Answer) -> Result<(Arc<Exam>, i64), Error> {
        let Answer { exam: id, item, submitted, response_time_ms } = answer;
        trace::exam(id);
        // A new answer needs no checked exam: the append is a compare-and-set on the event that the answer was
        // decided on. Any other verdict on an unchecked exam may be outdated, so the exam is loaded again.
        let (exam, mut checked) = match self.cached_or_snapshot(id).await {
            Some(exam) => (exam, false),
            None => (self.load(id).await?, true),
        };
        let mut exam = authorized(caller, exam)?;
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
                    // Another writer was first. The log has grown, so this loop terminates: decide again on the
                    // reloaded exam.
                    self.metrics.repeated("conflict");
                }
                // The settled exam decides.
                Ok(Verdict::Over) => {
                    let (settled, held) = Box::pin(self.settle(exam)).await?;
                    if let Some(until) = held {
                        return Err(Error::Held(until));
                    }
                    (exam, checked) = (settled, true);
                    continue;
                }
                _ if !checked => {}
                Ok(Verdict::Repeat(seq)) => {
                    self.metrics.repeated("same_answer");
                    return Ok((exam, seq));
                }
                Err(refusal) => return Err(refusal_error(refusal, exam)),
            }
            let version = exam.version();
            exam = if checked { Box::pin(self.replay(id)).await? } else { self.load(id).await? };
            if exam.version() > version {
                self.recent.mark_shared(id);
            }
            checked = true;
        }
    }
}
