//! Cumulative logit models: `P(X >= k)` is a logistic curve at each threshold (Samejima, 1969).

use super::{Derivatives, log_logistic, logistic};

/// Curves of a graded item; thresholds rise.
#[derive(Clone, Debug, PartialEq)]
pub struct Graded {
    slope: f64,
    thresholds: Vec<f64>,
}

impl Graded {
    /// `slope` is D a.
    pub(super) fn new(slope: f64, thresholds: Vec<f64>) -> Self {
        Self { slope, thresholds }
    }

    pub(super) fn categories(&self) -> usize {
        self.thresholds.len() + 1
    }

    /// Arguments of the logistic curves above and below category `k`; none at the ends.
    fn bounds(&self, theta: f64, k: usize) -> (Option<f64>, Option<f64>) {
        let at = |threshold: &f64| self.slope * (theta - threshold);
        let above = k.checked_sub(1).and_then(|k| self.thresholds.get(k)).map(at);
        (above, self.thresholds.get(k).map(at))
    }

    /// `P_k` is the difference of two logistic curves; as a product it loses no digits.
    pub(super) fn log_probability(&self, theta: f64, k: usize) -> f64 {
        match self.bounds(theta, k) {
            (None, None) => 0.0,
            (Some(x), None) => log_logistic(x),
            (None, Some(y)) => log_logistic(-y),
            (Some(x), Some(y)) => log_logistic(x) + log_logistic(-y) + libm::log(-libm::expm1(y - x)),
        }
    }

    pub(super) fn derivatives(&self, theta: f64) -> Derivatives {
        let mut all = Derivatives::none(self.categories());
        let s = self.slope;
        // Derivatives of one cumulative curve.
        let curve = |x: f64| {
            let (p, q) = (logistic(x), logistic(-x));
            let w = p * q;
            [s * w, s * s * w * (q - p), s * s * s * w * (1.0 - 6.0 * w)]
        };
        for k in 0..all.categories {
            let (above, below) = self.bounds(theta, k);
            all.p[k] = libm::exp(self.log_probability(theta, k));
            let (high, low) = (above.map_or([0.0; 3], curve), below.map_or([0.0; 3], curve));
            all.d1[k] = high[0] - low[0];
            all.d2[k] = high[1] - low[1];
            all.d3[k] = high[2] - low[2];
        }
        all
    }
}
