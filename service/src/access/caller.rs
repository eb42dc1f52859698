//! The caller: what they may do and see.
//!
//! Input: the result of authentication. Output: decisions about access. Must not know: HTTP, tokens.

use crate::exam::Exam;
use crate::exam::event::Head;
use crate::exam::terms::pseudonym;
use contract::settings::Shown;
use serde::Deserialize;
use std::sync::Arc;

/// A role, in increasing order of rights over the exams of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes their own exams.
    Student,
    /// Lists, pauses, extends and ends all exams; answers in none.
    Proctor,
    /// May do everything: the platform, or its administrators.
    Admin,
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Their role.
    pub role: Role,
    /// The subject of their signed token.
    pub subject: Option<Arc<str>>,
    /// Extra time from their signed token, as a share of every limit.
    pub extra_time: f64,
}

/// What a caller may see of an exam's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether answers were correct.
    pub correct: bool,
    /// Ability and its standard error.
    pub ability: bool,
    /// The score.
    pub score: bool,
}

impl View {
    /// Everything.
    pub const WHOLE: Self = Self { correct: true, ability: true, score: true };
}

impl Caller {
    /// A trusted caller: authentication is off, or they hold a token of the service.
    pub fn trusted() -> Self {
        Self { role: Role::Admin, subject: None, extra_time: 0.0 }
    }

    /// Whether they may start exams and answer in them.
    pub fn may_sit(&self) -> bool {
        self.role != Role::Proctor
    }

    /// Whether they may access an exam.
    pub fn may_access(&self, exam: &Exam) -> bool {
        if self.role > Role::Student {
            return true;
        }
        let Head { seed, terms, .. } = exam.head();
        self.subject
            .as_deref()
            .is_some_and(|subject| terms.owner.as_deref() == Some(&*pseudonym(subject, *seed)))
    }

    /// What they may see of an exam.
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
