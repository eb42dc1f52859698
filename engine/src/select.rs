//! Selection of the next item.
//!
//! Input: the bank, the eligible items, the ability, the answers, the step. Output: an item. Ties are resolved in
//! favour of the lowest number; random choices depend on the exam's seed and step only. Must not know: why items
//! are eligible, when an exam ends.

mod integral;
mod order;
mod price;
mod schedule;

pub(crate) use order::Penalties;
pub(crate) use price::{Priced, priced};

use crate::ability::{Ability, Grid, Prior};
use crate::bank::Bank;
use crate::curve::Curve;
use crate::estimate::{Answers, Estimator};
use crate::random::Random;
use serde::{Deserialize, Serialize};

/// How the next item is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "criterion", rename_all = "snake_case", deny_unknown_fields)]
pub enum Selection {
    /// Most information at the ability (Lord, 1980).
    #[default]
    MaximumInformation,
    /// Difficulty closest to the ability (Urry, 1970).
    Difficulty,
    /// Ability of most information closest to the ability (Li & Schafer, 2005).
    Peak,
    /// Most information weighted by the likelihood (Veerkamp & Berger, 1997).
    LikelihoodWeighted {
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Most information weighted by the posterior (van der Linden, 1998).
    PosteriorWeighted {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Most Kullback-Leibler information weighted by the likelihood (Barrada et al., 2009).
    KullbackLeibler {
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Most Kullback-Leibler information weighted by the posterior (Chang & Ying, 1996).
    PosteriorKullbackLeibler {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Greatest variance of the response curve under the likelihood (Kaplan, de la Torre & Barrada, 2015).
    GlobalDiscrimination {
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Greatest variance of the response curve under the posterior.
    PosteriorGlobalDiscrimination {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Most information expected at the ability after the answer (van der Linden, 1998).
    ExpectedInformation {
        /// How the ability after the answer is estimated.
        #[serde(default)]
        estimator: Estimator,
        /// Whether observed instead of Fisher information counts.
        #[serde(default)]
        observed: bool,
    },
    /// Least posterior variance expected after the answer (Owen, 1975; van der Linden, 1998).
    ExpectedPosteriorVariance {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where the integral is computed.
        #[serde(default = "coarse")]
        grid: Grid,
    },
    /// Any item.
    Random,
    /// From random to most information as the exam goes on (Revuelta & Ponsoda, 1998).
    Progressive {
        /// How late the turn comes (Barrada et al., 2008): 1 is linear, below 0 it comes with the first items.
        #[serde(default = "one")]
        acceleration: f64,
    },
    /// By chance in proportion to a power of the information that grows (Barrada et al., 2008).
    Proportional {
        /// How late the turn comes: 1 is linear, below 0 it comes with the first items.
        #[serde(default = "one")]
        acceleration: f64,
    },
    /// Items of low discrimination first (Chang & Ying, 1999), in each stratum by difficulty.
    AStratified {
        /// Number of strata.
        strata: u32,
    },
}

fn coarse() -> Grid {
    Grid { from: -6.0, to: 6.0, nodes: 49 }
}

fn one() -> f64 {
    1.0
}

/// All that a choice may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The items.
    pub bank: &'a Bank,
    /// Which of them may be chosen.
    pub open: &'a [bool],
    /// The estimate so far.
    pub ability: Ability,
    /// The answers so far; may be left out where [`Selection::reads_answers`] says no.
    pub answers: &'a Answers<'a>,
    /// Number of answers so far.
    pub position: usize,
    /// The exam's length, should it go to its end.
    pub length: usize,
    /// Source of randomness.
    pub seed: u64,
}

impl Selection {
    /// The next item; `None` when no item is open.
    pub fn choose(&self, at: &Situation<'_>) -> Option<usize> {
        let theta = at.ability.theta;
        match *self {
            Self::MaximumInformation => maximum_information(at.bank, theta, at.open),
            Self::Random => {
                let open: Vec<usize> = open(at).map(|(index, _)| index).collect();
                let mut random = Random::of(at.seed, at.position);
                (!open.is_empty()).then(|| open[random.below(open.len())])
            }
            Self::Progressive { acceleration } => schedule::progressive(at, acceleration),
            Self::Proportional { acceleration } => schedule::proportional(at, acceleration),
            Self::AStratified { strata } => schedule::a_stratified(at, strata),
            _ => {
                let values = self.values(at);
                best(open(at).map(|(index, _)| (index, values[index])))
            }
        }
    }

    /// Whether each item has a value that a choice is made by.
    pub fn has_value(&self) -> bool {
        !matches!(
            self,
            Self::Random | Self::Progressive { .. } | Self::Proportional { .. } | Self::AStratified { .. }
        )
    }

    /// What makes it unusable, if anything.
    pub fn fault(&self) -> Option<String> {
        match *self {
            Self::LikelihoodWeighted { grid }
            | Self::KullbackLeibler { grid }
            | Self::GlobalDiscrimination { grid } => grid.fault(Prior::default()),
            Self::PosteriorWeighted { prior, grid }
            | Self::PosteriorKullbackLeibler { prior, grid }
            | Self::PosteriorGlobalDiscrimination { prior, grid }
            | Self::ExpectedPosteriorVariance { prior, grid } => grid.fault(prior),
            Self::ExpectedInformation { estimator, .. } => estimator.fault(),
            Self::Progressive { acceleration } | Self::Proportional { acceleration } => {
                let good = acceleration.is_finite();
                (!good).then(|| "must have a finite acceleration".to_owned())
            }
            Self::AStratified { strata } => (strata == 0).then(|| "must have at least 1 stratum".to_owned()),
            Self::MaximumInformation | Self::Difficulty | Self::Peak | Self::Random => None,
        }
    }

    /// Whether the choice depends on the answers themselves, not only on the ability and their number.
    pub fn reads_answers(&self) -> bool {
        !matches!(
            self,
            Self::MaximumInformation
                | Self::Difficulty
                | Self::Peak
                | Self::Random
                | Self::Progressive { .. }
                | Self::Proportional { .. }
                | Self::AStratified { .. }
        )
    }

    /// The value of each item under a criterion that has one, the greatest being the best; minus
    /// infinity for items that are closed.
    pub fn values(&self, at: &Situation<'_>) -> Vec<f64> {
        let theta = at.ability.theta;
        let each = |value: &dyn Fn(&Curve) -> f64| each(at, value);
        match *self {
            Self::Difficulty => each(&|curve| -(location(curve) - theta).abs()),
            Self::Peak => each(&|curve| -(peak(curve) - theta).abs()),
            Self::LikelihoodWeighted { grid } => integral::information(at, None, grid),
            Self::PosteriorWeighted { prior, grid } => integral::information(at, Some(prior), grid),
            Self::KullbackLeibler { grid } => integral::kullback_leibler(at, None, grid),
            Self::PosteriorKullbackLeibler { prior, grid } => {
                integral::kullback_leibler(at, Some(prior), grid)
            }
            Self::GlobalDiscrimination { grid } => integral::discrimination(at, None, grid),
            Self::PosteriorGlobalDiscrimination { prior, grid } => {
                integral::discrimination(at, Some(prior), grid)
            }
            Self::ExpectedPosteriorVariance { prior, grid } => integral::posterior_variance(at, prior, grid),
            Self::ExpectedInformation { estimator, observed } => {
                expected_information(at, &estimator, observed)
            }
            Self::MaximumInformation
            | Self::Random
            | Self::Progressive { .. }
            | Self::Proportional { .. }
            | Self::AStratified { .. } => each(&|curve| curve.information(theta)),
        }
    }
}

/// The open item with the most information at `theta`; of equals the first. Items are looked at by
/// falling bound, so that a few evaluations do; every item is looked at beyond ±6.
pub fn maximum_information(bank: &Bank, theta: f64, open: &[bool]) -> Option<usize> {
    let Some(order) = bank.by_information(theta) else {
        let curves = bank.curves().iter().enumerate().filter(|(index, _)| open[*index]);
        return best(curves.map(|(index, curve)| (index, curve.information(theta))));
    };
    let mut found: Option<(usize, f64)> = None;
    for bound in order {
        if found.is_some_and(|(_, most)| bound.most < most) {
            break;
        }
        let index = bound.item as usize;
        if open[index] {
            let information = bank.curves()[index].information(theta);
            let better =
                |(kept, most): (usize, f64)| information > most || (information == most && index < kept);
            if found.is_none_or(better) {
                found = Some((index, information));
            }
        }
    }
    found.map(|(index, _)| index)
}

/// The first of the greatest.
fn best(values: impl Iterator<Item = (usize, f64)>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, value) in values {
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

fn open<'a>(at: &'a Situation<'_>) -> impl Iterator<Item = (usize, &'a Curve)> {
    at.bank.curves().iter().enumerate().filter(|(index, _)| at.open[*index])
}

fn each(at: &Situation<'_>, value: &dyn Fn(&Curve) -> f64) -> Vec<f64> {
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    open(at).for_each(|(index, curve)| values[index] = value(curve));
    values
}

/// Difficulty; for more categories the ability at which half of the greatest score is expected.
fn location(curve: &Curve) -> f64 {
    match curve {
        Curve::Logistic(curve) => curve.difficulty(),
        _ => {
            let half = (curve.categories() - 1) as f64 / 2.0;
            let (mut low, mut high) = (-20.0, 20.0);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                if curve.expected_category(middle) < half { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        }
    }
}

/// Ability of most information; for more categories the highest of a fine scan.
fn peak(curve: &Curve) -> f64 {
    match curve {
        Curve::Logistic(curve) => curve.peak(),
        _ => {
            let nodes = Grid { from: -8.0, to: 8.0, nodes: 641 };
            let height = |theta: &f64| curve.information(*theta);
            nodes.iter().max_by(|one, other| height(one).total_cmp(&height(other))).unwrap_or(0.0)
        }
    }
}

/// Each category's probability now, times the information at the ability estimated after it.
fn expected_information(at: &Situation<'_>, estimator: &Estimator, observed: bool) -> Vec<f64> {
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    let mut answers = at.answers.to_vec();
    for (index, curve) in open(at) {
        let now = curve.probabilities(at.ability.theta);
        let after = |(category, p): (usize, &f64)| {
            answers.push((curve, category));
            let theta = estimator.estimate(&answers).ability.theta;
            answers.pop();
            let all = curve.derivatives(theta);
            p * if observed { all.observed_information(category) } else { all.information() }
        };
        values[index] = now[..curve.categories()].iter().enumerate().map(after).sum();
    }
    values
}
