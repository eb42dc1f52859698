//! An exam as a fold over its events.
//!
//! Input: a bank, a policy, a seed, and events. Output: the next event, decided without changing the exam, and the
//! state after an event. Abilities are recomputed from the answers; item choices are taken from the events. Must
//! not know: who answers, where events are stored, the time.

mod next;

use crate::ability::{Ability, Posterior};
use crate::bank::Bank;
use crate::constraint::Constrained;
use crate::curve::Curve;
use crate::estimate::{Estimate, Estimator};
use crate::event::{Answered, Event, Given, Next, ReplayError};
use crate::policy::{Policy, WhileConstant};
use crate::random::Random;
use crate::stop::EndReason;
use crate::table::Table;
use std::sync::Arc;

/// Keeps the draw of the start ability apart from those of the steps.
const START: usize = usize::MAX;

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
    /// The ability it started with.
    start: Ability,
    /// What constrained the choice of the first item.
    first: Constrained,
    open: Vec<bool>,
    steps: Vec<Answered>,
    next: Option<Next>,
    /// The item that was current when the exam was ended without an answer.
    interrupted: Option<usize>,
}

impl Exam {
    /// An exam that has not started.
    pub fn new(bank: Arc<Bank>, policy: Policy, seed: u64) -> Self {
        let (posterior, table, standard_error) = match policy.estimator {
            Estimator::Eap { prior, grid } => {
                (Some(Posterior::new(prior, grid)), bank.table(grid), prior.ability().standard_error)
            }
            Estimator::AdaptiveEap { prior, .. } | Estimator::Map { prior, .. } => {
                (None, None, prior.ability().standard_error)
            }
            Estimator::Ml { .. } | Estimator::Wl { .. } => (None, None, None),
        };
        let off = if policy.start.band > 0.0 { 2.0 * Random::of(seed, START).unit() - 1.0 } else { 0.0 };
        let ability = Ability { theta: policy.start.theta + off * policy.start.band, standard_error };
        let open = vec![true; bank.len()];
        let steps = Vec::with_capacity((policy.stop.max_items as usize).min(bank.len()));
        Self {
            bank,
            policy,
            seed,
            posterior,
            table,
            ability,
            start: ability,
            first: Constrained::default(),
            open,
            steps,
            next: None,
            interrupted: None,
        }
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

    pub(crate) fn all_answers(&self) -> Vec<(&Curve, usize)> {
        let mut answers = Vec::with_capacity(self.steps.len() + 1);
        answers.extend(
            self.steps
                .iter()
                .filter(|step| self.is_scored(step))
                .map(|step| (&self.bank.curves()[step.item], usize::from(step.category))),
        );
        answers
    }

    fn is_scored(&self, step: &Answered) -> bool {
        !step.missing && self.counts(step.item)
    }

    /// Whether answers to this item are scored: it is not on field test.
    fn counts(&self, item: usize) -> bool {
        !self.bank.structure().is_field_test(item)
    }

    /// The estimate from all these answers; `on_grid` gives it where there is a posterior.
    fn estimate(&self, answers: &[(&Curve, usize)], on_grid: impl Fn(&Posterior) -> Ability) -> Ability {
        let lowest = answers.iter().all(|(_, category)| *category == 0);
        let highest = answers.iter().all(|(curve, category)| category + 1 == curve.categories());
        match (self.policy.while_constant, &self.posterior) {
            (Some(WhileConstant::Step(step)), _) if lowest || highest => {
                let way = answers.len() as f64 * if highest { step } else { -step };
                Ability { theta: self.start.theta + way, standard_error: None }
            }
            (Some(WhileConstant::Estimator(other)), _) if lowest || highest => {
                other.estimate(answers).ability
            }
            (_, Some(posterior)) => on_grid(posterior),
            (_, None) => self.policy.estimator.estimate(answers).ability,
        }
    }

    /// Takes an event in; the ability is computed anew.
    ///
    /// # Errors
    /// It does not fit; the exam is as before.
    pub fn apply(&mut self, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::Started(_) if self.next.is_some() => Err(ReplayError::Order("the exam has started")),
            Event::Started(started) => {
                self.set_next(started.next.clone())?;
                self.first = started.constrained.clone();
                Ok(())
            }
            Event::Answered(answered) => {
                let Answered { item, next, constrained, .. } = answered;
                self.record(*item, answered.given(), next.clone(), constrained.clone()).map(drop)
            }
            Event::Completed { reason } => match self.next {
                Some(Next::Item(item)) => {
                    self.interrupted = Some(item);
                    self.next = Some(Next::End(*reason));
                    Ok(())
                }
                _ => Err(ReplayError::Order("only an exam that goes on can be completed")),
            },
            Event::Reopened { next, .. } => match (&self.next, self.interrupted, next) {
                (Some(Next::End(_)), Some(item), Next::Item(again)) if item == *again => {
                    self.interrupted = None;
                    self.next = Some(next.clone());
                    Ok(())
                }
                (Some(Next::End(_)), None, Next::Item(_)) => self.set_next(next.clone()),
                _ => Err(ReplayError::Order("only an ended exam can be reopened, with an item")),
            },
        }
    }

    /// Takes an answer and what came after it in, and gives the ability that follows.
    ///
    /// # Errors
    /// It does not fit; the exam is as before.
    pub fn record(
        &mut self,
        item: usize,
        given: impl Into<Given>,
        next: Next,
        constrained: Constrained,
    ) -> Result<Ability, ReplayError> {
        let (category, missing) = match given.into() {
            Given::Category(category) => (category, false),
            Given::Missing => (0, true),
        };
        let bank = Arc::clone(&self.bank);
        match self.next {
            Some(Next::Item(current)) if current != item => return Err(ReplayError::Item(item)),
            Some(Next::Item(_)) if usize::from(category) >= bank.curves()[item].categories() => {
                return Err(ReplayError::Category(category));
            }
            Some(Next::Item(_)) => self.set_next(next.clone())?,
            _ => return Err(ReplayError::Order("only an exam that goes on can be answered")),
        }
        let scored = !missing && self.counts(item);
        if let Some(posterior) = &mut self.posterior
            && scored
        {
            let logs = self.table.as_ref().map(|table| table.logs(item, usize::from(category)));
            posterior.observe_with(&bank.curves()[item], usize::from(category), logs);
        }
        self.steps.push(Answered { item, category, missing, ability: self.ability, next, constrained });
        if !scored {
            return Ok(self.ability);
        }
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

    /// The estimate from all scored answers; before the first, the start ability and the prior's sd.
    pub fn ability(&self) -> Ability {
        self.ability
    }

    /// The result: the final estimator's, from all scored answers.
    pub fn result(&self) -> Estimate {
        let estimator = self.policy.final_estimator.unwrap_or(self.policy.estimator);
        match &self.posterior {
            // It has every scored answer in it already.
            Some(posterior) if estimator == self.policy.estimator => Estimate::of_mean(posterior),
            _ => estimator.estimate(&self.all_answers()),
        }
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

    /// Number of answers that are scored: those to items on field test and missing ones are not.
    pub fn items_scored(&self) -> usize {
        self.steps.iter().filter(|step| self.is_scored(step)).count()
    }

    /// Number of answers.
    pub fn items_completed(&self) -> usize {
        self.steps.len()
    }

    /// Items that were shown, in order: those that were answered, and the one on the screen.
    pub fn shown(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().map(|step| step.item).chain(self.current_item())
    }

    /// What constrained the choice of the item at a position, counted from 0.
    pub fn constrained(&self, position: usize) -> Option<&Constrained> {
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(before) => self.steps.get(before).map(|step| &step.constrained),
        }
    }

    /// Bytes of its own that it takes in memory, about: bank and tables are shared and do not count.
    pub fn size(&self) -> usize {
        let posterior = self.posterior.as_ref().map_or(0, |posterior| posterior.nodes().len() * 2);
        let steps = self.steps.capacity() * size_of::<Answered>();
        size_of::<Self>() + self.open.len() + posterior * size_of::<f64>() + steps
    }

    /// The items.
    pub fn bank(&self) -> &Arc<Bank> {
        &self.bank
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
