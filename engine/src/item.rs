//! Calibrated items: parameters by model.
//!
//! Input: numbers. Output: an [`Item`], or every fault of it. The scaling constant D belongs to the bank. Must not
//! know: abilities, answers, exams.

use serde::{Deserialize, Serialize};

/// Most categories an answer may have.
pub const MAX_CATEGORIES: usize = 16;

/// No calibration gives a parameter beyond this; within it, nothing overflows.
const LARGEST: f64 = 1000.0;

/// An item of one of the unidimensional models. An answer is a category: 0 and 1 for wrong and right
/// under the logistic models, 0 to K under the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub enum Item {
    /// One to four parameters (Birnbaum, 1968; Barton & Lord, 1981, eq. 1):
    /// `P = c + (d - c) / (1 + exp(-D a (theta - b)))`.
    Logistic {
        /// Discrimination: above 0.
        a: f64,
        /// Difficulty, on the scale of ability.
        b: f64,
        /// Lower asymptote, the chance of guessing right: 0 to below `d`.
        #[serde(default)]
        c: f64,
        /// Upper asymptote: above `c`, at most 1.
        #[serde(default = "one")]
        d: f64,
    },
    /// Graded response model (Samejima, 1969): `P(X >= k) = 1 / (1 + exp(-D a (theta - b_k)))`.
    Graded {
        /// Discrimination: above 0.
        a: f64,
        /// Thresholds `b_1 < … < b_K`.
        b: Vec<f64>,
    },
    /// Modified graded response model (Muraki, 1990, eq. 2), thresholds common to a scale:
    /// `P(X >= k) = 1 / (1 + exp(-D a (theta - b + c_k)))`.
    ModifiedGraded {
        /// Discrimination: above 0.
        a: f64,
        /// Location.
        b: f64,
        /// Category parameters `c_1 > … > c_K`.
        c: Vec<f64>,
    },
    /// Generalized partial credit model (Muraki, 1992, eq. 4):
    /// `P_k ~ exp(sum_(v<=k) D a (theta - delta_v))`.
    GeneralizedPartialCredit {
        /// Discrimination: above 0.
        a: f64,
        /// Steps `delta_1 … delta_K`, in any order.
        delta: Vec<f64>,
    },
    /// Partial credit model (Masters, 1982, eq. 7): the generalized one with `a = 1`.
    PartialCredit {
        /// Steps `delta_1 … delta_K`, in any order.
        delta: Vec<f64>,
    },
    /// Rating scale model (Andrich, 1978): partial credit with steps `lambda + delta_v`.
    RatingScale {
        /// Location of the item.
        lambda: f64,
        /// Steps `delta_1 … delta_K` common to a scale.
        delta: Vec<f64>,
    },
    /// Nominal response model (Bock, 1972, eq. 2): `P_k ~ exp(D (alpha_k theta) + c_k)`, with
    /// `alpha_0 = c_0 = 0`.
    Nominal {
        /// Slopes `alpha_1 … alpha_K`.
        alpha: Vec<f64>,
        /// Intercepts `c_1 … c_K`.
        c: Vec<f64>,
    },
}

fn one() -> f64 {
    1.0
}

impl Item {
    /// A four-parameter logistic item; with `d = 1` a 3PL, with `c = 0` too a 2PL item.
    pub fn logistic(a: f64, b: f64, c: f64, d: f64) -> Self {
        Self::Logistic { a, b, c, d }
    }

    /// Number of categories of an answer: 2 for the logistic models.
    pub fn categories(&self) -> usize {
        match self {
            Self::Logistic { .. } => 2,
            Self::Graded { b: steps, .. }
            | Self::ModifiedGraded { c: steps, .. }
            | Self::GeneralizedPartialCredit { delta: steps, .. }
            | Self::PartialCredit { delta: steps }
            | Self::RatingScale { delta: steps, .. }
            | Self::Nominal { alpha: steps, .. } => steps.len() + 1,
        }
    }

    /// Everything that makes the parameters unusable; nothing when they are good.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let values: Vec<(&str, f64)> = match self {
            Self::Logistic { a, b, c, d } => vec![("a", *a), ("b", *b), ("c", *c), ("d", *d)],
            Self::Graded { a, b } => named("a", *a, "b", b),
            Self::ModifiedGraded { a, b, c } => [named("a", *a, "c", c), vec![("b", *b)]].concat(),
            Self::GeneralizedPartialCredit { a, delta } => named("a", *a, "delta", delta),
            Self::PartialCredit { delta } => delta.iter().map(|value| ("delta", *value)).collect(),
            Self::RatingScale { lambda, delta } => named("lambda", *lambda, "delta", delta),
            Self::Nominal { alpha, c } => alpha
                .iter()
                .map(|value| ("alpha", *value))
                .chain(c.iter().map(|value| ("c", *value)))
                .collect(),
        };
        for (name, value) in values.iter().filter(|(_, value)| !(-LARGEST..=LARGEST).contains(value)) {
            faults.push(format!("{name} is {value}; it must be a number within ±{LARGEST}"));
        }
        if let Self::Logistic { a, .. }
        | Self::Graded { a, .. }
        | Self::ModifiedGraded { a, .. }
        | Self::GeneralizedPartialCredit { a, .. } = self
            && *a <= 0.0
        {
            faults.push(format!("a is {a}; a discrimination must be above 0"));
        }
        match self {
            Self::Logistic { c, d, .. } if !(0.0 <= *c && c < d && *d <= 1.0) => {
                faults.push(format!("c is {c} and d is {d}; 0 <= c < d <= 1 must hold"));
            }
            Self::Graded { b, .. } if !b.is_sorted_by(|low, high| low < high) => {
                faults.push("the thresholds b must rise from each to the next".to_owned());
            }
            Self::ModifiedGraded { c, .. } if !c.is_sorted_by(|high, low| high > low) => {
                faults.push("the category parameters c must fall from each to the next".to_owned());
            }
            Self::Nominal { alpha, c } if alpha.len() != c.len() => {
                faults.push(format!("there are {} slopes alpha and {} intercepts c", alpha.len(), c.len()));
            }
            _ => {}
        }
        let categories = self.categories();
        if !(2..=MAX_CATEGORIES).contains(&categories) {
            faults.push(format!("there are {categories} categories; 2 to {MAX_CATEGORIES} are possible"));
        }
        faults
    }
}

fn named<'n>(first: &'n str, value: f64, rest: &'n str, values: &[f64]) -> Vec<(&'n str, f64)> {
    std::iter::once((first, value)).chain(values.iter().map(|value| (rest, *value))).collect()
}
