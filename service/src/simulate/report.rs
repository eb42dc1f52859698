//! The report on simulated exams.
//!
//! Input: sittings. Output: a [`Report`], and its text. Must not know: where it is shown.

use super::Sitting;
use std::collections::HashMap;
use std::fmt;

/// Two-sided 95 % quantile of a normal distribution.
const Z95: f64 = 1.96;
/// Bins of true ability, by upper end.
const GROUPS: [(&str, f64); 5] = [
    ("below -1.5", -1.5),
    ("-1.5 to -0.5", -0.5),
    ("-0.5 to 0.5", 0.5),
    ("0.5 to 1.5", 1.5),
    ("above 1.5", f64::INFINITY),
];

/// The report on many sittings.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Over all sittings.
    pub all: Accuracy,
    /// By true ability.
    pub by_theta: Vec<(&'static str, Accuracy)>,
    /// Exposure rate of each item.
    pub exposure: Vec<f64>,
    /// Test overlap: mean share of common items over all pairs of examinees.
    pub overlap: f64,
    /// Share of results whose standard error is below the node spacing of the estimator's grid: the grid is too coarse.
    pub coarse: f64,
    /// Mean number of items.
    pub length: f64,
    /// Mean number of choices in an exam for which a constraint was relaxed.
    pub relaxed: f64,
}

/// Accuracy of the estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Number of examinees.
    pub count: usize,
    /// Mean of estimate minus ability.
    pub bias: f64,
    /// Root of the mean squared difference.
    pub rmse: f64,
    /// Mean standard error, of those that have one.
    pub mean_error: f64,
    /// Correlation of estimates and abilities.
    pub correlation: f64,
    /// Share of abilities within 1.96 standard errors of their estimate.
    pub coverage: f64,
}

impl Report {
    /// The report on these sittings with a bank of this size.
    pub fn of(sittings: &[Sitting], items: usize) -> Self {
        let mut counts = vec![0_usize; items];
        sittings.iter().flat_map(|sitting| &sitting.items).for_each(|item| counts[*item] += 1);
        let total = sittings.len() as f64;
        let length = sittings.iter().map(|sitting| sitting.items.len()).sum::<usize>() as f64 / total;
        let pairs: f64 = counts.iter().map(|count| (*count as f64) * (*count as f64 - 1.0)).sum();
        let group = |theta: f64| GROUPS.iter().position(|(_, end)| theta < *end).unwrap_or(GROUPS.len() - 1);
        let mut grouped: HashMap<usize, Vec<&Sitting>> = HashMap::new();
        sittings.iter().for_each(|sitting| grouped.entry(group(sitting.theta)).or_default().push(sitting));
        let by_theta = GROUPS
            .iter()
            .enumerate()
            .filter_map(|(index, (name, _))| Some((*name, Accuracy::of(grouped.get(&index)?))));
        Self {
            all: Accuracy::of(&sittings.iter().collect::<Vec<_>>()),
            by_theta: by_theta.collect(),
            overlap: if total > 1.0 { pairs / (total * (total - 1.0) * length) } else { 0.0 },
            exposure: counts.into_iter().map(|count| count as f64 / total).collect(),
            coarse: sittings.iter().filter(|sitting| sitting.coarse).count() as f64 / total,
            length,
            relaxed: sittings.iter().map(|sitting| sitting.relaxed.len()).sum::<usize>() as f64 / total,
        }
    }

    /// The highest exposure rate.
    pub fn max_exposure(&self) -> f64 {
        self.exposure.iter().copied().fold(0.0, f64::max)
    }

    /// The mean exposure rate.
    pub fn mean_exposure(&self) -> f64 {
        self.exposure.iter().sum::<f64>() / self.exposure.len() as f64
    }

    /// Number of items that were never administered.
    pub fn never_used(&self) -> usize {
        self.exposure.iter().filter(|share| **share == 0.0).count()
    }
}

impl Accuracy {
    /// The accuracy of these sittings.
    pub fn of(sittings: &[&Sitting]) -> Self {
        let count = sittings.len();
        let mean = |of: &dyn Fn(&Sitting) -> f64| {
            sittings.iter().map(|sitting| of(sitting)).sum::<f64>() / count as f64
        };
        let off = |sitting: &Sitting| sitting.ability.theta - sitting.theta;
        let (truth, estimate) = (mean(&|sitting| sitting.theta), mean(&|sitting| sitting.ability.theta));
        let moment = |one: &dyn Fn(&Sitting) -> f64, other: &dyn Fn(&Sitting) -> f64| {
            mean(&|sitting| one(sitting) * other(sitting))
        };
        let (of_truth, of_estimate) =
            (|sitting: &Sitting| sitting.theta - truth, |sitting: &Sitting| sitting.ability.theta - estimate);
        let spread = moment(&of_truth, &of_truth) * moment(&of_estimate, &of_estimate);
        let errors: Vec<f64> = sittings.iter().filter_map(|sitting| sitting.ability.standard_error).collect();
        let covered = |sitting: &Sitting| {
            let within = |error: f64| off(sitting).abs() <= Z95 * error;
            f64::from(u8::from(sitting.ability.standard_error.is_some_and(within)))
        };
        Self {
            count,
            bias: mean(&off),
            rmse: mean(&|sitting| off(sitting) * off(sitting)).sqrt(),
            mean_error: errors.iter().sum::<f64>() / errors.len() as f64,
            correlation: moment(&of_truth, &of_estimate) / spread.sqrt(),
            coverage: mean(&covered),
        }
    }
}

/// Reports side by side, each with its name.
pub struct Beside<'a>(pub &'a [(String, Report)]);

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, of: &dyn Fn(&Report) -> String| {
            write!(f, "{name:<24}")?;
            self.0.iter().try_for_each(|(_, report)| write!(f, "{:>16}", of(report)))?;
            writeln!(f)
        };
        let names: HashMap<*const Report, &str> =
            self.0.iter().map(|(name, report)| (std::ptr::from_ref(report), name.as_str())).collect();
        row("", &|report| names.get(&std::ptr::from_ref(report)).copied().unwrap_or_default().to_owned())?;
        row("examinees", &|report| report.all.count.to_string())?;
        row("bias", &|report| format!("{:.4}", report.all.bias))?;
        row("RMSE", &|report| format!("{:.4}", report.all.rmse))?;
        row("mean SE", &|report| format!("{:.4}", report.all.mean_error))?;
        row("correlation", &|report| format!("{:.4}", report.all.correlation))?;
        row("coverage of 1.96 SE", &|report| format!("{:.3}", report.all.coverage))?;
        if self.0.iter().any(|(_, report)| report.coarse > 0.0) {
            row("grid too coarse", &|report| format!("{:.3}", report.coarse))?;
        }
        row("mean length", &|report| format!("{:.1}", report.length))?;
        row("exposure, max", &|report| format!("{:.3}", report.max_exposure()))?;
        row("exposure, mean", &|report| format!("{:.3}", report.mean_exposure()))?;
        row("items never used", &|report| report.never_used().to_string())?;
        row("overlap", &|report| format!("{:.3}", report.overlap))?;
        if self.0.iter().any(|(_, report)| report.relaxed > 0.0) {
            row("relaxed per exam", &|report| format!("{:.2}", report.relaxed))?;
        }
        for (name, _) in GROUPS {
            let of =
                |report: &Report| report.by_theta.iter().find(|(group, _)| *group == name).map(|(_, of)| *of);
            row(&format!("theta {name}"), &|report| {
                of(report).map_or("-".to_owned(), |of| format!("n {}", of.count))
            })?;
            row("  bias", &|report| of(report).map_or("-".to_owned(), |of| format!("{:.3}", of.bias)))?;
            row("  RMSE", &|report| of(report).map_or("-".to_owned(), |of| format!("{:.3}", of.rmse)))?;
        }
        Ok(())
    }
}
