//! Estimation of ability: expected a posteriori on a grid, in the log domain.
//!
//! EAP (Bock & Mislevy, 1982, eq. 3 and 4): mean and standard deviation of the posterior, by the
//! trapezoid rule over equally spaced nodes.

use crate::item::Item;
use serde::{Deserialize, Serialize};

/// An estimate of ability and the standard error of it, in standard deviations of the calibration
/// sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ability {
    /// The estimate.
    pub theta: f64,
    /// Its standard error; for EAP the posterior's standard deviation.
    pub standard_error: f64,
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
}

impl Default for Prior {
    fn default() -> Self {
        Self::Normal { mean: 0.0, sd: 1.0 }
    }
}

impl Prior {
    /// Logarithm of the density, up to a constant; minus infinity where there is none.
    fn log_density(self, theta: f64) -> f64 {
        match self {
            Self::Normal { mean, sd } => {
                let z = (theta - mean) / sd;
                -0.5 * z * z
            }
            Self::Uniform { from, to } if (from..=to).contains(&theta) => 0.0,
            Self::Uniform { .. } => f64::NEG_INFINITY,
        }
    }

    /// Its own mean and standard deviation, not those of any grid.
    pub fn ability(self) -> Ability {
        match self {
            Self::Normal { mean, sd } => Ability { theta: mean, standard_error: sd },
            Self::Uniform { from, to } => {
                Ability { theta: (from + to) / 2.0, standard_error: (to - from) / libm::sqrt(12.0) }
            }
        }
    }

    /// Whether it is a distribution.
    pub fn is_proper(self) -> bool {
        match self {
            Self::Normal { mean, sd } => mean.is_finite() && sd.is_finite() && sd > 0.0,
            Self::Uniform { from, to } => from.is_finite() && to.is_finite() && from < to,
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
    /// The nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = f64> {
        let last = f64::from(self.nodes.saturating_sub(1).max(1));
        (0..self.nodes).map(move |index| self.from + (self.to - self.from) * f64::from(index) / last)
    }
}

/// What is known of an ability: the prior and the answers so far. One answer costs one evaluation a
/// node; the same answers in the same order give the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    prior: Prior,
    nodes: Vec<f64>,
    log_density: Vec<f64>,
    answers: usize,
}

impl Posterior {
    /// The prior alone.
    pub fn new(prior: Prior, grid: Grid) -> Self {
        let nodes: Vec<f64> = grid.iter().collect();
        let log_density = nodes.iter().map(|node| prior.log_density(*node)).collect();
        Self { prior, log_density, nodes, answers: 0 }
    }

    /// Takes an answer in: category 1 right, 0 wrong.
    pub fn observe(&mut self, item: &Item, scaling: f64, category: u8) {
        for (node, density) in self.nodes.iter().zip(&mut self.log_density) {
            *density += item.log_likelihood(scaling, *node, category);
        }
        self.answers += 1;
    }

    /// Mean and standard deviation of the posterior. Without an answer they are the prior's own, not
    /// those of its grid.
    pub fn ability(&self) -> Ability {
        if self.answers == 0 {
            return self.prior.ability();
        }
        let peak = self.log_density.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let last = self.nodes.len() - 1;
        let weight = |(index, density): (usize, &f64)| {
            let ends = if index == 0 || index == last { 0.5 } else { 1.0 };
            ends * libm::exp(density - peak)
        };
        let (mut mass, mut first) = (0.0, 0.0);
        for (node, weight) in self.nodes.iter().zip(self.log_density.iter().enumerate().map(weight)) {
            mass += weight;
            first += weight * node;
        }
        let theta = first / mass;
        let mut second = 0.0;
        for (node, weight) in self.nodes.iter().zip(self.log_density.iter().enumerate().map(weight)) {
            second += weight * (node - theta) * (node - theta);
        }
        Ability { theta, standard_error: libm::sqrt(second / mass) }
    }
}
