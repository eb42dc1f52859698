//! Priors, quadrature, and the posterior of the ability on a grid.
//!
//! Input: answers, as curves and categories. Output: an [`Ability`]. Computed in logarithms. Must not know: item
//! selection.

use crate::curve::Curve;
use serde::{Deserialize, Serialize};

/// An estimate of ability, in standard deviations of the calibration sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ability {
    /// The estimate.
    pub theta: f64,
    /// Its standard error, by the formula of the estimator; `None` where there is none.
    pub standard_error: Option<f64>,
}

/// What is known of an ability before the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prior {
    /// A normal distribution.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation: above 0.
        sd: f64,
    },
    /// Every ability of an interval alike, and none outside.
    Uniform {
        /// Its lower end.
        from: f64,
        /// Its upper end: above `from`.
        to: f64,
    },
    /// The square root of the test's information (Jeffreys, 1946): it depends on the items.
    Jeffreys,
}

impl Default for Prior {
    fn default() -> Self {
        Self::Normal { mean: 0.0, sd: 1.0 }
    }
}

impl Prior {
    /// Logarithm of the density, up to a constant; minus infinity where there is none. Of Jeffreys'
    /// prior only the part that no item contributes to: nothing.
    pub fn log_density(self, theta: f64) -> f64 {
        match self {
            Self::Normal { mean, sd } => {
                let z = (theta - mean) / sd;
                -0.5 * z * z
            }
            Self::Uniform { from, to } if (from..=to).contains(&theta) => 0.0,
            Self::Uniform { .. } => f64::NEG_INFINITY,
            Self::Jeffreys => 0.0,
        }
    }

    /// Its own mean and standard deviation, not those of any grid; none for Jeffreys'.
    pub fn ability(self) -> Ability {
        match self {
            Self::Normal { mean, sd } => Ability { theta: mean, standard_error: Some(sd) },
            Self::Uniform { from, to } => {
                Ability { theta: (from + to) / 2.0, standard_error: Some((to - from) / libm::sqrt(12.0)) }
            }
            Self::Jeffreys => Ability { theta: 0.0, standard_error: None },
        }
    }

    /// Whether it is a distribution.
    pub fn is_proper(self) -> bool {
        match self {
            Self::Normal { mean, sd } => mean.is_finite() && sd.is_finite() && sd > 0.0,
            Self::Uniform { from, to } => from.is_finite() && to.is_finite() && from < to,
            Self::Jeffreys => true,
        }
    }
}

/// Equally spaced quadrature nodes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The first node.
    pub from: f64,
    /// The last node.
    pub to: f64,
    /// How many: at least 2.
    pub nodes: u32,
}

impl Default for Grid {
    fn default() -> Self {
        Self { from: -6.0, to: 6.0, nodes: 121 }
    }
}

impl Grid {
    /// catR's: 33 nodes on [-4, 4].
    pub const CAT_R: Self = Self { from: -4.0, to: 4.0, nodes: 33 };

    /// The nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = f64> {
        let last = f64::from(self.nodes.saturating_sub(1).max(1));
        (0..self.nodes).map(move |index| self.from + (self.to - self.from) * f64::from(index) / last)
    }

    /// Distance between two nodes.
    pub fn spacing(self) -> f64 {
        (self.to - self.from) / f64::from(self.nodes.saturating_sub(1).max(1))
    }

    /// Whether it has an extent.
    pub fn is_proper(self) -> bool {
        self.from.is_finite()
            && self.to.is_finite()
            && self.from < self.to
            && (3..=10_001).contains(&self.nodes)
    }

    /// What makes this grid and a prior on it unusable, if anything.
    pub fn fault(self, prior: Prior) -> Option<String> {
        if !prior.is_proper() {
            return Some("must have a prior with an sd above 0, or from below to".to_owned());
        }
        if !self.is_proper() {
            return Some("must have a grid of 3 to 10001 nodes from a lower to a higher end".to_owned());
        }
        let reaches = self.iter().any(|node| prior.log_density(node) > f64::NEG_INFINITY);
        (!reaches).then(|| "must have a prior that gives some node of the grid a density".to_owned())
    }
}

/// A density over ability on a grid, as logarithms: a prior and the answers so far. One answer costs
/// one evaluation a node; the same answers in the same order give the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    prior: Prior,
    nodes: Vec<f64>,
    log_density: Vec<f64>,
    /// Sum of the items' information at each node, for Jeffreys' prior; empty for the others.
    information: Vec<f64>,
    answers: usize,
}

impl Posterior {
    /// The prior alone.
    pub fn new(prior: Prior, grid: Grid) -> Self {
        let nodes: Vec<f64> = grid.iter().collect();
        let log_density = nodes.iter().map(|node| prior.log_density(*node)).collect();
        let information = if prior == Prior::Jeffreys { vec![0.0; nodes.len()] } else { Vec::new() };
        Self { prior, nodes, log_density, information, answers: 0 }
    }

    /// Takes an answer in.
    pub fn observe(&mut self, curve: &Curve, category: usize) {
        self.observe_with(curve, category, None);
    }

    /// Takes an answer in, with the logarithms of its probability at the nodes if they are at hand.
    pub fn observe_with(&mut self, curve: &Curve, category: usize, logs: Option<&[f64]>) {
        match logs {
            Some(logs) => self.log_density.iter_mut().zip(logs).for_each(|(density, log)| *density += log),
            None => {
                for (node, density) in self.nodes.iter().zip(&mut self.log_density) {
                    *density += curve.log_probability(*node, category);
                }
            }
        }
        for (node, information) in self.nodes.iter().zip(&mut self.information) {
            *information += curve.information(*node);
        }
        self.answers += 1;
    }

    /// The nodes.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// Density at each node relative to the greatest, which is 1, with the ends halved as the trapezoid
    /// rule wants it.
    pub fn weights(&self) -> Vec<f64> {
        let mut weights = vec![0.0; self.nodes.len()];
        self.weigh(None, &mut weights);
        weights
    }

    fn weigh(&self, answer: Option<More<'_>>, weights: &mut [f64]) {
        weights.copy_from_slice(&self.log_density);
        match answer {
            Some(More { logs: Some(logs), .. }) => {
                weights.iter_mut().zip(logs).for_each(|(weight, log)| *weight += log);
            }
            Some(More { curve, category, logs: None }) => {
                for (node, weight) in self.nodes.iter().zip(weights.iter_mut()) {
                    *weight += curve.log_probability(*node, category);
                }
            }
            None => {}
        }
        for (index, information) in self.information.iter().enumerate() {
            let more = answer.map_or(0.0, |more| more.curve.information(self.nodes[index]));
            weights[index] += 0.5 * libm::log(information + more);
        }
        let peak = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        weights.iter_mut().for_each(|weight| *weight = libm::exp(*weight - peak));
        if let [first, .., last] = weights {
            *first *= 0.5;
            *last *= 0.5;
        }
    }

    /// Mean and standard deviation (EAP: Bock & Mislevy, 1982, eq. 3 and 4), by the trapezoid rule.
    /// Without an answer they are the prior's own.
    pub fn ability(&self) -> Ability {
        if self.answers == 0 { self.prior.ability() } else { self.moments(None) }
    }

    /// What [`Posterior::ability`] will be after one more answer, to the bit.
    pub fn ability_after(&self, curve: &Curve, category: usize, logs: Option<&[f64]>) -> Ability {
        self.moments(Some(More { curve, category, logs }))
    }

    fn moments(&self, answer: Option<More<'_>>) -> Ability {
        // On the stack: this runs with every answer.
        let mut scratch = [0.0; SCRATCH];
        match scratch.get_mut(..self.nodes.len()) {
            Some(weights) => {
                self.weigh(answer, weights);
                mean_and_sd(&self.nodes, weights)
            }
            None => {
                let mut weights = vec![0.0; self.nodes.len()];
                self.weigh(answer, &mut weights);
                mean_and_sd(&self.nodes, &weights)
            }
        }
    }
}

/// One more answer, with the logarithms of its probability at the nodes if they are at hand.
#[derive(Clone, Copy)]
struct More<'a> {
    curve: &'a Curve,
    category: usize,
    logs: Option<&'a [f64]>,
}

/// Grids of up to so many nodes are computed without allocation.
const SCRATCH: usize = 256;

/// Mean and standard deviation of a density given at nodes.
pub fn mean_and_sd(nodes: &[f64], weights: &[f64]) -> Ability {
    let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
    for (node, weight) in nodes.iter().zip(weights) {
        mass += weight;
        first += weight * node;
    }
    let theta = first / mass;
    for (node, weight) in nodes.iter().zip(weights) {
        second += weight * (node - theta) * (node - theta);
    }
    Ability { theta, standard_error: Some(libm::sqrt(second / mass)) }
}
