//! When an exam ends.
//!
//! Input: the rules, and the state of an exam. Output: the reason to end it, or none. Length is checked first, then
//! time; the other rules are combined. Must not know: item selection, any clock.

use crate::ability::Ability;
use crate::estimate::{Answers, log_likelihood};
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
    /// The standard error hardly changed any more.
    #[serde(rename = "standard_error_settled")]
    StandardErrorChange,
    /// The ability hardly changed any more.
    #[serde(rename = "ability_settled")]
    ThetaChange,
    /// No item that is left would tell enough.
    #[serde(rename = "minimum_information")]
    MinimumInformation,
    /// The examinee is classified.
    #[serde(rename = "classified")]
    Classified,
    /// All rules that had to hold together held.
    #[serde(rename = "all_rules_met")]
    AllRules,
    /// Time was up.
    #[serde(rename = "time_limit")]
    TimeLimit,
    /// Nobody went on with it for too long.
    #[serde(rename = "expired")]
    Expired,
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
            Self::StandardErrorChange => "standard_error_settled",
            Self::ThetaChange => "ability_settled",
            Self::MinimumInformation => "minimum_information",
            Self::Classified => "classified",
            Self::AllRules => "all_rules_met",
            Self::TimeLimit => "time_limit",
            Self::Expired => "expired",
            Self::BankExhausted => "no_items_available",
            Self::Manual => "manual_completion",
        }
    }
}

/// When an exam ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The exam ends after so many items, those that are tried out included, whatever the rules say.
    pub max_items: u32,
    /// The exam ends with the first answer after so many seconds, whatever the rules say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u32>,
    /// No rule ends the exam before so many scored items.
    pub min_items: u32,
    /// Rules beside length.
    pub rules: Vec<Rule>,
    /// Whether one rule is enough.
    pub when: When,
}

/// How rules are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// One rule is enough.
    #[default]
    Any,
    /// All rules have to hold.
    All,
}

impl Default for Stop {
    fn default() -> Self {
        let rules = vec![Rule::StandardError { at_most: 0.30 }];
        Self { max_items: 20, max_seconds: None, min_items: 5, rules, when: When::Any }
    }
}

/// A rule beside length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// The standard error is at most this.
    StandardError {
        /// In units of ability.
        at_most: f64,
    },
    /// The last answer changed the standard error by at most this.
    StandardErrorChange {
        /// In units of ability.
        at_most: f64,
    },
    /// The last answer changed the ability by at most this.
    ThetaChange {
        /// In units of ability.
        at_most: f64,
    },
    /// No open item has more information than this at the ability.
    MinimumInformation {
        /// Fisher information.
        at_most: f64,
    },
    /// The confidence interval of the ability excludes every cut (Weiss & Kingsbury, 1984).
    Interval {
        /// Cuts between classes.
        cuts: Vec<f64>,
        /// Two-sided confidence, as in 0.95.
        confidence: f64,
    },
    /// The sequential probability ratio test decides every cut (Wald, 1947; Eggen & Straetmans, 2000).
    Sprt {
        /// Cuts between classes.
        cuts: Vec<f64>,
        /// Half the width of the region of indifference around each cut.
        delta: f64,
        /// Accepted rate of classifying too high.
        alpha: f64,
        /// Accepted rate of classifying too low.
        beta: f64,
    },
}

/// How far an exam has come.
pub struct Progress<'a> {
    /// Number of answers.
    pub position: usize,
    /// Number of those that are scored.
    pub scored: usize,
    /// Whether the last answer is scored.
    pub told: bool,
    /// Time since the start, in seconds.
    pub elapsed: f64,
    /// The estimate from all scored answers.
    pub ability: Ability,
    /// The estimate before the last.
    pub before: Ability,
    /// The answers; may be left out where [`Stop::reads_answers`] says no.
    pub answers: &'a Answers<'a>,
    /// The most information an open item has at the ability; asked only where a rule wants it.
    pub most_information: &'a dyn Fn() -> f64,
}

impl Stop {
    /// The cuts of the first rule that classifies, from low to high; none if no rule does.
    pub fn cuts(&self) -> &[f64] {
        self.rules
            .iter()
            .find_map(|rule| match rule {
                Rule::Interval { cuts, .. } | Rule::Sprt { cuts, .. } => Some(cuts.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// Length alone ends the exam.
    pub fn at_length(items: u32) -> Self {
        Self { max_items: items, max_seconds: None, min_items: items, rules: Vec::new(), when: When::Any }
    }

    /// Whether a rule depends on the answers themselves.
    pub fn reads_answers(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Sprt { .. }))
    }

    /// The reason to end the exam now, if there is one.
    pub fn reason(&self, at: &Progress<'_>) -> Option<EndReason> {
        let answers = u32::try_from(at.position).unwrap_or(u32::MAX);
        if answers >= self.max_items {
            return Some(EndReason::MaxItems);
        }
        if self.max_seconds.is_some_and(|most| at.elapsed >= f64::from(most)) {
            return Some(EndReason::TimeLimit);
        }
        let scored = u32::try_from(at.scored).unwrap_or(u32::MAX);
        // An answer that is not scored changes nothing, so no rule may take it for having settled.
        if !at.told || scored < self.min_items || self.rules.is_empty() {
            return None;
        }
        match self.when {
            When::Any => self.rules.iter().find(|rule| rule.holds(at)).map(Rule::reason),
            When::All => match self.rules.as_slice() {
                [only] => only.holds(at).then(|| only.reason()),
                rules => rules.iter().all(|rule| rule.holds(at)).then_some(EndReason::AllRules),
            },
        }
    }

    /// Every rule that cannot be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.max_items == 0 {
            faults.push("max_items must be at least 1".to_owned());
        }
        if self.max_seconds == Some(0) {
            faults.push("max_seconds must be at least 1".to_owned());
        }
        faults.extend(self.rules.iter().filter_map(Rule::fault));
        faults
    }
}

impl Rule {
    fn reason(&self) -> EndReason {
        match self {
            Self::StandardError { .. } => EndReason::StandardError,
            Self::StandardErrorChange { .. } => EndReason::StandardErrorChange,
            Self::ThetaChange { .. } => EndReason::ThetaChange,
            Self::MinimumInformation { .. } => EndReason::MinimumInformation,
            Self::Interval { .. } | Self::Sprt { .. } => EndReason::Classified,
        }
    }

    fn holds(&self, at: &Progress<'_>) -> bool {
        let (error, before) = (at.ability.standard_error, at.before.standard_error);
        match self {
            Self::StandardError { at_most } => error.is_some_and(|error| error <= *at_most),
            Self::StandardErrorChange { at_most } => {
                error.zip(before).is_some_and(|(error, before)| (error - before).abs() <= *at_most)
            }
            Self::ThetaChange { at_most } => (at.ability.theta - at.before.theta).abs() <= *at_most,
            Self::MinimumInformation { at_most } => (at.most_information)() <= *at_most,
            Self::Interval { cuts, confidence } => error.is_some_and(|error| {
                let half = normal_quantile((1.0 + confidence) / 2.0) * error;
                cuts.iter().all(|cut| (at.ability.theta - cut).abs() > half)
            }),
            Self::Sprt { cuts, delta, alpha, beta } => {
                let (upper, lower) = (libm::log((1.0 - beta) / alpha), libm::log(beta / (1.0 - alpha)));
                cuts.iter().all(|cut| {
                    let ratio =
                        log_likelihood(at.answers, cut + delta) - log_likelihood(at.answers, cut - delta);
                    ratio >= upper || ratio <= lower
                })
            }
        }
    }

    fn fault(&self) -> Option<String> {
        let positive = |name: &str, value: f64| {
            (!(value > 0.0 && value.is_finite())).then(|| format!("{name} is {value}; it must be above 0"))
        };
        let share = |name: &str, value: f64| {
            (!(value > 0.0 && value < 1.0)).then(|| format!("{name} is {value}; it must be between 0 and 1"))
        };
        let cuts = |cuts: &[f64]| {
            let good = !cuts.is_empty() && cuts.iter().all(|cut| cut.is_finite());
            (!good).then(|| "cuts must hold at least one finite number".to_owned())
        };
        match self {
            Self::StandardError { at_most }
            | Self::StandardErrorChange { at_most }
            | Self::ThetaChange { at_most }
            | Self::MinimumInformation { at_most } => positive("at_most", *at_most),
            Self::Interval { cuts: of, confidence } => cuts(of).or_else(|| share("confidence", *confidence)),
            Self::Sprt { cuts: of, delta, alpha, beta } => cuts(of)
                .or_else(|| positive("delta", *delta))
                .or_else(|| share("alpha", *alpha))
                .or_else(|| share("beta", *beta)),
        }
    }
}

/// Quantile of the standard normal distribution, by bisection of its distribution function.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if crate::score::normal_share(middle) < probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests;
