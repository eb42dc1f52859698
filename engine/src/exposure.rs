//! Exposure control: which items are administered too often.
//!
//! Input: a rule, counts shared by many exams, the seed of an exam. Output: whether an item may be administered.
//! The random draw for an item depends on the exam's seed and the item alone, so an item passes or is held back for
//! the whole exam. Must not know: abilities, how counts are shared.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// Keeps these draws apart from all others of an exam.
const DRAWS: u64 = 0x3a8f_05c5_1b7e_66d1;

/// A rule of exposure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Control {
    /// An item is held back while giving it once more would bring it above a share of all exams
    /// (restricted method: Revuelta & Ponsoda, 1998): `(n_i + 1) > max(rate (N + 1), at_least)`. Under
    /// maximum information items have prices too: an item that more than `rate` of exams want becomes
    /// dearer, so that it goes to those whom it tells most and not to those who come first.
    Restricted {
        /// Greatest share of exams, above 0 to 1.
        rate: f64,
        /// So many times an item may be given whatever the share, so that the first exams have items.
        #[serde(default = "one")]
        at_least: u32,
        /// How far a price moves with an exam, in units of information; 0 for no prices, as published.
        #[serde(default = "price_step")]
        price_step: f64,
    },
    /// An item is eligible for an exam with probability `min(1, rate e_i / n_i)`, e the number of
    /// exams it was eligible for, n of those it was given in (van der Linden & Veldkamp, 2004).
    Eligibility {
        /// Greatest share of exams, above 0 to 1.
        rate: f64,
        /// What is left of all counts after one more exam (van der Linden & Veldkamp, 2007): 0.999
        /// looks back over about 1,000 exams; 1 never forgets.
        #[serde(default = "fading")]
        fading: f64,
    },
    /// An item is given with its own probability K once it is chosen (Sympson & Hetter, 1985), and held
    /// back for the rest of the exam otherwise.
    SympsonHetter,
}

fn one() -> u32 {
    1
}

fn price_step() -> f64 {
    0.02
}

fn fading() -> f64 {
    0.999
}

impl Control {
    /// What makes it unusable, if anything.
    pub fn fault(self) -> Option<String> {
        let share = |name: &str, value: f64| {
            let good = value > 0.0 && value <= 1.0;
            (!good).then(|| format!("{name} is {value}; it must be above 0 and at most 1"))
        };
        match self {
            Self::Restricted { rate, at_least, price_step } => share("rate", rate)
                .or_else(|| (at_least == 0).then(|| "at_least is 0; it must be at least 1".to_owned()))
                .or_else(|| {
                    let good = (0.0..=1.0).contains(&price_step);
                    (!good).then(|| format!("price_step is {price_step}; it must be 0 to 1"))
                }),
            Self::Eligibility { rate, fading } => share("rate", rate).or_else(|| share("fading", fading)),
            Self::SympsonHetter => None,
        }
    }

    /// Whether it needs counts that exams share.
    pub fn reads_counts(self) -> bool {
        !matches!(self, Self::SympsonHetter)
    }

    /// Whether items have prices.
    pub fn has_prices(self) -> bool {
        matches!(self, Self::Restricted { price_step, .. } if price_step > 0.0)
    }

    /// Whether it holds an item back from the exam with this seed, the counts being those of the
    /// exams before. `exposure_k` is the item's.
    pub fn holds_back(self, item: usize, exposure_k: f64, counts: Option<&Counts>, seed: u64) -> bool {
        match (self, counts) {
            (Self::SympsonHetter, _) => draw(seed, item) >= exposure_k,
            (Self::Restricted { rate, at_least, .. }, Some(counts)) => {
                counts.given(item) + 1.0 > (rate * (counts.exams + 1.0)).max(f64::from(at_least))
            }
            (Self::Eligibility { rate, .. }, Some(counts)) => {
                let (given, eligible) = (counts.given(item), counts.eligible(item));
                given > 0.0 && draw(seed, item) >= rate * eligible / given
            }
            (Self::Restricted { .. } | Self::Eligibility { .. }, None) => false,
        }
    }
}

/// The exam's own number for an item, from 0 to below 1.
fn draw(seed: u64, item: usize) -> f64 {
    Random::of(seed ^ DRAWS, item).unit()
}

/// How often items were given, over all exams that share them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    exams: f64,
    given: Vec<f64>,
    eligible: Vec<f64>,
    prices: Vec<f64>,
}

impl Counts {
    /// Counts of a bank of so many items, before the first exam.
    pub fn new(items: usize) -> Self {
        Self { exams: 0.0, given: vec![0.0; items], eligible: vec![0.0; items], prices: vec![0.0; items] }
    }

    /// Counts an exam that began under these counts with this seed. Cost: one draw an item under
    /// [`Control::Eligibility`], else nothing of the kind.
    pub fn begin(&mut self, control: Control, seed: u64) {
        if let Control::Eligibility { fading, .. } = control {
            let held_back = |item: usize| control.holds_back(item, 1.0, Some(self), seed);
            let now: Vec<f64> =
                (0..self.given.len()).map(|item| if held_back(item) { 0.0 } else { 1.0 }).collect();
            self.exams *= fading;
            self.given.iter_mut().for_each(|count| *count *= fading);
            self.eligible.iter_mut().zip(now).for_each(|(count, now)| *count = *count * fading + now);
        }
        if let Control::Restricted { rate, price_step, .. } = control {
            self.prices.iter_mut().for_each(|price| *price = (*price - price_step * rate).max(0.0));
        }
        self.exams += 1.0;
    }

    /// Counts an item that was given.
    pub fn give(&mut self, control: Control, item: usize) {
        if let Some(count) = self.given.get_mut(item) {
            *count += 1.0;
        }
        self.want(control, item);
    }

    /// Counts an item that was wanted: it becomes dearer.
    pub fn want(&mut self, control: Control, item: usize) {
        if let (Control::Restricted { price_step, .. }, Some(price)) = (control, self.prices.get_mut(item)) {
            *price += price_step;
        }
    }

    /// The price of an item, in units of information.
    pub fn price(&self, item: usize) -> f64 {
        self.prices.get(item).copied().unwrap_or(0.0)
    }

    /// Number of exams, less what has faded.
    pub fn exams(&self) -> f64 {
        self.exams
    }

    /// Number of exams an item was given in, less what has faded.
    pub fn given(&self, item: usize) -> f64 {
        self.given.get(item).copied().unwrap_or(0.0)
    }

    /// Number of exams an item was eligible for, less what has faded.
    pub fn eligible(&self, item: usize) -> f64 {
        self.eligible.get(item).copied().unwrap_or(0.0)
    }
}
