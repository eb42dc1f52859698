//! Constraints on the next item.
//!
//! Input: the items administered so far, and the constraints of a policy. Output: which items are eligible, why the
//! others are not, and which constraints were relaxed. Constraints are applied in this order: field test, enemies,
//! item sets, content, exposure. One that would leave no item is relaxed, so exposure is relaxed first and enemies
//! last. Must not know: abilities, criteria, when an exam ends.

mod content;

pub use content::{Bounds, Content};
pub(crate) use content::{Need, penalties};

use crate::attributes::Structure;
use crate::bank::Bank;
use crate::exposure::{Control, Counts};
use serde::{Deserialize, Serialize};

/// What a policy asks of the items of an exam, beside measuring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constraints {
    /// How content areas are balanced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// How often an item may be met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Control>,
    /// The item is drawn among so many of the best (Kingsbury & Zara, 1989); 1 takes the best.
    pub randomesque: u32,
    /// At most so many items of a set; absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_per_set: Option<u32>,
    /// Positions, counted from 1, at which an item is tried out instead of a scored one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub field_test: Vec<u32>,
}

impl Default for Constraints {
    fn default() -> Self {
        Self { content: None, exposure: None, randomesque: 1, items_per_set: None, field_test: Vec::new() }
    }
}

/// A constraint, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// At chosen positions an item is tried out, and nowhere else.
    FieldTest,
    /// No two enemies are in one exam.
    Enemies,
    /// A set's items come one after the other, and not more than so many.
    ItemSet,
    /// Content areas are balanced.
    Content,
    /// No item is met too often.
    Exposure,
}

/// What constrained a choice, as events keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constrained {
    /// Constraints that would have left no item, and were passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relaxed: Vec<Constraint>,
    /// Items that shared counts held back, counted from 0: a replay cannot know the counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<usize>,
    /// The item that would have been chosen at its price, had exposure held none back; once in an exam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<usize>,
}

impl Constrained {
    /// Whether nothing constrained it.
    pub fn is_none(&self) -> bool {
        self.relaxed.is_empty() && self.held_back.is_empty() && self.wanted.is_none()
    }
}

/// What an exam cannot know from its own events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outside<'a> {
    /// Exposure, as far as it is shared with other exams.
    pub exposure: Exposure<'a>,
    /// Time since the start, in seconds.
    pub elapsed: f64,
}

/// Exposure, as far as it is shared with other exams.
#[derive(Clone, Copy, Debug, Default)]
pub enum Exposure<'a> {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// Counts over all exams.
    Counts(&'a Counts),
    /// A replay: these items were held back.
    HeldBack(&'a [usize]),
}

/// Where an exam stands, as far as constraints look at it.
pub(crate) struct Stage<'a> {
    pub bank: &'a Bank,
    pub constraints: &'a Constraints,
    /// Items that were not shown yet.
    pub unused: &'a [bool],
    /// Items that were shown, in order.
    pub shown: &'a [usize],
    pub seed: u64,
    pub exposure: Exposure<'a>,
}

/// Which items may come next.
#[derive(Debug, Default)]
pub(crate) struct Eligible {
    /// Whether each item may.
    pub open: Vec<bool>,
    /// Why each other may not; none for those that were shown.
    pub closed_by: Vec<Option<Constraint>>,
    /// Whether the item is tried out.
    pub field_test: bool,
    /// Whether exposure was asked, and not relaxed.
    pub exposure_holds: bool,
    pub constrained: Constrained,
}

impl Constraints {
    /// Whether a step has nothing to look at but which items were used.
    pub(crate) fn are_idle(&self, structure: &Structure) -> bool {
        !structure.is_binding() && self.content.is_none() && self.exposure.is_none()
    }

    /// Whether content is a matter of penalties.
    pub(crate) fn penalises_content(&self) -> bool {
        matches!(self.content, Some(Content::WeightedPenalty { .. }))
    }

    /// Everything that cannot be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.content.iter().flat_map(Content::faults).collect();
        faults.extend(self.exposure.and_then(Control::fault).map(|fault| format!("exposure: {fault}")));
        if self.randomesque == 0 {
            faults.push("randomesque is 0; 1 takes the best item".to_owned());
        }
        if self.items_per_set == Some(0) {
            faults.push("items_per_set is 0; it must be at least 1".to_owned());
        }
        if self.field_test.contains(&0) {
            faults.push("field_test has position 0; positions are counted from 1".to_owned());
        }
        faults
    }

    /// Everything that does not go with a bank.
    pub fn faults_on(&self, bank: &Bank) -> Vec<String> {
        let structure = bank.structure();
        let mut faults: Vec<String> =
            self.content.iter().flat_map(|content| content.faults_on(structure.areas())).collect();
        let any_tried = (0..bank.len()).any(|item| structure.is_field_test(item));
        if !self.field_test.is_empty() && !any_tried {
            faults.push("field_test has positions, but the bank has no item to try out".to_owned());
        }
        faults
    }
}

/// Which items may come next. Cost: a few looks at each item of the bank.
pub(crate) fn eligible(at: &Stage<'_>) -> Eligible {
    let structure = at.bank.structure();
    let mut found =
        Eligible { open: at.unused.to_vec(), closed_by: vec![None; at.bank.len()], ..Eligible::default() };
    let position = u32::try_from(at.shown.len() + 1).unwrap_or(u32::MAX);
    let wanted = at.constraints.field_test.contains(&position);
    let could = (0..at.bank.len()).any(|item| found.open[item] && structure.is_field_test(item));
    if wanted && !could {
        found.constrained.relaxed.push(Constraint::FieldTest);
    }
    found.field_test = wanted && could;
    // An item to be tried out is never scored: this one is not relaxed.
    let right_kind = |item| structure.is_field_test(item) == (wanted && could);
    found.close(Constraint::FieldTest, right_kind);
    if !found.open.contains(&true) {
        return found;
    }
    let is_enemy = |item: usize| structure.enemies(item).iter().any(|enemy| at.shown.contains(enemy));
    found.lay_on(Constraint::Enemies, |item| !is_enemy(item));
    if found.field_test {
        return found;
    }
    if let Some(set) = going_on(at, &found.open) {
        found.close(Constraint::ItemSet, |item| structure.set(item) == Some(set));
        return found;
    }
    let begun = |set: usize| at.shown.iter().any(|item| structure.set(*item) == Some(set));
    found.lay_on(Constraint::ItemSet, |item| !structure.set(item).is_some_and(begun));
    if let Some(Content::KingsburyZara { shares }) = &at.constraints.content {
        let area = content::most_wanted(shares, structure, at.shown);
        found.lay_on(Constraint::Content, |item| structure.area(item) == area);
    }
    if let Some(control) = at.constraints.exposure {
        let held_back: Vec<usize> = (0..at.bank.len())
            .filter(|item| found.open[*item])
            .filter(|item| match at.exposure {
                Exposure::HeldBack(items) if control.reads_counts() => items.contains(item),
                Exposure::Counts(counts) => {
                    control.holds_back(*item, structure.exposure_k(*item), Some(counts), at.seed)
                }
                _ => control.holds_back(*item, structure.exposure_k(*item), None, at.seed),
            })
            .collect();
        found.lay_on(Constraint::Exposure, |item| held_back.binary_search(&item).is_err());
        found.exposure_holds = !found.constrained.relaxed.contains(&Constraint::Exposure);
        if control.reads_counts() {
            found.constrained.held_back = held_back;
        }
    }
    found
}

/// The set that the last scored item belongs to, if it goes on.
fn going_on(at: &Stage<'_>, open: &[bool]) -> Option<usize> {
    let structure = at.bank.structure();
    let last = at.shown.iter().rev().find(|item| !structure.is_field_test(**item))?;
    let set = structure.set(*last)?;
    let of_set = |item: &usize| structure.set(*item) == Some(set);
    let given = at.shown.iter().filter(|item| of_set(item)).count();
    let more = at.constraints.items_per_set.is_none_or(|most| given < most as usize);
    (more && (0..open.len()).any(|item| open[item] && of_set(&item))).then_some(set)
}

impl Eligible {
    /// Lays a constraint on, unless it would leave no item.
    fn lay_on(&mut self, constraint: Constraint, keeps: impl Fn(usize) -> bool) {
        if (0..self.open.len()).any(|item| self.open[item] && keeps(item)) {
            self.close(constraint, keeps);
        } else {
            self.constrained.relaxed.push(constraint);
        }
    }

    fn close(&mut self, constraint: Constraint, keeps: impl Fn(usize) -> bool) {
        for item in 0..self.open.len() {
            if self.open[item] && !keeps(item) {
                self.open[item] = false;
                self.closed_by[item] = Some(constraint);
            }
        }
    }
}
