//! Replies: built from an exam and nothing else.
//!
//! Input: an exam, and what the caller may see. Output: reply bodies. The reply to a submission can be rebuilt from
//! its event, so a retry gets the first reply again. Unknown numbers are `null`, never 0. Must not know: HTTP, how
//! the exam was loaded, who asks.

mod lists;
mod result;

pub use lists::{ExtendReply, HealthReply, ListReply};
pub use result::{CompleteReply, ResultReply, StatusReply};

use crate::access::caller::View;
use crate::exam::Exam;
use crate::exam::bank::CodeField;
use crate::exam::event::{Event, Next, is_false};
use crate::exam::item::ItemId;
use crate::flow::Origin;
use engine::{Ability, Constraint};
use serde::Serialize;

/// An item without key and parameters.
#[derive(Clone, Debug, Serialize)]
pub struct ItemReply {
    id: ItemId,
    code: String,
    text: Option<String>,
    choices: Vec<ChoiceReply>,
    content: Option<String>,
    /// The fields that are program code.
    code_fields: Vec<CodeField>,
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
            code_fields: item.code_fields.clone(),
        })
    }

    /// The current item, if the exam is open and not paused.
    pub fn current(exam: &Exam) -> Option<Self> {
        Self::of(exam, exam.current_item().filter(|_| !exam.is_paused())?)
    }
}

/// The remaining time.
#[derive(Clone, Debug, Serialize)]
pub struct TimeReply {
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_seconds_left: Option<f64>,
}

impl TimeReply {
    /// The time until the earliest limit, and that of the item; `None` once the exam has ended, and without limits
    /// unless it is paused. Nothing is left to tell while it is paused.
    fn at(exam: &Exam, now: i64) -> Option<Self> {
        let running = |until: Option<i64>| until.filter(|_| !exam.is_paused());
        let left = |until| running(until).map(|until| seconds((until - now).max(0)));
        let (whole, item) = (left(exam.ends_at()), left(exam.item_deadline()));
        let told = exam.end().is_none() && (exam.is_paused() || whole.is_some() || item.is_some());
        told.then(|| Self { paused: exam.is_paused(), seconds_left: whole, item_seconds_left: item })
    }
}

/// Reply of `POST /start`.
#[derive(Debug, Serialize)]
pub struct StartReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    max_items: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_theta: Option<f64>,
    item: Option<ItemReply>,
    items_completed: usize,
    resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<TimeReply>,
    message: &'static str,
}

impl StartReply {
    /// The reply to the start of an exam, the same after later answers; a resumed exam is described as it is now.
    pub fn of(exam: &Exam, origin: Origin, view: View, now: i64) -> Self {
        let first = match exam.entries().first().map(|entry| &entry.event) {
            Some(Event::Started { next: Next::Item(item), .. }) => ItemReply::of(exam, *item),
            _ => None,
        };
        let resumed = origin == Origin::Open;
        Self {
            exam_session_id: exam.head().id,
            status: "in_progress",
            exam_type: exam.head().exam_type.clone(),
            max_items: exam.head().policy.stop.max_items,
            initial_theta: view.ability.then(|| exam.initial_theta()),
            item: if resumed { ItemReply::current(exam) } else { first },
            items_completed: if resumed { exam.items_completed() } else { 0 },
            resumed,
            time: TimeReply::at(exam, now),
            message: if resumed { "Adaptive exam resumed" } else { "Adaptive exam started successfully" },
        }
    }
}

/// The current ability, if the caller may see it.
#[derive(Debug, Serialize)]
struct CurrentAbility {
    current_theta: f64,
    standard_error: Option<f64>,
}

/// Reply of `GET /next`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum NextReply {
    /// The current item.
    Item(OpenReply),
    /// The exam has ended.
    Finished {
        /// `true`.
        completed: bool,
        /// The result.
        #[serde(flatten)]
        result: ResultReply,
    },
}

/// An open exam.
#[derive(Debug, Serialize)]
pub struct OpenReply {
    item: Option<Box<ItemReply>>,
    #[serde(flatten)]
    ability: Option<CurrentAbility>,
    items_completed: usize,
    max_items: u32,
    completed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<TimeReply>,
}

impl NextReply {
    /// The reply to `next` on this exam.
    pub fn of(exam: &Exam, view: View, now: i64) -> Self {
        if exam.end().is_some() {
            return Self::Finished { completed: true, result: ResultReply::of(exam, view) };
        }
        let Ability { theta, standard_error } = exam.ability();
        Self::Item(OpenReply {
            item: ItemReply::current(exam).map(Box::new),
            ability: view.ability.then_some(CurrentAbility { current_theta: theta, standard_error }),
            items_completed: exam.items_completed(),
            max_items: exam.head().policy.stop.max_items,
            completed: false,
            time: TimeReply::at(exam, now),
        })
    }
}

/// An ability, if the caller may see it.
#[derive(Debug, Serialize)]
struct AbilityReply {
    theta: f64,
    standard_error: Option<f64>,
}

/// The ability after an answer, if the caller may see it.
#[derive(Debug, Serialize)]
struct AbilityAfter {
    #[serde(flatten)]
    ability: AbilityReply,
    #[serde(skip_serializing_if = "is_false")]
    coarse: bool,
}

/// Reply of `POST /answer`.
#[derive(Debug, Serialize)]
pub struct AnswerReply {
    #[serde(flatten)]
    ability: Option<AbilityAfter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    late: bool,
    items_completed: usize,
    completed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemReply>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relaxed: Vec<Constraint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<TimeReply>,
}

impl AnswerReply {
    /// The reply to the answer at `seq`, equal to the first reply except for the remaining time; `None` if there is
    /// no answer at `seq`.
    pub fn of(exam: &Exam, seq: i64, view: View, now: i64) -> Option<Self> {
        let place = usize::try_from(seq).ok()?;
        let Event::Answered {
            category, missing, late, theta, standard_error, coarse, next, constrained, ..
        } = &exam.entries().get(place)?.event
        else {
            return None;
        };
        let (item, end) = match next {
            Next::Item(item) => (ItemReply::of(exam, *item), None),
            Next::End(reason) => (None, Some(reason.as_str())),
        };
        let answers = exam.entries()[..=place].iter().filter(|entry| entry.event.kind() == "answered");
        let ability = AbilityReply { theta: *theta, standard_error: *standard_error };
        let ability = AbilityAfter { ability, coarse: *coarse };
        Some(Self {
            ability: view.ability.then_some(ability),
            correct: (view.correct && !missing).then_some(*category > 0),
            late: *late,
            items_completed: answers.count(),
            completed: end.is_some(),
            termination_reason: end,
            item,
            relaxed: if view.ability { constrained.relaxed.clone() } else { Vec::new() },
            time: TimeReply::at(exam, now),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
