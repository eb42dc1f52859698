//! Who calls, and what they may do and see.
//!
//! Comes in: what the door made of a request's credentials. Goes out: yes or no. Must not know: HTTP, tokens.

use crate::exam::Exam;
use crate::exam::event::Head;
use crate::exam::terms::mark;
use contract::settings::Shown;
use serde::Deserialize;
use std::sync::Arc;

/// What a caller is trusted with; a later one may do all that an earlier one may with others' exams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sits exams: their own.
    Student,
    /// Watches exams: lists, pauses, extends and ends anybody's, and answers in nobody's.
    Proctor,
    /// Does all there is: the platform itself, or somebody who runs it.
    Admin,
}

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// What they are trusted with.
    pub role: Role,
    /// Their name in a signed token.
    pub subject: Option<Arc<str>>,
    /// Share of extra time that a signed token gives them.
    pub extra_time: f64,
}

/// What a caller sees of an exam's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether answers were right.
    pub correct: bool,
    /// Ability and its standard error.
    pub ability: bool,
    /// The score.
    pub score: bool,
}

impl View {
    /// All of it.
    pub const WHOLE: Self = Self { correct: true, ability: true, score: true };
}

impl Caller {
    /// Whoever needs no signed token, or holds one of the service's own.
    pub fn trusted() -> Self {
        Self { role: Role::Admin, subject: None, extra_time: 0.0 }
    }

    /// Whether they may sit an exam: start one, and answer.
    pub fn may_sit(&self) -> bool {
        self.role != Role::Proctor
    }

    /// Whether an exam is there for them.
    pub fn may_access(&self, exam: &Exam) -> bool {
        if self.role > Role::Student {
            return true;
        }
        let Head { seed, terms, .. } = exam.head();
        self.subject.as_deref().is_some_and(|subject| terms.owner.as_deref() == Some(&*mark(subject, *seed)))
    }

    /// What they see of an exam.
    pub fn view(&self, exam: &Exam) -> View {
        if self.role > Role::Student {
            return View::WHOLE;
        }
        let shown = |part: Shown| exam.head().terms.shown.contains(&part);
        View {
            correct: shown(Shown::Correct),
            ability: shown(Shown::Ability),
            score: shown(Shown::Score) && exam.end().is_some(),
        }
    }
}
