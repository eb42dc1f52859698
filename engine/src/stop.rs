//! When an exam ends.

use crate::ability::Ability;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};

/// Why an exam ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// It had its number of items.
    #[serde(rename = "max_items_reached")]
    MaxItems,
    /// The standard error reached its target.
    #[serde(rename = "standard_error_threshold")]
    StandardError,
    /// No item was left.
    #[serde(rename = "no_items_available")]
    BankExhausted,
    /// Somebody ended it.
    #[serde(rename = "manual_completion")]
    Manual,
}

impl EndReason {
    /// The word for it in events and replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxItems => "max_items_reached",
            Self::StandardError => "standard_error_threshold",
            Self::BankExhausted => "no_items_available",
            Self::Manual => "manual_completion",
        }
    }
}

/// The rule that ends the exam after so many answers, if one does. Length comes first.
pub fn rule(policy: &Policy, ability: Ability, answers: usize) -> Option<EndReason> {
    let answers = u32::try_from(answers).unwrap_or(u32::MAX);
    if answers >= policy.max_items {
        return Some(EndReason::MaxItems);
    }
    let precise = match (policy.target_standard_error, ability.standard_error) {
        (Some(target), Some(error)) => error <= target,
        _ => false,
    };
    (precise && answers >= policy.min_items).then_some(EndReason::StandardError)
}
