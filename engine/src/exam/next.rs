//! What comes next in an exam: the decisions, which change nothing.

use super::Exam;
use crate::ability::{Ability, Posterior};
use crate::constraint::{self, Constrained, Content, Eligible, Outside, Stage};
use crate::curve::Curve;
use crate::event::{Answered, Next, Refusal, Started};
use crate::random::Random;
use crate::select::{Penalties, Situation};
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
        category: u8,
        outside: &Outside<'_>,
    ) -> Result<Answered, Refusal> {
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
        let told = self.is_scored(item);
        let mut answers = self.answers();
        if told && self.reads_answers() {
            answers.push((curve, usize::from(category)));
        }
        let ability = if told { self.after(item, category, &answers) } else { self.ability };
        let most_information = || self.most_information(ability);
        let position = self.steps.len() + 1;
        let progress = Progress {
            position,
            scored: self.steps.iter().filter(|step| self.is_scored(step.item)).count() + usize::from(told),
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
        Ok(Answered { item, category, ability, next, constrained })
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
        let open = eligible.as_ref().map_or(self.open.as_slice(), |eligible| &eligible.open);
        let tried = eligible.as_ref().is_some_and(|eligible| eligible.field_test);
        let at = self.situation(open, ability, answers, position);
        let item = if tried { any(&at) } else { self.pick(&at, &shown) };
        let constrained =
            eligible.map_or_else(Constrained::default, |Eligible { constrained, .. }| constrained);
        (item.map_or(Next::End(EndReason::BankExhausted), Next::Item), constrained)
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

/// Any open item.
fn any(at: &Situation<'_>) -> Option<usize> {
    crate::select::Selection::Random.choose(at)
}
