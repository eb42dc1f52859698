//! An exam as the fold of its events.

use crate::ability::{Ability, Posterior};
use crate::bank::Bank;
use crate::policy::{Policy, Selection};
use crate::select;
use crate::stop::{self, EndReason};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

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
}

/// An item was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The item, counted from 0.
    pub item: usize,
    /// 0 wrong, 1 right.
    pub category: u8,
    /// The estimate from this and all earlier answers.
    pub ability: Ability,
    /// The next item or the end.
    pub next: Next,
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
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The exam has not started.
    NotStarted,
    /// The exam is over.
    Ended,
    /// Another item is on the screen.
    NotCurrent {
        /// That one.
        current: usize,
    },
    /// An answer is 0 or 1.
    Category,
}

/// Why an event does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayError {
    /// It comes at the wrong time.
    Order(&'static str),
    /// Its item is not the one on the screen.
    Item(usize),
    /// Its category is not 0 or 1.
    Category(u8),
    /// Its next item is not in the bank, or was used.
    Next(usize),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(what) => f.write_str(what),
            Self::Item(item) => write!(f, "item {item} (from 0) is not on the screen"),
            Self::Category(category) => write!(f, "category {category} is not 0 or 1"),
            Self::Next(item) => write!(f, "next item {item} (from 0) is unknown or used"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// An exam.
#[derive(Clone, Debug)]
pub struct Exam {
    bank: Arc<Bank>,
    policy: Policy,
    seed: u64,
    posterior: Posterior,
    ability: Ability,
    used: Vec<bool>,
    steps: Vec<Answered>,
    next: Option<Next>,
}

impl Exam {
    /// An exam that has not started.
    pub fn new(bank: Arc<Bank>, policy: Policy, seed: u64) -> Self {
        let posterior = Posterior::new(policy.prior, policy.grid);
        let ability =
            Ability { theta: policy.start_theta, standard_error: policy.prior.ability().standard_error };
        let used = vec![false; bank.items().len()];
        Self { bank, policy, seed, posterior, ability, used, steps: Vec::new(), next: None }
    }

    /// The event that starts it.
    pub fn decide_start(&self) -> Started {
        Started { next: self.select(self.ability, &self.used), ability: self.ability }
    }

    /// The event of an answer.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn decide_answer(&self, item: usize, category: u8) -> Result<Answered, Refusal> {
        match self.next {
            None => Err(Refusal::NotStarted),
            Some(Next::End(_)) => Err(Refusal::Ended),
            Some(Next::Item(current)) if current != item => Err(Refusal::NotCurrent { current }),
            Some(Next::Item(_)) if category > 1 => Err(Refusal::Category),
            Some(Next::Item(_)) => {
                let mut posterior = self.posterior.clone();
                posterior.observe(&self.bank.items()[item], self.bank.scaling(), category);
                let ability = posterior.ability();
                let next = match stop::rule(&self.policy, ability, self.steps.len() + 1) {
                    Some(reason) => Next::End(reason),
                    None => self.select(ability, &self.used),
                };
                Ok(Answered { item, category, ability, next })
            }
        }
    }

    fn select(&self, ability: Ability, used: &[bool]) -> Next {
        let chosen = match self.policy.selection {
            Selection::MaximumInformation => select::maximum_information(&self.bank, ability.theta, used),
        };
        chosen.map_or(Next::End(EndReason::BankExhausted), Next::Item)
    }

    /// Takes an event in; the ability is computed anew.
    ///
    /// # Errors
    /// It does not fit; the exam is as before.
    pub fn apply(&mut self, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::Started(_) if self.next.is_some() => Err(ReplayError::Order("the exam has started")),
            Event::Started(started) => self.set_next(started.next.clone()),
            Event::Answered(answered) => {
                self.record(answered.item, answered.category, answered.next.clone()).map(drop)
            }
            Event::Completed { reason } => match self.next {
                Some(Next::Item(_)) => {
                    self.next = Some(Next::End(*reason));
                    Ok(())
                }
                _ => Err(ReplayError::Order("only an exam that goes on can be completed")),
            },
        }
    }

    /// Takes an answer and what came after it in, and gives the ability that follows.
    ///
    /// # Errors
    /// It does not fit; the exam is as before.
    pub fn record(&mut self, item: usize, category: u8, next: Next) -> Result<Ability, ReplayError> {
        match self.next {
            Some(Next::Item(current)) if current != item => return Err(ReplayError::Item(item)),
            Some(Next::Item(_)) if category > 1 => return Err(ReplayError::Category(category)),
            Some(Next::Item(_)) => self.set_next(next.clone())?,
            _ => return Err(ReplayError::Order("only an exam that goes on can be answered")),
        }
        self.posterior.observe(&self.bank.items()[item], self.bank.scaling(), category);
        self.ability = self.posterior.ability();
        self.steps.push(Answered { item, category, ability: self.ability, next });
        Ok(self.ability)
    }

    fn set_next(&mut self, next: Next) -> Result<(), ReplayError> {
        if let Next::Item(item) = next {
            match self.used.get_mut(item) {
                Some(used) if !*used => *used = true,
                _ => return Err(ReplayError::Next(item)),
            }
        }
        self.next = Some(next);
        Ok(())
    }

    /// The estimate from all answers; before the first, the start ability and the prior's sd.
    pub fn ability(&self) -> Ability {
        self.ability
    }

    /// The item on the screen, counted from 0.
    pub fn current_item(&self) -> Option<usize> {
        match self.next {
            Some(Next::Item(item)) => Some(item),
            _ => None,
        }
    }

    /// Why it ended, if it has.
    pub fn end(&self) -> Option<EndReason> {
        match self.next {
            Some(Next::End(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The answers, in order.
    pub fn steps(&self) -> &[Answered] {
        &self.steps
    }

    /// Number of answers.
    pub fn items_completed(&self) -> usize {
        self.steps.len()
    }

    /// Source of every random choice.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
