//! Divide-by-total models: `P_k ~ exp(slope_k theta + intercept_k)`.

use super::Derivatives;
use crate::item::MAX_CATEGORIES;

/// Curves of a divide-by-total item; category 0 has slope and intercept 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    slopes: Vec<f64>,
    intercepts: Vec<f64>,
}

impl Softmax {
    /// Partial credit: each step adds `slope (theta - delta)`.
    pub(super) fn partial_credit(slope: f64, steps: &[f64]) -> Self {
        let (mut slopes, mut intercepts) = (vec![0.0], vec![0.0]);
        let mut total = 0.0;
        for (delta, count) in steps.iter().zip(1_u32..) {
            total += delta;
            slopes.push(slope * f64::from(count));
            intercepts.push(-slope * total);
        }
        Self { slopes, intercepts }
    }

    /// Nominal: the slopes and intercepts as they are, D multiplied into the slopes.
    pub(super) fn nominal(scaling: f64, alpha: &[f64], c: &[f64]) -> Self {
        let slopes = std::iter::once(0.0).chain(alpha.iter().map(|alpha| scaling * alpha)).collect();
        Self { slopes, intercepts: std::iter::once(0.0).chain(c.iter().copied()).collect() }
    }

    pub(super) fn categories(&self) -> usize {
        self.slopes.len()
    }

    /// Exponents, and the logarithm of the sum of their exponentials.
    fn exponents(&self, theta: f64) -> ([f64; MAX_CATEGORIES], f64) {
        let mut exponents = [f64::NEG_INFINITY; MAX_CATEGORIES];
        for (exponent, (slope, intercept)) in
            exponents.iter_mut().zip(self.slopes.iter().zip(&self.intercepts))
        {
            *exponent = slope * theta + intercept;
        }
        let peak = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 =
            exponents[..self.categories()].iter().map(|exponent| libm::exp(exponent - peak)).sum();
        (exponents, peak + libm::log(total))
    }

    pub(super) fn log_probability(&self, theta: f64, k: usize) -> f64 {
        let (exponents, total) = self.exponents(theta);
        exponents[k] - total
    }

    /// With `m` and `v` mean and variance of the slopes under P: `P' = P (s - m)`,
    /// `P'' = P ((s - m)^2 - v)`, and so on.
    pub(super) fn derivatives(&self, theta: f64) -> Derivatives {
        let mut all = Derivatives::none(self.categories());
        let (exponents, total) = self.exponents(theta);
        for (p, exponent) in all.p.iter_mut().zip(&exponents[..self.categories()]) {
            *p = libm::exp(exponent - total);
        }
        let mean: f64 = self.slopes.iter().zip(&all.p).map(|(s, p)| s * p).sum();
        let moment = |power: i32| -> f64 {
            self.slopes.iter().zip(&all.p).map(|(s, p)| p * (s - mean).powi(power)).sum()
        };
        let (variance, third) = (moment(2), moment(3));
        for (k, slope) in self.slopes.iter().enumerate() {
            let (p, from) = (all.p[k], slope - mean);
            all.d1[k] = p * from;
            all.d2[k] = p * (from * from - variance);
            all.d3[k] = p * (from * from * from - 3.0 * variance * from - third);
        }
        all
    }
}
