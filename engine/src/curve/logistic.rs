//! The one- to four-parameter logistic models.

use super::{Derivatives, log_logistic, logistic};

/// A dichotomous curve: `P = c + (d - c) / (1 + exp(-slope (theta - b)))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    slope: f64,
    b: f64,
    c: f64,
    d: f64,
}

impl Logistic {
    /// `slope` is D a.
    pub fn new(slope: f64, b: f64, c: f64, d: f64) -> Self {
        Self { slope, b, c, d }
    }

    /// Difficulty.
    pub fn difficulty(&self) -> f64 {
        self.b
    }

    /// Discrimination, D multiplied in.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// Probability of a right answer, within `[c, d]`.
    pub fn probability(&self, theta: f64) -> f64 {
        (self.c + (self.d - self.c) * logistic(self.slope * (theta - self.b))).clamp(self.c, self.d)
    }

    /// Logarithm of the probability. Where an asymptote is exact, that of the logistic is taken, so
    /// that nothing underflows.
    pub fn log_probability(&self, theta: f64, category: usize) -> f64 {
        let x = self.slope * (theta - self.b);
        let (x, floor) = if category == 1 { (x, self.c) } else { (-x, 1.0 - self.d) };
        let range = self.d - self.c;
        if floor > 0.0 { libm::log(floor + range * logistic(x)) } else { libm::log(range) + log_logistic(x) }
    }

    /// Information `P'^2 / (P Q)` (Lord, 1980, eq. 5-9) from one exponential: with one logistic factor
    /// cancelled wherever an asymptote is exact, the tails never become 0 / 0.
    pub fn information(&self, theta: f64) -> f64 {
        let x = self.slope * (theta - self.b);
        let e = libm::exp(-x.abs());
        let (near, far) = (1.0 / (1.0 + e), e / (1.0 + e));
        let (right, wrong) = if x >= 0.0 { (near, far) } else { (far, near) };
        let range = self.d - self.c;
        let over_p = if self.c > 0.0 { range * right / (self.c + range * right) } else { 1.0 };
        let over_q = if self.d < 1.0 { range * wrong / (1.0 - self.d + range * wrong) } else { 1.0 };
        self.slope * self.slope * right * wrong * over_p * over_q
    }

    /// Probabilities and derivatives of both categories.
    pub fn derivatives(&self, theta: f64) -> Derivatives {
        let x = self.slope * (theta - self.b);
        let (right, wrong, range, s) = (logistic(x), logistic(-x), self.d - self.c, self.slope);
        let w = right * wrong;
        let mut all = Derivatives::none(2);
        all.p[1] = self.c + range * right;
        all.p[0] = (1.0 - self.d) + range * wrong;
        all.d1[1] = range * s * w;
        all.d2[1] = range * s * s * w * (wrong - right);
        all.d3[1] = range * s * s * s * w * (1.0 - 6.0 * w);
        (all.d1[0], all.d2[0], all.d3[0]) = (-all.d1[1], -all.d2[1], -all.d3[1]);
        all
    }

    /// Ability at which the information is greatest: `b` for 2PL, Birnbaum's (1968, eq. 20.4.21) for
    /// 3PL, the root of Magis (2013) by search for 4PL.
    pub fn peak(&self) -> f64 {
        if self.d == 1.0 {
            let shift = libm::log((1.0 + libm::sqrt(1.0 + 8.0 * self.c)) / 2.0);
            return self.b + shift / self.slope;
        }
        // The information has one maximum (Magis, 2013): golden section finds it.
        let ratio = (libm::sqrt(5.0) - 1.0) / 2.0;
        let (mut low, mut high) = (self.b - 8.0 / self.slope, self.b + 8.0 / self.slope);
        for _ in 0..100 {
            let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
            if self.information(left) < self.information(right) { low = left } else { high = right }
        }
        (low + high) / 2.0
    }
}
