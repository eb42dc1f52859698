//! A survey of a bank: its information by ability, its gaps, and items of little use.
//!
//! Input: a bank. Output: a [`Survey`], and its text. Must not know: files, exams.

use super::{BankItem, ItemBank};
use contract::settings::ExamType;
use engine::{Grid, Item};
use std::fmt;

/// An exam of this many items should reach the standard error below; abilities where it does not are gaps.
const LENGTH: usize = 20;
const ERROR: f64 = 0.40;
/// Parameters beyond these usually indicate a failed calibration.
const FLAT: f64 = 0.2;
const FAR: f64 = 4.0;
const GUESSED: f64 = 0.4;
/// Largest plausible D a: above it, the calibration did not converge or had another D.
const STEEP: f64 = 5.0;

/// A bank's survey.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    items: usize,
    scaling: f64,
    version: String,
    /// Ability, information of the whole bank, and the standard error that its best 20 items reach.
    curve: Vec<(f64, f64, f64)>,
    /// Items of little use, with the reason.
    junk: Vec<(String, String)>,
}

impl Survey {
    /// Surveys a bank.
    pub fn of(bank: &ItemBank) -> Self {
        let measures = bank.measures();
        let at = |step: i32| {
            let theta = f64::from(step) / 2.0;
            let mut information: Vec<f64> =
                measures.curves().iter().map(|curve| curve.information(theta)).collect();
            information.sort_by(|one, other| other.total_cmp(one));
            let best: f64 = information.iter().take(LENGTH).sum();
            (theta, information.iter().sum(), 1.0 / best.max(f64::MIN_POSITIVE).sqrt())
        };
        Self {
            items: bank.len(),
            scaling: measures.scaling(),
            version: bank.version().to_owned(),
            curve: (-8..=8).map(at).collect(),
            junk: warnings(bank),
        }
    }

    /// Abilities at which 20 of its items do not reach a standard error of 0.40.
    pub fn gaps(&self) -> Vec<f64> {
        self.curve.iter().filter(|(_, _, error)| *error > ERROR).map(|(theta, ..)| *theta).collect()
    }

    /// The ability at which the best 20 items are sharpest and their error, if catR's grid is too coarse to hold a
    /// posterior as narrow.
    fn sharpest(&self) -> Option<(f64, f64)> {
        let sharpest = self.curve.iter().min_by(|(_, _, one), (_, _, other)| one.total_cmp(other));
        sharpest.map(|(theta, _, error)| (*theta, *error)).filter(|(_, error)| *error < Grid::CAT_R.spacing())
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.items
    }

    /// D of the calibration.
    pub fn scaling(&self) -> f64 {
        self.scaling
    }

    /// Ability, information of the whole bank, and the standard error that its best 20 items reach.
    pub fn curve(&self) -> &[(f64, f64, f64)] {
        &self.curve
    }

    /// Items of little use, with the reason.
    pub fn junk(&self) -> &[(String, String)] {
        &self.junk
    }
}

/// Items to look at, with the reason: implausible parameters, choices without a key, equal choices.
pub fn warnings(bank: &ItemBank) -> Vec<(String, String)> {
    let scaling = bank.measures().scaling();
    let each = bank.items.iter().flat_map(|item| {
        let reasons = oddities(&item.parameters, scaling).into_iter().chain(of_choices(item));
        reasons.map(|reason| (item.code.clone(), reason))
    });
    each.collect()
}

fn oddities(item: &Item, scaling: f64) -> Vec<String> {
    let steep =
        |a: f64| (a * scaling > STEEP, format!("a = {a}: steeper than any real item (D a above {STEEP})"));
    let checks = match item {
        Item::Logistic { a, b, c, .. } => vec![
            (*a < FLAT, format!("a = {a}: it hardly discriminates (below {FLAT})")),
            steep(*a),
            (b.abs() > FAR, format!("b = {b}: beyond every examinee (outside ±{FAR})")),
            (*c > GUESSED, format!("c = {c}: more than guessing (above {GUESSED})")),
        ],
        Item::Graded { a, .. }
        | Item::ModifiedGraded { a, .. }
        | Item::GeneralizedPartialCredit { a, .. } => {
            vec![(*a < FLAT, format!("a = {a}: it hardly discriminates (below {FLAT})")), steep(*a)]
        }
        Item::PartialCredit { .. } | Item::RatingScale { .. } | Item::Nominal { .. } => Vec::new(),
    };
    checks.into_iter().filter(|(odd, _)| *odd).map(|(_, reason)| reason).collect()
}

fn of_choices(item: &BankItem) -> Vec<String> {
    let mut reasons = Vec::new();
    if item.lacks_key() {
        reasons.push("it has choices and no key: only a caller that grades can answer it".to_owned());
    }
    let choices = &item.choices;
    let twins = (0..choices.len()).flat_map(|one| (one + 1..choices.len()).map(move |other| (one, other)));
    let equal = twins.filter(|(one, other)| choices[*one] == choices[*other]);
    reasons.extend(equal.map(|(one, other)| format!("choices {} and {} are the same", one + 1, other + 1)));
    reasons
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, scaling, version, curve, junk } = self;
        writeln!(f, "{items} items, D = {scaling}, version {version}\n")?;
        writeln!(f, "{:>6} {:>12} {:>16}", "theta", "information", "SE of best 20")?;
        let most = curve.iter().map(|(_, information, _)| *information).fold(f64::MIN_POSITIVE, f64::max);
        for (theta, information, error) in curve {
            let bar = "█".repeat((information / most * 40.0).round() as usize);
            let error = if *error < 10.0 { format!("{error:.3}") } else { "over 10".to_owned() };
            writeln!(f, "{theta:>6.1} {information:>12.3} {error:>16}  {bar}")?;
        }
        match self.gaps().as_slice() {
            [] => writeln!(f, "\nNo gap: {LENGTH} items reach a standard error of {ERROR} from -4 to 4.")?,
            gaps => {
                let gaps: Vec<String> = gaps.iter().map(f64::to_string).collect();
                writeln!(
                    f,
                    "\nGaps, where {LENGTH} items do not reach a standard error of {ERROR}: theta {}",
                    gaps.join(", ")
                )?;
            }
        }
        if let Some((theta, error)) = self.sharpest() {
            let least = (8.0 / error).ceil() + 1.0;
            let ExamType { grid_nodes, .. } = ExamType::default();
            writeln!(
                f,
                "\nSharp: at theta {theta} {LENGTH} items reach a standard error of {error:.3}. A grid needs nodes that are closer, {least} or more from \
                 -4 to 4 (catR's 33 are too few; the default here is {grid_nodes} from -6 to 6), or take the estimator adaptive_eap."
            )?;
        }
        if junk.is_empty() {
            return writeln!(f, "No item looks like junk.");
        }
        writeln!(f, "\nItems to look at:")?;
        junk.iter().try_for_each(|(code, reason)| writeln!(f, "  {code}: {reason}"))
    }
}
