//! Scores: abilities on reporting scales. Nothing is clamped.
//!
//! Input: an ability and a scale. Output: a number with its standard error, a percentile, a class with its
//! certainty. Must not know: how the ability was estimated.

use crate::ability::Ability;
use serde::{Deserialize, Serialize};

/// A linear scale: `intercept + slope * theta`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Score of ability 0.
    pub intercept: f64,
    /// Scores of one unit of ability.
    pub slope: f64,
}

/// Mean and standard deviation of the abilities of a norm group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Norm {
    /// Mean ability.
    pub mean: f64,
    /// Standard deviation of abilities: above 0.
    pub sd: f64,
}

/// A number on a scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The score.
    pub value: f64,
    /// Its standard error; none where the ability has none.
    pub standard_error: Option<f64>,
}

/// A class, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// How many cuts the ability is at or above: 0 for the lowest class.
    pub class: usize,
    /// Probability that the true ability is in it, from a normal distribution around the estimate
    /// (Rudner, 2001); none where the ability has no standard error.
    pub certainty: Option<f64>,
}

impl Scale {
    /// Ability -3 is 0 and ability 3 is 100.
    pub const PERCENT: Self = Self { intercept: 50.0, slope: 100.0 / 6.0 };

    /// The score of an ability.
    pub fn score(&self, ability: Ability) -> Score {
        let standard_error = ability.standard_error.map(|error| error * self.slope.abs());
        Score { value: self.intercept + self.slope * ability.theta, standard_error }
    }
}

impl Norm {
    /// The T score (McCall, 1922): mean 50 and standard deviation 10 in the norm group.
    pub fn t_score(&self, ability: Ability) -> Score {
        let slope = 10.0 / self.sd;
        Scale { intercept: 50.0 - slope * self.mean, slope }.score(ability)
    }

    /// Percentage of a normal norm group below the ability.
    pub fn percentile(&self, ability: Ability) -> f64 {
        100.0 * normal_share((ability.theta - self.mean) / self.sd)
    }
}

/// The class of an ability among rising cuts.
pub fn classify(ability: Ability, cuts: &[f64]) -> Class {
    let class = cuts.iter().filter(|cut| ability.theta >= **cut).count();
    let certainty = ability.standard_error.map(|error| {
        let below =
            |cut: Option<&f64>, end: f64| cut.map_or(end, |cut| normal_share((cut - ability.theta) / error));
        below(cuts.get(class), 1.0) - below(class.checked_sub(1).and_then(|lower| cuts.get(lower)), 0.0)
    });
    Class { class, certainty }
}

/// Share of the standard normal distribution below `z`.
pub(crate) fn normal_share(z: f64) -> f64 {
    0.5 * libm::erfc(-z / core::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ability(theta: f64) -> Ability {
        Ability { theta, standard_error: Some(0.3) }
    }

    #[test]
    fn scores_are_linear_and_never_clamped() {
        assert_eq!(Scale::PERCENT.score(ability(0.0)), Score { value: 50.0, standard_error: Some(5.0) });
        assert!((Scale::PERCENT.score(ability(3.6)).value - 110.0).abs() < 1e-9, "beyond 100");
        assert!(Scale::PERCENT.score(ability(-4.0)).value < 0.0);
        let norm = Norm { mean: 0.5, sd: 2.0 };
        assert_eq!(norm.t_score(ability(2.5)).value, 60.0);
        assert_eq!(norm.percentile(ability(0.5)), 50.0);
        assert!((norm.percentile(ability(2.5)) - 84.134_474_606_854_3).abs() < 1e-9);
    }

    #[test]
    fn classes_carry_their_certainty() {
        let cuts = [-1.0, 0.0, 1.0];
        assert_eq!(classify(ability(-2.0), &cuts).class, 0);
        assert_eq!(classify(ability(0.0), &cuts).class, 2, "at a cut is above it");
        let total: f64 = (0..4)
            .map(|class| {
                let at = [-1.5, -0.5, 0.5, 1.5][class];
                let found = classify(Ability { theta: at, standard_error: Some(0.25) }, &cuts);
                assert_eq!(found.class, class);
                found.certainty.unwrap()
            })
            .sum();
        assert!((total / 4.0 - 0.966).abs() < 0.01, "{total}");
        let unsure = classify(Ability { theta: 0.0, standard_error: Some(10.0) }, &[0.0]);
        assert_eq!(unsure, Class { class: 1, certainty: Some(0.5) });
    }
}
