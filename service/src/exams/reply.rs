//! What callers read: the bodies of the replies, made from an exam and nothing else.
//!
//! Every reply of a submission can be made again from its event, so a retry reads what the first
//! call read. Numbers are numbers: what is unknown is `null`, never 0.
//! Must not know: HTTP, how the exam was loaded.

use crate::event::{Event, ItemId, Next};
use crate::exam::Exam;
use crate::records::{Listed, Page};
use crate::store::Health;
use engine::{Constraint, EndReason, Estimate, Formula};
use jiff::Timestamp;
use serde::Serialize;

/// An item as examinees see it: without key or parameters.
#[derive(Clone, Debug, Serialize)]
pub struct ItemReply {
    id: ItemId,
    code: String,
    text: Option<String>,
    choices: Vec<ChoiceReply>,
    content: Option<String>,
}

/// One choice of an item.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceReply {
    id: usize,
    text: String,
}

impl ItemReply {
    fn of(exam: &Exam, id: ItemId) -> Option<Self> {
        let item = exam.bank().item(id)?;
        let choices = item.choices.iter().zip(1..).map(|(text, id)| ChoiceReply { id, text: text.clone() });
        Some(Self {
            id,
            code: item.code.clone(),
            text: item.text.clone(),
            choices: choices.collect(),
            content: item.attributes.content.clone(),
        })
    }

    /// The item on the screen, if the exam goes on.
    pub fn current(exam: &Exam) -> Option<Self> {
        Self::of(exam, exam.current_item()?)
    }
}

/// Reply of `POST /start`.
#[derive(Debug, Serialize)]
pub struct StartReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    max_items: u32,
    initial_theta: f64,
    item: Option<ItemReply>,
    message: &'static str,
}

impl StartReply {
    /// The reply to the start of this exam, however far it has come since.
    pub fn of(exam: &Exam) -> Self {
        let first = match exam.entries().first().map(|entry| &entry.event) {
            Some(Event::Started { next: Next::Item(item), .. }) => ItemReply::of(exam, *item),
            _ => None,
        };
        Self {
            exam_session_id: exam.head().id,
            status: "in_progress",
            exam_type: exam.head().exam_type.clone(),
            max_items: exam.head().policy.stop.max_items,
            initial_theta: exam.initial_theta(),
            item: first,
            message: "Adaptive exam started successfully",
        }
    }
}

/// Reply of `GET /next`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum NextReply {
    /// The item on the screen.
    Item {
        /// It.
        item: Box<ItemReply>,
        /// Ability from all answers so far.
        current_theta: f64,
        /// Its standard error.
        standard_error: Option<f64>,
        /// Number of answers.
        items_completed: usize,
        /// The exam ends after so many.
        max_items: u32,
        /// `false`.
        completed: bool,
    },
    /// The exam is over.
    Finished {
        /// `true`.
        completed: bool,
        /// How it ended.
        #[serde(flatten)]
        result: ResultReply,
    },
}

impl NextReply {
    /// The reply to `next` on this exam.
    pub fn of(exam: &Exam) -> Self {
        let ability = exam.ability();
        match ItemReply::current(exam) {
            None => Self::Finished { completed: true, result: ResultReply::of(exam) },
            Some(item) => Self::Item {
                item: Box::new(item),
                current_theta: ability.theta,
                standard_error: ability.standard_error,
                items_completed: exam.items_completed(),
                max_items: exam.head().policy.stop.max_items,
                completed: false,
            },
        }
    }
}

/// The result of an exam, final or so far.
#[derive(Debug, Serialize)]
pub struct ResultReply {
    theta: f64,
    standard_error: Option<f64>,
    standard_error_formula: Formula,
    at_bound: bool,
    score: f64,
    items_completed: usize,
    max_items: u32,
    termination_reason: Option<&'static str>,
}

impl ResultReply {
    fn of(exam: &Exam) -> Self {
        let Estimate { ability, formula, is_bounded } = exam.result();
        Self {
            theta: ability.theta,
            standard_error: ability.standard_error,
            standard_error_formula: formula,
            at_bound: is_bounded,
            score: engine::score::Scale::PERCENT.score(ability).value,
            items_completed: exam.items_completed(),
            max_items: exam.head().policy.stop.max_items,
            termination_reason: exam.end().map(EndReason::as_str),
        }
    }
}

/// Reply of `POST /answer`.
#[derive(Debug, Serialize)]
pub struct AnswerReply {
    theta: f64,
    standard_error: Option<f64>,
    correct: bool,
    items_completed: i64,
    completed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemReply>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relaxed: Vec<Constraint>,
}

impl AnswerReply {
    /// The reply to the answer at `seq`, as it was the first time; `None` if no answer is there.
    pub fn of(exam: &Exam, seq: i64) -> Option<Self> {
        let entry = exam.entries().get(usize::try_from(seq).ok()?)?;
        let Event::Answered { category, theta, standard_error, next, constrained, .. } = &entry.event else {
            return None;
        };
        let (item, end) = match next {
            Next::Item(item) => (ItemReply::of(exam, *item), None),
            Next::End(reason) => (None, Some(reason.as_str())),
        };
        Some(Self {
            theta: *theta,
            standard_error: *standard_error,
            correct: *category > 0,
            // Every event between the start and an answer is an answer.
            items_completed: seq,
            completed: end.is_some(),
            termination_reason: end,
            item,
            relaxed: constrained.relaxed.clone(),
        })
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
    /// The reply for this exam, which has ended.
    pub fn of(exam: &Exam) -> Self {
        Self { exam_session_id: exam.head().id, status: status(exam), result: ResultReply::of(exam) }
    }
}

/// Reply of `GET /status`.
#[derive(Debug, Serialize)]
pub struct StatusReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    initial_theta: f64,
    #[serde(flatten)]
    result: ResultReply,
    completed: bool,
    item: Option<ItemReply>,
    started_at: String,
    ended_at: Option<String>,
    duration_sec: Option<f64>,
    student_id: Option<i64>,
    store: &'static str,
}

impl StatusReply {
    /// The reply for this exam. `store` is the mode that served it.
    pub fn of(exam: &Exam, student_id: Option<i64>, store: &'static str) -> Self {
        let head = exam.head();
        let ended_at = exam.ended_at();
        Self {
            exam_session_id: head.id,
            status: status(exam),
            exam_type: head.exam_type.clone(),
            initial_theta: exam.initial_theta(),
            result: ResultReply::of(exam),
            completed: exam.end().is_some(),
            item: ItemReply::current(exam),
            started_at: time(head.started_at),
            ended_at: ended_at.map(time),
            duration_sec: ended_at.map(|end| seconds(end - head.started_at)),
            student_id,
            store,
        }
    }
}

fn status(exam: &Exam) -> &'static str {
    if exam.end().is_some() { "completed" } else { "in_progress" }
}

/// Reply of `GET /exams`.
#[derive(Debug, Serialize)]
pub struct ListReply {
    count: i64,
    exams: Vec<ListedReply>,
    /// Pass it as `after` for the next page; `null` on a page that is empty.
    next_after: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ListedReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    student_id: Option<i64>,
    items_completed: i64,
    started_at: String,
    ended_at: Option<String>,
}

impl ListReply {
    /// The reply for this page.
    pub fn of(page: Page) -> Self {
        let next_after = page.exams.last().map(|exam| exam.id);
        let listed = |exam: Listed| ListedReply {
            exam_session_id: exam.id,
            status: if exam.ended_at.is_some() { "completed" } else { "in_progress" },
            exam_type: exam.exam_type,
            student_id: exam.student_id,
            items_completed: exam.items_completed,
            started_at: time(exam.started_at),
            ended_at: exam.ended_at.map(time),
        };
        Self { count: page.count, exams: page.exams.into_iter().map(listed).collect(), next_after }
    }
}

/// Reply of `GET /health/redis`.
#[derive(Debug, Serialize)]
pub struct HealthReply {
    redis: &'static str,
    mode: &'static str,
    timestamp: String,
}

impl HealthReply {
    /// The reply for a store in this health, now.
    pub fn of(health: Health, mode: &'static str) -> Self {
        Self { redis: health.as_str(), mode, timestamp: Timestamp::now().to_string() }
    }
}

/// A time in milliseconds since 1970 UTC, as RFC 3339.
fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}

#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
