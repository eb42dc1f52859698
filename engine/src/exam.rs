//! An exam as the fold of its events.
//!
//! Comes in: a bank, a policy, a seed, and events. Goes out: the next event, decided without changing
//! anything, and the state after an event. Abilities are computed anew from the answers, items are not
//! chosen anew. Must not know: who answers, where events are kept, what time it is.

use crate::ability::{Ability, Posterior};
use crate::bank::Bank;
use crate::curve::Curve;
use crate::estimate::{Estimate, Estimator};
use crate::policy::{Policy, WhileConstant};
use crate::select::Situation;
use crate::stop::{EndReason, Progress};
use crate::table::Table;
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
    /// The category given: 0 wrong and 1 right under the logistic models.
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

/// An exam.
#[derive(Clone, Debug)]
pub struct Exam {
    bank: Arc<Bank>,
    policy: Policy,
    seed: u64,
    /// The answers so far, where the estimator works on a grid.
    posterior: Option<Posterior>,
    /// The numbers of that grid, if the bank is not too large.
    table: Option<Arc<Table>>,
    ability: Ability,
    open: Vec<bool>,
    steps: Vec<Answered>,
    next: Option<Next>,
}

impl Exam {
    /// An exam that has not started.
    pub fn new(bank: Arc<Bank>, policy: Policy, seed: u64) -> Self {
        let (posterior, table, standard_error) = match policy.estimator {
            Estimator::Eap { prior, grid } => {
                (Some(Posterior::new(prior, grid)), bank.table(grid), prior.ability().standard_error)
            }
            Estimator::Map { prior, .. } => (None, None, prior.ability().standard_error),
            Estimator::Ml { .. } | Estimator::Wl { .. } => (None, None, None),
        };
        let ability = Ability { theta: policy.start_theta, standard_error };
        let open = vec![true; bank.len()];
        let steps = Vec::with_capacity((policy.stop.max_items as usize).min(bank.len()));
        Self { bank, policy, seed, posterior, table, ability, open, steps, next: None }
    }

    /// The event that starts it.
    pub fn decide_start(&self) -> Started {
        Started { next: self.select(self.ability, &[], 0), ability: self.ability }
    }

    /// The event of an answer.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn decide_answer(&self, item: usize, category: u8) -> Result<Answered, Refusal> {
        match self.next {
            None => return Err(Refusal::NotStarted),
            Some(Next::End(_)) => return Err(Refusal::Ended),
            Some(Next::Item(current)) if current != item => return Err(Refusal::NotCurrent { current }),
            Some(Next::Item(_)) => {}
        }
        let curve = &self.bank.curves()[item];
        let category = usize::from(category);
        if category >= curve.categories() {
            return Err(Refusal::Category);
        }
        let mut answers = self.answers();
        if self.reads_answers() {
            answers.push((curve, category));
        }
        let position = self.steps.len() + 1;
        let ability = self.estimate(&answers, |posterior| {
            let logs = self.table.as_ref().map(|table| table.logs(item, category));
            posterior.ability_after(curve, category, logs)
        });
        let before = self.ability;
        let most_information = || self.most_information(ability);
        let progress =
            Progress { position, ability, before, answers: &answers, most_information: &most_information };
        let next = match self.policy.stop.reason(&progress) {
            Some(reason) => Next::End(reason),
            None => self.select(ability, &answers, position),
        };
        #[expect(clippy::cast_possible_truncation, reason = "it came as a u8")]
        Ok(Answered { item, category: category as u8, ability, next })
    }

    /// Whether the answers themselves are needed again with each step. Where they are not, a step
    /// allocates nothing.
    fn reads_answers(&self) -> bool {
        self.posterior.is_none()
            || self.policy.while_constant.is_some()
            || self.policy.selection.reads_answers()
            || self.policy.stop.reads_answers()
    }

    /// The answers, where a step needs them again.
    fn answers(&self) -> Vec<(&Curve, usize)> {
        if self.reads_answers() { self.all_answers() } else { Vec::new() }
    }

    fn all_answers(&self) -> Vec<(&Curve, usize)> {
        let mut answers = Vec::with_capacity(self.steps.len() + 1);
        answers.extend(
            self.steps.iter().map(|step| (&self.bank.curves()[step.item], usize::from(step.category))),
        );
        answers
    }

    /// The estimate from all these answers; `on_grid` gives it where there is a posterior.
    fn estimate(&self, answers: &[(&Curve, usize)], on_grid: impl Fn(&Posterior) -> Ability) -> Ability {
        let lowest = answers.iter().all(|(_, category)| *category == 0);
        let highest = answers.iter().all(|(curve, category)| category + 1 == curve.categories());
        match (self.policy.while_constant, &self.posterior) {
            (Some(WhileConstant::Step(step)), _) if lowest || highest => {
                let way = answers.len() as f64 * if highest { step } else { -step };
                Ability { theta: self.policy.start_theta + way, standard_error: None }
            }
            (Some(WhileConstant::Estimator(other)), _) if lowest || highest => {
                other.estimate(answers).ability
            }
            (_, Some(posterior)) => on_grid(posterior),
            (_, None) => self.policy.estimator.estimate(answers).ability,
        }
    }

    fn most_information(&self, ability: Ability) -> f64 {
        let best = crate::select::maximum_information(&self.bank, ability.theta, &self.open);
        best.map_or(0.0, |item| self.bank.curves()[item].information(ability.theta))
    }

    fn select(&self, ability: Ability, answers: &[(&Curve, usize)], position: usize) -> Next {
        let length = self.policy.stop.max_items as usize;
        let (bank, open, seed) = (&*self.bank, self.open.as_slice(), self.seed);
        let chosen =
            self.policy.selection.choose(&Situation { bank, open, ability, answers, position, length, seed });
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
        let bank = Arc::clone(&self.bank);
        match self.next {
            Some(Next::Item(current)) if current != item => return Err(ReplayError::Item(item)),
            Some(Next::Item(_)) if usize::from(category) >= bank.curves()[item].categories() => {
                return Err(ReplayError::Category(category));
            }
            Some(Next::Item(_)) => self.set_next(next.clone())?,
            _ => return Err(ReplayError::Order("only an exam that goes on can be answered")),
        }
        if let Some(posterior) = &mut self.posterior {
            let logs = self.table.as_ref().map(|table| table.logs(item, usize::from(category)));
            posterior.observe_with(&bank.curves()[item], usize::from(category), logs);
        }
        self.steps.push(Answered { item, category, ability: self.ability, next });
        let ability = self.estimate(&self.answers(), Posterior::ability);
        self.ability = ability;
        if let Some(step) = self.steps.last_mut() {
            step.ability = ability;
        }
        Ok(ability)
    }

    fn set_next(&mut self, next: Next) -> Result<(), ReplayError> {
        if let Next::Item(item) = next {
            match self.open.get_mut(item) {
                Some(open) if *open => *open = false,
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

    /// The result: the final estimator's, from all answers.
    pub fn result(&self) -> Estimate {
        self.policy.final_estimator.unwrap_or(self.policy.estimator).estimate(&self.all_answers())
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

    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Source of every random choice.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
