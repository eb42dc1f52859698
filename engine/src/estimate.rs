//! Estimators of the ability from all answers.
//!
//! Input: curves and categories. Output: an [`Estimate`], with the formula of its standard error and whether it is
//! at a bound. Likelihoods with several maxima are scanned, instead of depending on a start value. Must not know:
//! item selection, when an exam ends.

use crate::ability::{Ability, Grid, Posterior, Prior};
use crate::curve::Curve;
use serde::{Deserialize, Serialize};

/// Points at which a likelihood is looked at for its maxima.
const SCAN: u32 = 201;
/// Halvings of a bracket: more than a double has digits.
const HALVINGS: usize = 70;

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
            Self::Map { prior, range } => (prior, range),
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

    /// The estimate from these answers. Without any: the prior's own mean and standard deviation, or
    /// the middle of the range.
    pub fn estimate(&self, answers: &Answers<'_>) -> Estimate {
        match *self {
            Self::Eap { prior, grid } => {
                let mut posterior = Posterior::new(prior, grid);
                answers.iter().for_each(|(curve, category)| posterior.observe(curve, *category));
                Estimate::of_mean(&posterior)
            }
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
                let weighted = |theta| {
                    let sums = sums(answers, theta);
                    sums.score + sums.bias / (2.0 * sums.information)
                };
                let (theta, is_bounded) = root_of_greatest_area(range, weighted);
                by_information(answers, theta, is_bounded)
            }
        }
    }
}

fn map(prior: Prior, range: Range, answers: &Answers<'_>) -> Estimate {
    let range = match prior {
        Prior::Uniform { from, to } => Range { from: range.from.max(from), to: range.to.min(to) },
        _ => range,
    };
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

/// Warm's equation has no likelihood of its own under 3PL. Of several roots the one is taken whose
/// side of the curve holds the greatest area: the maximum of the function that it is the slope of.
fn root_of_greatest_area(range: Range, slope: impl Fn(f64) -> f64) -> (f64, bool) {
    let nodes = scan(range);
    let slopes: Vec<f64> = nodes.iter().map(|node| slope(*node)).collect();
    let mut area = 0.0;
    let mut best = if slopes[0] <= 0.0 { Some((range.from, true, 0.0)) } else { None };
    for (pair, ends) in slopes.windows(2).zip(nodes.windows(2)) {
        if pair[0] > 0.0 && pair[1] <= 0.0 {
            let root = bisect(ends[0], ends[1], &slope);
            let here = area + pair[0] * (root - ends[0]) / 2.0;
            if best.is_none_or(|(_, _, most)| here > most) {
                best = Some((root, false, here));
            }
        }
        area += (pair[0] + pair[1]) / 2.0 * (ends[1] - ends[0]);
    }
    if slopes.last().is_some_and(|slope| *slope > 0.0) && best.is_none_or(|(_, _, most)| area > most) {
        best = Some((range.to, true, area));
    }
    best.map_or((range.from, true), |(theta, is_bound, _)| (theta, is_bound))
}

/// The root between a positive and a negative slope.
fn bisect(mut low: f64, mut high: f64, slope: &impl Fn(f64) -> f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}
