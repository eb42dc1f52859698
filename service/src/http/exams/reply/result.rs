//! The replies of `complete` and `status`: an exam's state or result.
//!
//! Input: an exam, and what the caller may see. Output: reply bodies. Must not know: HTTP.

use super::{AbilityReply, ItemReply, TimeReply, seconds};
use crate::access::caller::View;
use crate::exam::Exam;
use crate::exam::event::is_false;
use crate::records::ExternalId;
use engine::score::{Class, classify};
use engine::{EndReason, Estimate, Formula};
use jiff::Timestamp;
use serde::Serialize;

/// The result of an exam, final or current.
#[derive(Debug, Serialize)]
pub struct ResultReply {
    #[serde(flatten)]
    estimate: Option<EstimateReply>,
    /// Absent if the caller may not see it; `null` if the policy reports none.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Option<f64>>,
    /// Absent if the caller may not see it or the policy has no cuts; `null` if the policy reports no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<Option<ClassReply>>,
    items_completed: usize,
    max_items: u32,
    termination_reason: Option<&'static str>,
}

/// The estimate, if the caller may see it.
#[derive(Debug, Serialize)]
struct EstimateReply {
    #[serde(flatten)]
    ability: AbilityReply,
    standard_error_formula: Formula,
    at_bound: bool,
    #[serde(skip_serializing_if = "is_false")]
    coarse: bool,
}

/// The class of the ability among the cuts of the policy.
#[derive(Debug, Serialize)]
struct ClassReply {
    /// From 1, the lowest.
    class: usize,
    classes: usize,
    /// With one cut: whether the ability is at it or above.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<bool>,
    /// Probability that the ability is in this class, by its standard error.
    certainty: Option<f64>,
}

impl ClassReply {
    fn of(exam: &Exam) -> Self {
        let cuts = exam.head().policy.stop.cuts();
        let Class { class, certainty } = classify(exam.result().ability, cuts);
        let passed = (cuts.len() == 1).then_some(class == 1);
        Self { class: class + 1, classes: cuts.len() + 1, passed, certainty }
    }
}

impl ResultReply {
    pub(super) fn of(exam: &Exam, view: View) -> Self {
        let Estimate { ability, formula, is_bounded } = exam.result();
        let estimate = || EstimateReply {
            ability: AbilityReply { theta: ability.theta, standard_error: ability.standard_error },
            standard_error_formula: formula,
            at_bound: is_bounded,
            coarse: exam.is_coarse(),
        };
        let has_cuts = !exam.head().policy.stop.cuts().is_empty();
        Self {
            estimate: view.ability.then(estimate),
            score: view.score.then(|| exam.score()),
            classification: (view.score && has_cuts).then(|| exam.score().map(|_| ClassReply::of(exam))),
            items_completed: exam.items_completed(),
            max_items: exam.head().policy.stop.max_items,
            termination_reason: exam.end().map(EndReason::as_str),
        }
    }
}

/// Reply of `POST /complete`.
#[derive(Debug, Serialize)]
pub struct CompleteReply {
    exam_session_id: i64,
    status: &'static str,
    #[serde(flatten)]
    result: ResultReply,
}

impl CompleteReply {
    /// The reply for an ended exam.
    pub fn of(exam: &Exam, view: View) -> Self {
        Self { exam_session_id: exam.head().id, status: status(exam), result: ResultReply::of(exam, view) }
    }
}

/// Reply of `GET /status`.
#[derive(Debug, Serialize)]
pub struct StatusReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_theta: Option<f64>,
    #[serde(flatten)]
    result: ResultReply,
    completed: bool,
    item: Option<ItemReply>,
    started_at: String,
    ended_at: Option<String>,
    duration_sec: Option<f64>,
    student_id: Option<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<TimeReply>,
    store: &'static str,
}

impl StatusReply {
    /// The reply for an exam. `store` is the store mode.
    pub fn of(
        exam: &Exam,
        view: View,
        now: i64,
        student_id: Option<ExternalId>,
        store: &'static str,
    ) -> Self {
        let head = exam.head();
        let ended_at = exam.ended_at();
        Self {
            exam_session_id: head.id,
            status: status(exam),
            exam_type: head.exam_type.clone(),
            initial_theta: view.ability.then(|| exam.initial_theta()),
            result: ResultReply::of(exam, view),
            completed: exam.end().is_some(),
            item: ItemReply::current(exam),
            started_at: time(head.started_at),
            ended_at: ended_at.map(time),
            duration_sec: ended_at.map(|end| seconds(end - head.started_at)),
            student_id,
            time: TimeReply::at(exam, now),
            store,
        }
    }
}

fn status(exam: &Exam) -> &'static str {
    if exam.end().is_some() { "completed" } else { "in_progress" }
}

/// Formats a time in milliseconds since 1970 UTC as RFC 3339.
pub(super) fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}
