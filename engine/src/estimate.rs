//! Estimators of the ability from all answers.
//!
//! Input: curves and categories. Output: an [`Estimate`], with the formula of its standard error and whether it is
//! at a bound. Likelihoods with several maxima are scanned, instead of depending on a start value. Must not know:
//! item selection, when an exam ends.

use crate::ability::{Ability, Grid, Posterior, Prior, mean_and_sd};
use crate::curve::Curve;
use serde::{Deserialize, Serialize};

/// Points at which a likelihood is looked at for its maxima.
const SCAN: u32 = 201;
/// Halvings of a bracket: more than a double has digits.
const HALVINGS: usize = 70;
/// Densities below `exp(-40)` of the greatest add nothing to a sum of doubles.
const NEGLIGIBLE: f64 = 40.0;

/// An estimator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimator {
    /// Expected a posteriori: mean of the posterior (Bock & Mislevy, 1982).
    Eap {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where it is computed.
        #[serde(default)]
        grid: Grid,
    },
    /// Expected a posteriori by quadrature that follows the posterior: 201 nodes over the interval that holds it, found
    /// anew with every answer. For items so discriminating that the posterior is narrower than the spacing of a
    /// fixed grid. Cost of an answer: some 800 evaluations of each curve answered so far.
    AdaptiveEap {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Where the posterior is looked for.
        #[serde(default)]
        range: Range,
    },
    /// Maximum a posteriori (Birnbaum, 1969; Samejima, 1969): mode of the posterior.
    Map {
        /// What is known before.
        #[serde(default)]
        prior: Prior,
        /// Bounds of the estimate.
        #[serde(default)]
        range: Range,
    },
    /// Maximum likelihood (Lord, 1980, eq. 4-20).
    Ml {
        /// Bounds of the estimate.
        #[serde(default)]
        range: Range,
    },
    /// Weighted likelihood (Warm, 1989, eq. 7): root of `score + J / (2 I)`.
    Wl {
        /// Bounds of the estimate.
        #[serde(default)]
        range: Range,
    },
}

/// Bounds of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Least estimate.
    pub from: f64,
    /// Greatest estimate.
    pub to: f64,
}

impl Default for Range {
    fn default() -> Self {
        Self { from: -6.0, to: 6.0 }
    }
}

/// How a standard error was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// Standard deviation of the posterior.
    PosteriorSd,
    /// `1 / sqrt(I - (log prior)'')`: the curvature at the mode.
    PosteriorCurvature,
    /// `1 / sqrt(I)`, I the expected information.
    Information,
    /// There is none.
    None,
}

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// It and its standard error.
    pub ability: Ability,
    /// How the standard error was computed.
    pub formula: Formula,
    /// Whether it stands at a bound: there is no maximum inside.
    pub is_bounded: bool,
}

impl Estimate {
    /// The posterior's mean.
    pub(crate) fn of_mean(posterior: &Posterior) -> Self {
        Self { ability: posterior.ability(), formula: Formula::PosteriorSd, is_bounded: false }
    }
}

impl Default for Estimator {
    fn default() -> Self {
        Self::Eap { prior: Prior::default(), grid: Grid::default() }
    }
}

/// Answers: a curve and the category given.
pub type Answers<'a> = [(&'a Curve, usize)];

impl Estimator {
    /// What makes it unusable, if anything.
    pub fn fault(&self) -> Option<String> {
        let (prior, range) = match *self {
            Self::Eap { prior, grid } => return grid.fault(prior),
            Self::AdaptiveEap { prior, range } | Self::Map { prior, range } => (prior, range),
            Self::Ml { range } | Self::Wl { range } => (Prior::Jeffreys, range),
        };
        if !prior.is_proper() {
            return Some("must have a prior with an sd above 0, or from below to".to_owned());
        }
        if !(range.from.is_finite() && range.to.is_finite() && range.from < range.to) {
            return Some("must have a range from a lower to a higher end".to_owned());
        }
        match prior {
            Prior::Uniform { from, to } if from >= range.to || to <= range.from => {
                Some("must have a uniform prior that meets its range".to_owned())
            }
            _ => None,
        }
    }

    /// Distance between the nodes of a fixed grid, in units of ability; `None` for estimators without one. A standard
    /// error below it is not to be trusted: the grid is too coarse for the posterior.
    pub fn node_spacing(&self) -> Option<f64> {
        match self {
            Self::Eap { grid, .. } => Some(grid.spacing()),
            _ => None,
        }
    }

    /// Whether this ability, estimated so, has a standard error below the node spacing.
    pub fn is_too_coarse_for(&self, ability: Ability) -> bool {
        self.node_spacing().zip(ability.standard_error).is_some_and(|(spacing, error)| error < spacing)
    }

    /// The estimate from these answers. Without any: the prior's own mean and standard deviation, or
    /// the middle of the range.
    pub fn estimate(&self, answers: &Answers<'_>) -> Estimate {
        match *self {
            Self::Eap { prior, grid } => {
                let mut posterior = Posterior::new(prior, grid);
                answers.iter().for_each(|(curve, category)| posterior.observe(curve, *category));
                Estimate::of_mean(&posterior)
            }
            Self::AdaptiveEap { prior, .. } if answers.is_empty() => {
                Estimate { ability: prior.ability(), formula: Formula::PosteriorSd, is_bounded: false }
            }
            Self::AdaptiveEap { prior, range } => adaptive_mean(prior, range, answers),
            Self::Map { prior, .. } if answers.is_empty() => {
                Estimate { ability: prior.ability(), formula: Formula::PosteriorCurvature, is_bounded: false }
            }
            Self::Ml { range } | Self::Wl { range } if answers.is_empty() => {
                let ability = Ability { theta: (range.from + range.to) / 2.0, standard_error: None };
                Estimate { ability, formula: Formula::None, is_bounded: false }
            }
            Self::Map { prior, range } => map(prior, range, answers),
            Self::Ml { range } => {
                let (theta, is_bounded) = maximum(
                    range,
                    |theta| sums(answers, theta).score,
                    |theta| log_likelihood(answers, theta),
                );
                by_information(answers, theta, is_bounded)
            }
            Self::Wl { range } => {
                let (theta, is_bounded) = weighted_maximum(range, answers);
                by_information(answers, theta, is_bounded)
            }
        }
    }
}

/// Mean and standard deviation of the posterior on nodes that close in on it: the interval of the scan shrinks to the
/// nodes whose density is above `exp(-NEGLIGIBLE)` of the greatest, and one node beyond, until it shrinks no more.
fn adaptive_mean(prior: Prior, range: Range, answers: &Answers<'_>) -> Estimate {
    let log_density = |theta: f64| {
        let jeffreys = match prior {
            Prior::Jeffreys => 0.5 * libm::log(sums(answers, theta).information),
            _ => prior.log_density(theta),
        };
        log_likelihood(answers, theta) + jeffreys
    };
    let mut range = within(prior, range);
    loop {
        let nodes = scan(range);
        let logs: Vec<f64> = nodes.iter().map(|node| log_density(*node)).collect();
        let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let counts = |log: &f64| *log > peak - NEGLIGIBLE;
        let first = logs.iter().position(counts).unwrap_or(0).saturating_sub(1);
        let last =
            logs.iter().rposition(counts).map_or(nodes.len() - 1, |last| (last + 1).min(nodes.len() - 1));
        // Smooth densities of half the interval or more are integrated to the last digits by so many nodes.
        if last - first > nodes.len() / 2 {
            let mut weights: Vec<f64> = logs.iter().map(|log| libm::exp(log - peak)).collect();
            if let [first, .., last] = weights.as_mut_slice() {
                *first *= 0.5;
                *last *= 0.5;
            }
            let ability = mean_and_sd(&nodes, &weights);
            return Estimate { ability, formula: Formula::PosteriorSd, is_bounded: false };
        }
        range = Range { from: nodes[first], to: nodes[last] };
    }
}

/// The part of a range where a prior has a density.
fn within(prior: Prior, range: Range) -> Range {
    match prior {
        Prior::Uniform { from, to } => Range { from: range.from.max(from), to: range.to.min(to) },
        _ => range,
    }
}

fn map(prior: Prior, range: Range, answers: &Answers<'_>) -> Estimate {
    let range = within(prior, range);
    let slope = |theta: f64| {
        let sums = sums(answers, theta);
        sums.score
            + match prior {
                Prior::Normal { mean, sd } => (mean - theta) / (sd * sd),
                Prior::Uniform { .. } => 0.0,
                Prior::Jeffreys => sums.slope / (2.0 * sums.information),
            }
    };
    let height = |theta: f64| {
        let jeffreys = match prior {
            Prior::Jeffreys => 0.5 * libm::log(sums(answers, theta).information),
            _ => prior.log_density(theta),
        };
        log_likelihood(answers, theta) + jeffreys
    };
    let (theta, is_bounded) = maximum(range, slope, height);
    let at = sums(answers, theta);
    let curvature = match prior {
        Prior::Normal { sd, .. } => 1.0 / (sd * sd),
        Prior::Uniform { .. } => 0.0,
        Prior::Jeffreys => {
            -(at.bend * at.information - at.slope * at.slope) / (2.0 * at.information * at.information)
        }
    };
    let standard_error = error_of(at.information + curvature);
    Estimate { ability: Ability { theta, standard_error }, formula: Formula::PosteriorCurvature, is_bounded }
}

fn by_information(answers: &Answers<'_>, theta: f64, is_bounded: bool) -> Estimate {
    let standard_error = error_of(sums(answers, theta).information);
    Estimate { ability: Ability { theta, standard_error }, formula: Formula::Information, is_bounded }
}

/// `1 / sqrt(precision)`; none where there is no precision.
fn error_of(precision: f64) -> Option<f64> {
    (precision > 0.0).then(|| 1.0 / libm::sqrt(precision))
}

/// Sums over the answers at one ability.
struct Sums {
    /// First derivative of the log-likelihood.
    score: f64,
    /// Expected information, its first and its second derivative.
    information: f64,
    slope: f64,
    bend: f64,
    /// Warm's J.
    bias: f64,
}

fn sums(answers: &Answers<'_>, theta: f64) -> Sums {
    let mut sums = Sums { score: 0.0, information: 0.0, slope: 0.0, bend: 0.0, bias: 0.0 };
    for (curve, category) in answers {
        let all = curve.derivatives(theta);
        let p = all.p[*category];
        sums.score += if p > 0.0 { all.d1[*category] / p } else { 0.0 };
        sums.information += all.information();
        let (slope, bend) = all.information_slopes();
        sums.slope += slope;
        sums.bend += bend;
        sums.bias += all.bias_term();
    }
    sums
}

/// Logarithm of the likelihood of the answers at an ability.
pub fn log_likelihood(answers: &Answers<'_>, theta: f64) -> f64 {
    answers.iter().map(|(curve, category)| curve.log_probability(theta, *category)).sum()
}

fn scan(range: Range) -> Vec<f64> {
    Grid { from: range.from, to: range.to, nodes: SCAN }.iter().collect()
}

/// The highest of all local maxima, bounds included, and whether it is a bound.
fn maximum(range: Range, slope: impl Fn(f64) -> f64, height: impl Fn(f64) -> f64) -> (f64, bool) {
    let nodes = scan(range);
    let slopes: Vec<f64> = nodes.iter().map(|node| slope(*node)).collect();
    let mut best: Option<(f64, bool)> = None;
    let mut consider = |theta: f64, is_bound: bool| match best {
        Some((kept, _)) if height(kept) >= height(theta) => {}
        _ => best = Some((theta, is_bound)),
    };
    if slopes[0] <= 0.0 {
        consider(range.from, true);
    }
    for (pair, ends) in slopes.windows(2).zip(nodes.windows(2)) {
        if pair[0] > 0.0 && pair[1] <= 0.0 {
            consider(bisect(ends[0], ends[1], &slope), false);
        }
    }
    if slopes.last().is_some_and(|slope| *slope > 0.0) {
        consider(range.to, true);
    }
    best.unwrap_or((range.from, true))
}

/// The root of Warm's weighted score (Warm, 1989, eq. 7) with the largest weighted likelihood, and whether it is a bound.
///
/// The weighted likelihood is the function whose logarithm has the weighted score as its derivative: the likelihood
/// times `exp(integral of J / (2 I))`. Under the 1PL and 2PL models it is the likelihood times `sqrt(I)`; under 3PL and 4PL
/// the integral has no closed form and is computed by Simpson's rule between the scanned abilities. A bound is
/// the estimate only if the weighted score has no root inside the range.
fn weighted_maximum(range: Range, answers: &Answers<'_>) -> (f64, bool) {
    let correction = |theta: f64| {
        let sums = sums(answers, theta);
        sums.bias / (2.0 * sums.information)
    };
    let slope = |theta: f64| sums(answers, theta).score + correction(theta);
    let integral = |from: f64, to: f64| {
        let middle = from + (to - from) / 2.0;
        (to - from) / 6.0 * (correction(from) + 4.0 * correction(middle) + correction(to))
    };
    let nodes = scan(range);
    let slopes: Vec<f64> = nodes.iter().map(|node| slope(*node)).collect();
    let (mut weight, mut best) = (0.0, None);
    for (pair, ends) in slopes.windows(2).zip(nodes.windows(2)) {
        if pair[0] > 0.0 && pair[1] <= 0.0 {
            let root = bisect(ends[0], ends[1], &slope);
            let height = log_likelihood(answers, root) + weight + integral(ends[0], root);
            if best.is_none_or(|(_, highest)| height > highest) {
                best = Some((root, height));
            }
        }
        weight += integral(ends[0], ends[1]);
    }
    match best {
        Some((root, _)) => (root, false),
        // Without a root that is a maximum, the higher end.
        None if log_likelihood(answers, range.to) + weight > log_likelihood(answers, range.from) => {
            (range.to, true)
        }
        None => (range.from, true),
    }
}

/// The root between a positive and a negative slope.
fn bisect(mut low: f64, mut high: f64, slope: &impl Fn(f64) -> f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}
