//! The events of an exam, and why one does not fit.
//!
//! Input: none. Output: plain values with a text form by serde. Items are counted from 0. Must not know: where
//! events are stored.

use crate::ability::Ability;
use crate::constraint::Constrained;
use crate::stop::EndReason;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What comes after an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// This item, counted from 0.
    Item(usize),
    /// The end.
    End(EndReason),
}

/// The exam began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The first item.
    pub next: Next,
    /// The ability it was chosen for.
    pub ability: Ability,
    /// What constrained the choice.
    #[serde(default, skip_serializing_if = "Constrained::is_none")]
    pub constrained: Constrained,
}

/// What an answer counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// This category: 0 wrong and 1 right under the logistic models.
    Category(u8),
    /// No response: it is not scored and carries no information.
    Missing,
}

impl From<u8> for Given {
    fn from(category: u8) -> Self {
        Self::Category(category)
    }
}

/// An item was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The item, counted from 0.
    pub item: usize,
    /// The category given: 0 wrong and 1 right under the logistic models.
    pub category: u8,
    /// Whether there is no response: the item was shown and is not scored; `category` is 0 then and says nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub missing: bool,
    /// The estimate from this and all earlier answers that are scored.
    pub ability: Ability,
    /// The next item or the end.
    pub next: Next,
    /// What constrained the choice.
    #[serde(default, skip_serializing_if = "Constrained::is_none")]
    pub constrained: Constrained,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Answered {
    /// What the answer counts as.
    pub fn given(&self) -> Given {
        if self.missing { Given::Missing } else { Given::Category(self.category) }
    }
}

/// An event of an exam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The exam began.
    Started(Started),
    /// An item was answered.
    Answered(Answered),
    /// The exam was ended.
    Completed {
        /// Why.
        reason: EndReason,
    },
    /// The ended exam goes on.
    Reopened {
        /// The next item: the one that was current, or a new one if the exam ended with an answer.
        next: Next,
        /// What constrained the choice.
        #[serde(default, skip_serializing_if = "Constrained::is_none")]
        constrained: Constrained,
    },
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The exam has not ended.
    NotEnded,
    /// The exam has not started.
    NotStarted,
    /// The exam is over.
    Ended,
    /// Another item is on the screen.
    NotCurrent {
        /// That one.
        current: usize,
    },
    /// The item has no such category.
    Category,
}

/// Why an event does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayError {
    /// It comes at the wrong time.
    Order(&'static str),
    /// Its item is not the one on the screen.
    Item(usize),
    /// Its item has no such category.
    Category(u8),
    /// Its next item is not in the bank, or was used.
    Next(usize),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(what) => f.write_str(what),
            Self::Item(item) => write!(f, "item {item} (from 0) is not on the screen"),
            Self::Category(category) => write!(f, "the item has no category {category}"),
            Self::Next(item) => write!(f, "next item {item} (from 0) is unknown or used"),
        }
    }
}

impl std::error::Error for ReplayError {}
