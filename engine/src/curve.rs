//! Items prepared for computation: D multiplied in, one form for each family of models.
//!
//! Input: an [`Item`] and D. Output: the probability of each category at an ability, its logarithm, its
//! derivatives, and the information of an answer. Probabilities are never multiplied, and never computed by
//! subtraction from 1. Must not know: banks, estimators, exams.

mod graded;
mod logistic;
mod softmax;

use crate::item::{Item, MAX_CATEGORIES};
use graded::Graded;
pub use logistic::Logistic;
use softmax::Softmax;

/// The category response curves of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// 1–4PL.
    Logistic(Logistic),
    /// Cumulative logits: GRM, MGRM.
    Graded(Graded),
    /// Divide by total: GPCM, PCM, RSM, NRM.
    Softmax(Softmax),
}

/// Probabilities of all categories at one ability, with their first three derivatives.
#[derive(Clone, Copy, Debug)]
pub struct Derivatives {
    /// How many categories there are.
    pub categories: usize,
    /// Probabilities.
    pub p: [f64; MAX_CATEGORIES],
    /// First derivatives by ability.
    pub d1: [f64; MAX_CATEGORIES],
    /// Second derivatives.
    pub d2: [f64; MAX_CATEGORIES],
    /// Third derivatives.
    pub d3: [f64; MAX_CATEGORIES],
}

impl Derivatives {
    fn none(categories: usize) -> Self {
        let zero = [0.0; MAX_CATEGORIES];
        Self { categories, p: zero, d1: zero, d2: zero, d3: zero }
    }

    /// Categories whose probability is not zero in this arithmetic.
    fn possible(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.categories).filter(|k| self.p[*k] > 0.0)
    }

    /// Fisher information: `sum P_k'^2 / P_k`.
    pub fn information(&self) -> f64 {
        self.possible().map(|k| self.d1[k] * self.d1[k] / self.p[k]).sum()
    }

    /// `J = sum P_k' P_k'' / P_k`, the bias term of Warm (1989, eq. 7; Samejima, 1998, for more
    /// categories).
    pub fn bias_term(&self) -> f64 {
        self.possible().map(|k| self.d1[k] * self.d2[k] / self.p[k]).sum()
    }

    /// First and second derivative of the information.
    pub fn information_slopes(&self) -> (f64, f64) {
        self.possible().fold((0.0, 0.0), |(first, second), k| {
            let (p, d1, d2, d3) = (self.p[k], self.d1[k], self.d2[k], self.d3[k]);
            let term = d1 * d1 / p;
            let slope = (2.0 * d1 * d2 - term * d1) / p;
            let bend = (2.0 * d2 * d2 + 2.0 * d1 * d3 - 2.0 * slope * d1 - term * d2) / p;
            (first + slope, second + bend)
        })
    }

    /// Observed information of an answer: `-(log P_k)''`.
    pub fn observed_information(&self, category: usize) -> f64 {
        let (p, d1, d2) = (self.p[category], self.d1[category], self.d2[category]);
        if p > 0.0 { (d1 * d1 / p - d2) / p } else { 0.0 }
    }
}

impl Curve {
    /// The curves of an item under the scaling constant D.
    pub fn new(item: &Item, scaling: f64) -> Self {
        match item {
            Item::Logistic { a, b, c, d } => Self::Logistic(Logistic::new(scaling * a, *b, *c, *d)),
            Item::Graded { a, b } => Self::Graded(Graded::new(scaling * a, b.clone())),
            Item::ModifiedGraded { a, b, c } => {
                Self::Graded(Graded::new(scaling * a, c.iter().map(|c| b - c).collect()))
            }
            Item::GeneralizedPartialCredit { a, delta } => {
                Self::Softmax(Softmax::partial_credit(scaling * a, delta))
            }
            Item::PartialCredit { delta } => Self::Softmax(Softmax::partial_credit(scaling, delta)),
            Item::RatingScale { lambda, delta } => {
                let steps: Vec<f64> = delta.iter().map(|delta| lambda + delta).collect();
                Self::Softmax(Softmax::partial_credit(scaling, &steps))
            }
            Item::Nominal { alpha, c } => Self::Softmax(Softmax::nominal(scaling, alpha, c)),
        }
    }

    /// Number of categories of an answer.
    pub fn categories(&self) -> usize {
        match self {
            Self::Logistic(_) => 2,
            Self::Graded(curve) => curve.categories(),
            Self::Softmax(curve) => curve.categories(),
        }
    }

    /// Natural logarithm of the probability of a category; finite for every finite ability.
    pub fn log_probability(&self, theta: f64, category: usize) -> f64 {
        match self {
            Self::Logistic(curve) => curve.log_probability(theta, category),
            Self::Graded(curve) => curve.log_probability(theta, category),
            Self::Softmax(curve) => curve.log_probability(theta, category),
        }
    }

    /// Probabilities and derivatives at an ability.
    pub fn derivatives(&self, theta: f64) -> Derivatives {
        match self {
            Self::Logistic(curve) => curve.derivatives(theta),
            Self::Graded(curve) => curve.derivatives(theta),
            Self::Softmax(curve) => curve.derivatives(theta),
        }
    }

    /// Probabilities at an ability; the first [`Curve::categories`] of them count.
    pub fn probabilities(&self, theta: f64) -> [f64; MAX_CATEGORIES] {
        self.derivatives(theta).p
    }

    /// Fisher information of an answer at an ability; never negative.
    pub fn information(&self, theta: f64) -> f64 {
        match self {
            Self::Logistic(curve) => curve.information(theta),
            _ => self.derivatives(theta).information(),
        }
    }

    /// Expected score of an answer at an ability, in categories.
    pub fn expected_category(&self, theta: f64) -> f64 {
        let p = self.probabilities(theta);
        (0_u32..).zip(&p[..self.categories()]).map(|(k, p)| f64::from(k) * p).sum()
    }
}

/// `1 / (1 + exp(-x))`, without overflow.
fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// Logarithm of the logistic, without underflow.
fn log_logistic(x: f64) -> f64 {
    if x >= 0.0 { -libm::log1p(libm::exp(-x)) } else { x - libm::log1p(libm::exp(x)) }
}
