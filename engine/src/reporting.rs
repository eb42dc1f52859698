//! When a score is reported, and what an incomplete exam's score is. The ability and its standard error stay as estimated.
//!
//! Input: a text form by serde, a score, the number of answers, why the exam ended. Output: a score or none. Must not
//! know: scales.

use crate::stop::{EndReason, Stop};
use serde::{Deserialize, Serialize};

/// How scores are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reporting {
    /// There is no score below so many answers; omitted ones do not count.
    pub min_answers: u32,
    /// The score of an incomplete exam.
    pub incomplete: Incomplete,
}

/// The score of an exam that ended too early: by its time, by expiry or by a person, with fewer answers than required.
/// Required are `min_items` where a rule may end the exam, and `max_items` where length alone does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incomplete {
    /// The score of the ability, as of any exam.
    #[default]
    AsItStands,
    /// None.
    Null,
    /// The score times the share of the required items that were answered; never above the score itself.
    Penalised,
}

impl Default for Reporting {
    fn default() -> Self {
        Self { min_answers: 1, incomplete: Incomplete::AsItStands }
    }
}

impl Reporting {
    /// Whether these are the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The score to report: `score` is that of the ability, `answered` the number of answers that were not omitted.
    pub fn score(&self, score: f64, answered: usize, end: Option<EndReason>, stop: &Stop) -> Option<f64> {
        let answered = u32::try_from(answered).unwrap_or(u32::MAX);
        if answered < self.min_answers {
            return None;
        }
        let required =
            if stop.rules.is_empty() { stop.max_items } else { stop.min_items.min(stop.max_items) };
        let early = matches!(end, Some(EndReason::Manual | EndReason::Expired | EndReason::TimeLimit));
        if !early || answered >= required {
            return Some(score);
        }
        match self.incomplete {
            Incomplete::AsItStands => Some(score),
            Incomplete::Null => None,
            Incomplete::Penalised => Some(score.min(score * f64::from(answered) / f64::from(required))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_early_has_the_score_that_the_policy_gives() {
        let adaptive = Stop { max_items: 20, min_items: 8, ..Stop::default() };
        let fixed = Stop::at_length(20);
        let with = |incomplete| Reporting { min_answers: 1, incomplete };
        let manual = Some(EndReason::Manual);
        for incomplete in [Incomplete::AsItStands, Incomplete::Null, Incomplete::Penalised] {
            let reporting = with(incomplete);
            assert_eq!(reporting.score(50.0, 0, manual, &adaptive), None, "no answers, no score");
            assert_eq!(reporting.score(50.0, 8, manual, &adaptive), Some(50.0), "as many as required");
            assert_eq!(reporting.score(50.0, 2, Some(EndReason::StandardError), &adaptive), Some(50.0));
        }
        assert_eq!(with(Incomplete::AsItStands).score(50.0, 5, manual, &fixed), Some(50.0));
        assert_eq!(with(Incomplete::Null).score(50.0, 5, Some(EndReason::TimeLimit), &fixed), None);
        assert_eq!(with(Incomplete::Penalised).score(50.0, 5, Some(EndReason::Expired), &fixed), Some(12.5));
        assert_eq!(with(Incomplete::Penalised).score(50.0, 4, manual, &adaptive), Some(25.0));
        assert_eq!(
            with(Incomplete::Penalised).score(-10.0, 5, manual, &fixed),
            Some(-10.0),
            "nothing is gained"
        );
        let five = Reporting { min_answers: 5, ..Reporting::default() };
        assert_eq!(
            (five.score(50.0, 4, None, &fixed), five.score(50.0, 5, None, &fixed)),
            (None, Some(50.0))
        );
    }
}
