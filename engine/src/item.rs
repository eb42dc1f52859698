//! Items of the one- to four-parameter logistic models.
//!
//! Comes in: parameters, the scaling constant D and an ability. Goes out: the probability of a right
//! answer, its logarithm, and the information of an answer. Must not know: banks, exams, estimators.

use serde::{Deserialize, Serialize};

/// A dichotomous item under the four-parameter logistic model (Barton & Lord, 1981, eq. 1):
/// `P = c + (d - c) / (1 + exp(-D a (theta - b)))`. With `d = 1` it is Birnbaum's (1968, eq. 17.4.3)
/// three-parameter model, with `c = 0` too the two-parameter one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Discrimination: above 0.
    pub a: f64,
    /// Difficulty, on the scale of ability.
    pub b: f64,
    /// Lower asymptote, the chance of guessing right: 0 to below `d`.
    pub c: f64,
    /// Upper asymptote: above `c`, at most 1.
    pub d: f64,
}

impl Item {
    /// Probability of a right answer at `theta`, within `[c, d]`.
    pub fn probability(&self, scaling: f64, theta: f64) -> f64 {
        self.c + (self.d - self.c) * logistic(scaling * self.a * (theta - self.b))
    }

    /// Probability of a wrong answer, computed directly: no digits are lost near 1.
    fn complement(&self, scaling: f64, theta: f64) -> f64 {
        (1.0 - self.d) + (self.d - self.c) * logistic(-scaling * self.a * (theta - self.b))
    }

    /// Natural logarithm of the probability of an answer: category 1 right, anything else wrong.
    /// Finite for every finite argument: where an asymptote is 0, the logistic's own logarithm is taken.
    pub fn log_likelihood(&self, scaling: f64, theta: f64, category: u8) -> f64 {
        let x = scaling * self.a * (theta - self.b);
        let (x, floor, p) = match category {
            1 => (x, self.c, self.probability(scaling, theta)),
            _ => (-x, 1.0 - self.d, self.complement(scaling, theta)),
        };
        if floor > 0.0 { libm::log(p) } else { libm::log(self.d - self.c) + log_logistic(x) }
    }

    /// Fisher information of the answer at `theta`: `P'^2 / (P Q)` (Lord, 1980, eq. 5-9), never negative.
    pub fn information(&self, scaling: f64, theta: f64) -> f64 {
        let slope = scaling * self.a;
        let x = slope * (theta - self.b);
        let (right, wrong) = (logistic(x), logistic(-x));
        let range = self.d - self.c;
        // P'^2 / (P Q) with one logistic factor cancelled from each asymptote that is exact, so that
        // the tails of 2PL items do not become 0 / 0.
        let over_p = if self.c > 0.0 { range * right / (self.c + range * right) } else { 1.0 };
        let over_q = if self.d < 1.0 { range * wrong / (1.0 - self.d + range * wrong) } else { 1.0 };
        slope * slope * right * wrong * over_p * over_q
    }

    /// Everything that makes the parameters unusable; nothing when they are good.
    pub fn faults(&self) -> Vec<String> {
        let Self { a, b, c, d } = *self;
        let mut faults = Vec::new();
        for (name, value) in [("a", a), ("b", b), ("c", c), ("d", d)] {
            if !value.is_finite() {
                faults.push(format!("{name} is {value}; it must be a finite number"));
            }
        }
        if a <= 0.0 {
            faults.push(format!("a is {a}; a discrimination must be above 0"));
        }
        if !(0.0..=1.0).contains(&c) || !(0.0..=1.0).contains(&d) || c >= d {
            faults.push(format!("c is {c} and d is {d}; 0 <= c < d <= 1 must hold"));
        }
        faults
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
