//! The rules of an exam: how it starts, estimates, selects and ends.
//!
//! Comes in: a text form by serde. Goes out: a [`Policy`], or every rule that cannot be.

use crate::ability::{Grid, Prior};
use crate::estimate::Estimator;
use crate::select::Selection;
use crate::stop::Stop;
use serde::{Deserialize, Serialize};

/// The rules of an exam. Its scaling constant belongs to the bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Ability the first item is chosen for.
    pub start_theta: f64,
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
    /// When it ends.
    pub stop: Stop,
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

impl Default for Policy {
    fn default() -> Self {
        Self {
            start_theta: 0.0,
            estimator: Estimator::default(),
            while_constant: None,
            final_estimator: None,
            selection: Selection::default(),
            stop: Stop::default(),
        }
    }
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
        check("start_theta", self.start_theta.is_finite(), "must be a finite number");
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
        if let Some(fault) = self.selection.fault() {
            check("selection", false, &fault);
        }
        faults.extend(self.stop.faults().into_iter().map(|message| PolicyFault { field: "stop", message }));
        faults
    }
}
