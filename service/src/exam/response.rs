//! The parts of an open exam that a snapshot stores: answers without what follows from them, and timing events.
//!
//! Input: the fields of an event. Output: the event in its place in the log. Must not know: snapshots, exams.

use super::event::{Constrained, Entry, Event, Next, is_false};
use super::item::{ItemId, Submitted};
use engine::{Ability, Given};
use serde::{Deserialize, Serialize};

/// An answer without the values that can be recomputed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The item.
    pub item: ItemId,
    /// What was submitted.
    pub submitted: Submitted,
    /// The graded answer: 0 wrong, 1 right.
    pub category: u8,
    /// Whether it counts as no response.
    #[serde(default, skip_serializing_if = "is_false")]
    pub missing: bool,
    /// Milliseconds the examinee took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time_ms: Option<u32>,
    /// Whether it arrived after the item's time limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// Whether the standard error after it is below the node spacing of the estimator's grid.
    #[serde(default, skip_serializing_if = "is_false")]
    pub coarse: bool,
    /// When it was decided, in milliseconds since 1970 UTC.
    pub at: i64,
    /// What constrained the choice of the next item.
    #[serde(default, skip_serializing_if = "Constrained::is_none")]
    pub constrained: Constrained,
}

/// A timing event with its position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// Its position in the log.
    pub seq: i64,
    /// When it was decided, in milliseconds since 1970 UTC.
    pub at: i64,
    /// What happened.
    pub event: Event,
}

impl Response {
    /// What it counts as.
    pub(super) fn given(&self) -> Given {
        if self.missing { Given::Missing } else { Given::Category(self.category) }
    }

    /// The answered event at this position, with the ability after it and what follows.
    pub fn entry(self, seq: i64, ability: Ability, next: Next) -> Entry {
        let Self { item, submitted, category, missing, response_time_ms, late, coarse, at, constrained } =
            self;
        let Ability { theta, standard_error } = ability;
        let event = Event::Answered {
            item,
            submitted,
            category,
            missing,
            response_time_ms,
            late,
            theta,
            standard_error,
            coarse,
            next,
            constrained,
        };
        Entry { seq, at, event }
    }
}
