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
    /// What was submitted.
    pub submitted: Submitted,
    /// Milliseconds the examinee took.
    pub response_time_ms: Option<u32>,
}

impl Flow {
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
        let mut exam = authorized(caller, exam)?;
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
                Err(refusal) => return Err(refusal_error(refusal, exam)),
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
}
