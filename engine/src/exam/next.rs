//! The decision on what follows in an exam; it changes nothing.
//!
//! Input: an exam and values from outside. Output: the next item or the end. Must not know: how the decision is
//! applied.

use super::Exam;
use crate::ability::{Ability, Posterior};
use crate::constraint::{
    self, Constrained, Constraint, Constraints, Content, Eligible, Exposure, Outside, Stage,
};
use crate::curve::Curve;
use crate::event::{Answered, Given, Next, Refusal, Started};
use crate::exposure::{Control, Counts};
use crate::random::Random;
use crate::select::{Penalties, Priced, Selection, Situation};
use crate::stop::{EndReason, Progress};

/// Keeps the draw among the best items apart from those of the criteria.
const AMONG: u64 = 0x6c07_8965_2f1b_0e4d;

impl Exam {
    /// The event that starts it.
    pub fn decide_start(&self, outside: &Outside<'_>) -> Started {
        let (next, constrained) = self.select(self.ability, &[], None, outside);
        Started { next, ability: self.ability, constrained }
    }

    /// The event of an answer. Cost under a grid estimator and maximum information: one pass over the
    /// grid and a few items, however many answers there are, and no allocation; constraints add a few
    /// looks at each item.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn decide_answer(
        &self,
        item: usize,
        given: impl Into<Given>,
        outside: &Outside<'_>,
    ) -> Result<Answered, Refusal> {
        let (category, missing) = match given.into() {
            Given::Category(category) => (category, false),
            Given::Missing => (0, true),
        };
        match self.next {
            None => return Err(Refusal::NotStarted),
            Some(Next::End(_)) => return Err(Refusal::Ended),
            Some(Next::Item(current)) if current != item => return Err(Refusal::NotCurrent { current }),
            Some(Next::Item(_)) => {}
        }
        let curve = &self.bank.curves()[item];
        if usize::from(category) >= curve.categories() {
            return Err(Refusal::Category);
        }
        let told = !missing && self.counts(item);
        let mut answers = self.answers();
        if told && self.reads_answers() {
            answers.push((curve, usize::from(category)));
        }
        let ability = if told { self.after(item, category, &answers) } else { self.ability };
        let most_information = || self.most_information(ability);
        let position = self.steps.len() + 1;
        let progress = Progress {
            position,
            scored: self.items_scored() + usize::from(told),
            told,
            elapsed: outside.elapsed,
            ability,
            before: self.ability,
            answers: &answers,
            most_information: &most_information,
        };
        let (next, constrained) = match self.policy.stop.reason(&progress) {
            Some(reason) => (Next::End(reason), Constrained::default()),
            None => self.select(ability, &answers, Some(item), outside),
        };
        Ok(Answered { item, category, missing, ability, next, constrained })
    }

    /// The next item of an ended exam that is to go on: the one that was current, or a new one if the exam ended
    /// with an answer. It is the end if no item is left.
    ///
    /// # Errors
    /// The exam has not ended.
    pub fn decide_reopen(&self, outside: &Outside<'_>) -> Result<(Next, Constrained), Refusal> {
        match (&self.next, self.interrupted) {
            (Some(Next::End(_)), Some(item)) => Ok((Next::Item(item), Constrained::default())),
            (Some(Next::End(_)), None) => Ok(self.select(self.ability, &self.answers(), None, outside)),
            _ => Err(Refusal::NotEnded),
        }
    }

    fn after(&self, item: usize, category: u8, answers: &[(&Curve, usize)]) -> Ability {
        let category = usize::from(category);
        self.estimate(answers, |posterior: &Posterior| {
            let logs = self.table.as_ref().map(|table| table.logs(item, category));
            posterior.ability_after(&self.bank.curves()[item], category, logs)
        })
    }

    fn most_information(&self, ability: Ability) -> f64 {
        let best = crate::select::maximum_information(&self.bank, ability.theta, &self.open);
        best.map_or(0.0, |item| self.bank.curves()[item].information(ability.theta))
    }

    fn select(
        &self,
        ability: Ability,
        answers: &[(&Curve, usize)],
        last: Option<usize>,
        outside: &Outside<'_>,
    ) -> (Next, Constrained) {
        let position = self.steps.len() + usize::from(last.is_some());
        if let Some(item) = self.fixed(position) {
            return (Next::Item(item), Constrained::default());
        }
        let constraints = &self.policy.constraints;
        let (shown, eligible) = match constraints.are_idle(self.bank.structure()) {
            true => (Vec::new(), None),
            false => {
                let shown: Vec<usize> = self.steps.iter().map(|step| step.item).chain(last).collect();
                let eligible = constraint::eligible(&self.stage(&shown, outside));
                (shown, Some(eligible))
            }
        };
        let Some(Eligible { open, closed_by, field_test, exposure_holds, mut constrained }) = eligible else {
            let at = self.situation(&self.open, ability, answers, position);
            return (next(self.pick(&at, &shown)), Constrained::default());
        };
        let at = self.situation(&open, ability, answers, position);
        if field_test {
            return (next(Selection::Random.choose(&at)), constrained);
        }
        let Some(counts) = self.prices(outside).filter(|_| exposure_holds) else {
            return (next(self.pick(&at, &shown)), constrained);
        };
        let held = |item: usize| closed_by[item] == Some(Constraint::Exposure);
        let before: Vec<usize> = self.wanted().collect();
        let Some(Priced { given, wanted, passed_over }) =
            crate::select::priced(&at, held, |item| counts.price(item), &before)
        else {
            return (next(None), constrained);
        };
        constrained.held_back = passed_over;
        constrained.wanted = wanted;
        (next(Some(given)), constrained)
    }

    /// The shared counts, where items are chosen at their prices.
    fn prices<'o>(&self, outside: &Outside<'o>) -> Option<&'o Counts> {
        let Exposure::Counts(counts) = outside.exposure else { return None };
        let Constraints { content, exposure, randomesque, .. } = &self.policy.constraints;
        let applies = exposure.is_some_and(Control::has_prices)
            && self.policy.selection == Selection::MaximumInformation
            && *randomesque <= 1
            && (self.policy.start.among <= 1 || !self.steps.is_empty())
            && !matches!(content, Some(Content::WeightedPenalty { .. }));
        applies.then_some(counts)
    }

    /// Items that were wanted and not given, in order.
    fn wanted(&self) -> impl Iterator<Item = usize> {
        (0..=self.steps.len()).filter_map(|position| self.constrained(position)?.wanted)
    }

    /// The item that the policy fixes for a position.
    pub(crate) fn fixed(&self, position: usize) -> Option<usize> {
        let item = *self.policy.start.items.get(position)?;
        self.open.get(item).is_some_and(|open| *open).then_some(item)
    }

    pub(crate) fn stage<'a>(&'a self, shown: &'a [usize], outside: &Outside<'a>) -> Stage<'a> {
        Stage {
            bank: &self.bank,
            constraints: &self.policy.constraints,
            unused: &self.open,
            shown,
            seed: self.seed,
            exposure: outside.exposure,
        }
    }

    pub(crate) fn situation<'a>(
        &'a self,
        open: &'a [bool],
        ability: Ability,
        answers: &'a [(&'a Curve, usize)],
        position: usize,
    ) -> Situation<'a> {
        let length = self.policy.stop.max_items as usize;
        Situation { bank: &self.bank, open, ability, answers, position, length, seed: self.seed }
    }

    fn pick(&self, at: &Situation<'_>, shown: &[usize]) -> Option<usize> {
        let among = match at.position {
            0 => self.policy.start.among.max(self.policy.constraints.randomesque),
            _ => self.policy.constraints.randomesque,
        };
        let penalties = self.penalties(shown);
        if among <= 1 && penalties.is_none() {
            return self.policy.selection.choose(at);
        }
        let best = self.policy.selection.best(at, among.max(1) as usize, penalties.as_ref());
        best.get(Random::of(self.seed ^ AMONG, at.position).below(best.len())).copied()
    }

    /// What content asks of each item, where that is a matter of penalties.
    pub(crate) fn penalties(&self, shown: &[usize]) -> Option<Penalties> {
        let Some(Content::WeightedPenalty { bounds, weight }) = &self.policy.constraints.content else {
            return None;
        };
        let (structure, items) = (self.bank.structure(), self.bank.len());
        let length = self.policy.stop.max_items as usize;
        let by_area = constraint::penalties(bounds, structure, items, shown, length);
        let of_item =
            |item| structure.area(item).map_or((constraint::Need::Within, 0.0), |area| by_area[area]);
        Some(Penalties { items: (0..items).map(of_item).collect(), weight: *weight })
    }
}

fn next(item: Option<usize>) -> Next {
    item.map_or(Next::End(EndReason::BankExhausted), Next::Item)
}
