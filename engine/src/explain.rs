//! Why an exam administered an item.
//!
//! Input: an exam and a position in it. Output: the candidates with their values, the items that were not eligible
//! and why, and the relaxed constraints. Computed from the exam's answers and from the shared counts stored in its
//! events, so it repeats the situation of that step. Must not know: the current shared counts.

use crate::ability::Ability;
use crate::constraint::{Constraint, Exposure, Outside, eligible};
use crate::event::{Event, Next, Started};
use crate::exam::Exam;
use crate::stop::EndReason;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why an item was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Its position in the exam, counted from 0.
    pub position: usize,
    /// The item, counted from 0.
    pub item: usize,
    /// The ability it was chosen for.
    pub ability: Ability,
    /// Who chose it.
    pub chosen_by: ChosenBy,
    /// The items it was chosen from, the best by the criterion first.
    pub candidates: Vec<Candidate>,
    /// Items that were not shown before and still could not be chosen.
    pub ineligible: Vec<Ineligible>,
    /// Constraints that would have left no item, and were passed over.
    pub relaxed: Vec<Constraint>,
}

/// Who chose an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The policy: it is one of its first items.
    Start,
    /// Chance, among the items to try out.
    FieldTest,
    /// The criterion.
    Criterion,
}

/// An item that could have been chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The item, counted from 0.
    pub item: usize,
    /// Its value under the criterion; under one that draws, its information.
    pub value: f64,
}

/// An item that could not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ineligible {
    /// The item, counted from 0.
    pub item: usize,
    /// What kept it out.
    pub by: Constraint,
}

impl Exam {
    /// Why the item at a position, counted from 0, was shown; `None` if none was.
    pub fn explain(&self, position: usize) -> Option<Explanation> {
        let item = self.shown().nth(position)?;
        let held_back = &self.constrained(position)?.held_back;
        let then = self.before(position)?;
        let shown: Vec<usize> = then.shown().collect();
        let outside = Outside { exposure: Exposure::HeldBack(held_back), ..Outside::default() };
        let found = eligible(&then.stage(&shown, &outside));
        let chosen_by = match (then.fixed(position), found.field_test) {
            (Some(_), _) => ChosenBy::Start,
            (None, true) => ChosenBy::FieldTest,
            (None, false) => ChosenBy::Criterion,
        };
        let answers = then.all_answers();
        let at = then.situation(&found.open, then.ability(), &answers, position);
        let selection = self.policy().selection;
        let values = selection.values(&at);
        let penalties = then.penalties(&shown);
        let mut order = match selection.has_value() {
            true => selection.best(&at, usize::MAX, penalties.as_ref()),
            false => (0..values.len()).filter(|item| found.open[*item]).collect(),
        };
        if !selection.has_value() {
            order.sort_by(|one, other| values[*other].total_cmp(&values[*one]).then(one.cmp(other)));
        }
        let closed = found.closed_by.iter().enumerate();
        Some(Explanation {
            position,
            item,
            ability: then.ability(),
            chosen_by,
            candidates: order.into_iter().map(|item| Candidate { item, value: values[item] }).collect(),
            ineligible: closed.filter_map(|(item, by)| Some(Ineligible { item, by: (*by)? })).collect(),
            relaxed: found.constrained.relaxed,
        })
    }

    /// The exam as it was before it showed the item at a position.
    fn before(&self, position: usize) -> Option<Self> {
        let mut exam = Self::new(Arc::clone(self.bank()), self.policy().clone(), self.seed());
        let shown: Vec<usize> = self.shown().collect();
        if position > 0 {
            let (next, ability) = (Next::Item(shown[0]), exam.ability());
            let constrained = self.constrained(0)?.clone();
            exam.apply(&Event::Started(Started { next, ability, constrained })).ok()?;
        }
        for (index, step) in self.steps().iter().take(position).enumerate() {
            // The last one leads to the choice that is asked about: nothing is next yet.
            let next = match index + 1 == position {
                true => Next::End(EndReason::Manual),
                false => Next::Item(shown[index + 1]),
            };
            exam.record(step.item, step.category, next, step.constrained.clone()).ok()?;
        }
        Some(exam)
    }
}
