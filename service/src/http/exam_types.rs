//! `GET /exam-types`: what can be started, and what this caller may say at a start.
//!
//! Input: the caller. Output: the exam types of the Settings in use. Must not know: exams.

use super::exams::request::{TRUSTED, allow};
use super::extract::CurrentState;
use super::problem::Problem;
use crate::access::caller::{Caller, Role};
use crate::catalogue::Rules;
use axum::Json;
use contract::settings::Shown;
use serde::Serialize;

/// Reply of `GET /exam-types`.
#[derive(Debug, Serialize)]
pub struct ExamTypesReply {
    exam_types: Vec<ExamTypeReply>,
    /// Optional fields of a start that this caller may send.
    start_fields: Vec<&'static str>,
    /// Whether this caller may send `correct`.
    may_grade: bool,
    /// Whether the examinee is known by the caller's token, so that a start needs no `student_id`.
    is_known: bool,
}

#[derive(Debug, Serialize)]
struct ExamTypeReply {
    name: String,
    min_items: u32,
    max_items: u32,
    max_seconds: Option<u32>,
    item_seconds: Option<u32>,
    expires_after_seconds: u32,
    attempts: Option<u32>,
    resume: bool,
    /// What students see of the measurement.
    students_see: Vec<Shown>,
}

impl ExamTypeReply {
    fn of((name, rules): (&str, &Rules)) -> Self {
        let stop = &rules.policy.stop;
        let items = u32::try_from(rules.bank.len()).unwrap_or(u32::MAX);
        Self {
            name: name.to_owned(),
            min_items: stop.min_items.min(items),
            max_items: stop.max_items.min(items),
            max_seconds: stop.max_seconds,
            item_seconds: rules.item_seconds,
            expires_after_seconds: rules.lasts,
            attempts: rules.attempts,
            resume: rules.resume,
            students_see: rules.shown.clone(),
        }
    }
}

/// `GET /exam-types`: whoever may start an exam may see what there is to start.
pub async fn list(CurrentState(live): CurrentState, caller: Caller) -> Result<Json<ExamTypesReply>, Problem> {
    allow(caller.may_sit(), "proctors start no exams")?;
    let is_student = caller.role == Role::Student;
    Ok(Json(ExamTypesReply {
        exam_types: live.flow.catalogue.exam_types().map(ExamTypeReply::of).collect(),
        start_fields: if is_student { Vec::new() } else { TRUSTED.to_vec() },
        may_grade: !is_student,
        is_known: is_student && caller.subject.is_some(),
    }))
}
