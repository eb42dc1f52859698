//! The policy of an exam: how it starts, estimates, selects and ends.
//!
//! Input: a text form by serde. Output: a [`Policy`], or every invalid rule. Must not know: banks.

use crate::ability::{Grid, Prior};
use crate::bank::Bank;
use crate::constraint::Constraints;
use crate::estimate::Estimator;
use crate::omission::Omission;
use crate::reporting::Reporting;
use crate::select::Selection;
use crate::stop::{Rule, Stop};
use serde::{Deserialize, Serialize};

/// The rules of an exam. Its scaling constant belongs to the bank.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How it starts.
    pub start: Start,
    /// Estimates during the exam.
    pub estimator: Estimator,
    /// Estimates instead while all answers are in their lowest, or all in their highest category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_constant: Option<WhileConstant>,
    /// Estimates the result from all answers; absent: the estimator of the exam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_estimator: Option<Estimator>,
    /// How the next item is chosen.
    pub selection: Selection,
    /// What items have to be beside informative.
    pub constraints: Constraints,
    /// When it ends.
    pub stop: Stop,
    /// What omitted answers count as.
    #[serde(skip_serializing_if = "Omission::is_default")]
    pub omitted: Omission,
    /// When there is a score.
    #[serde(skip_serializing_if = "Reporting::is_default")]
    pub reporting: Reporting,
}

/// How an exam starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// Ability the first item is chosen for.
    pub theta: f64,
    /// The ability is drawn within this distance of `theta`, each alike.
    #[serde(skip_serializing_if = "is_zero")]
    pub band: f64,
    /// The first items, counted from 0 in the bank, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<usize>,
    /// The first item is drawn among so many of the best; 1 takes the best.
    pub among: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Default for Start {
    fn default() -> Self {
        Self { theta: 0.0, band: 0.0, items: Vec::new(), among: 1 }
    }
}

impl Start {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.theta.is_finite() {
            faults.push("theta must be a finite number".to_owned());
        }
        if !(0.0..=6.0).contains(&self.band) {
            faults.push(format!("band is {}; it must be 0 to 6", self.band));
        }
        if self.among == 0 {
            faults.push("among is 0; 1 takes the best item".to_owned());
        }
        let mut sorted = self.items.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            faults.push("items names an item twice".to_owned());
        }
        faults
    }
}

/// What stands in for an estimator that has no maximum inside while all answers are alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhileConstant {
    /// Another estimator.
    Estimator(Estimator),
    /// The ability goes up or down by so much with each answer (Dodd, 1990); it has no standard error.
    Step(f64),
}

/// A rule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// The field.
    pub field: &'static str,
    /// What it should be.
    pub message: String,
}

impl Policy {
    /// catR's defaults: EAP on 33 nodes of [-4, 4], maximum information, a fixed length.
    pub fn cat_r(items: u32) -> Self {
        let estimator = Estimator::Eap { prior: Prior::default(), grid: Grid::CAT_R };
        Self { estimator, stop: Stop::at_length(items), ..Self::default() }
    }

    /// Every rule that cannot be.
    pub fn faults(&self) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        let mut check = |field: &'static str, good: bool, message: &str| {
            if !good {
                faults.push(PolicyFault { field, message: message.to_owned() });
            }
        };
        self.start.faults().iter().for_each(|fault| check("start", false, fault));
        let stand_in = match self.while_constant {
            Some(WhileConstant::Estimator(estimator)) => Some(estimator),
            Some(WhileConstant::Step(step)) => {
                check("while_constant", step > 0.0 && step.is_finite(), "must be a step above 0");
                None
            }
            None => None,
        };
        let estimators = [
            ("estimator", Some(self.estimator)),
            ("final_estimator", self.final_estimator),
            ("while_constant", stand_in),
        ];
        for (field, estimator) in estimators {
            if let Some(fault) = estimator.and_then(|estimator| estimator.fault()) {
                check(field, false, &fault);
            }
        }
        if let Some(fault) = self.target_fault() {
            check("stop", false, &fault);
        }
        if let Some(fault) = self.selection.fault() {
            check("selection", false, &fault);
        }
        if self.constraints.penalises_content() && !self.selection.has_value() {
            check("constraints", false, "content: weighted_penalty needs a criterion with a value");
        }
        let named = |field| move |message| PolicyFault { field, message };
        faults.extend(self.constraints.faults().into_iter().map(named("constraints")));
        faults.extend(self.stop.faults().into_iter().map(named("stop")));
        faults
    }

    /// A target of the standard error that the grid of the estimator cannot hold.
    fn target_fault(&self) -> Option<String> {
        let spacing = self.estimator.node_spacing()?;
        let target = |rule: &Rule| match rule {
            Rule::StandardError { at_most } if *at_most > 0.0 && *at_most < spacing => Some(*at_most),
            _ => None,
        };
        let target = self.stop.rules.iter().find_map(target)?;
        Some(format!(
            "rules: standard_error is to be at most {target}, below the node spacing {spacing} of the estimator; take more nodes or method = \"adaptive_eap\""
        ))
    }

    /// Every rule that does not go with a bank.
    pub fn faults_on(&self, bank: &Bank) -> Vec<PolicyFault> {
        let first = self
            .start
            .items
            .iter()
            .filter(|item| **item >= bank.len() || bank.structure().is_field_test(**item));
        let unusable = |item| format!("items has {item}; the bank has no such item to score");
        let named = |field| move |message| PolicyFault { field, message };
        let constraints = self.constraints.faults_on(bank).into_iter().map(named("constraints"));
        let omitted = self.omitted.fault_on(bank).map(named("omitted"));
        let first = first.map(unusable).map(named("start")).chain(constraints).chain(omitted);
        first.chain(self.length_fault_on(bank).map(named("stop"))).collect()
    }

    /// An exam that cannot be as short as it may be.
    fn length_fault_on(&self, bank: &Bank) -> Option<String> {
        let Stop { min_items, max_items, .. } = self.stop;
        match () {
            () if min_items > max_items => {
                Some(format!("min_items ({min_items}) is above max_items ({max_items})"))
            }
            () if min_items as usize > bank.len() => {
                Some(format!("min_items ({min_items}) is above the {} items of the bank", bank.len()))
            }
            () => None,
        }
    }
}
