//! Content balancing: the area that is due, or a penalty by area.
//!
//! Input: shares or bounds by area, and the items administered so far. Output: the area furthest below its share,
//! or a penalty by area. Only scored items count. Must not know: abilities.

use crate::attributes::Structure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How content areas are balanced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// The next item comes from the area that is furthest below its share (Kingsbury & Zara, 1989); of
    /// equals the first by name.
    KingsburyZara {
        /// Weight of each area, in any unit; an area that is not named has none.
        shares: BTreeMap<String, f64>,
    },
    /// Weighted penalty model (Shin, Chien, Way & Swanson, 2009): items of areas below their bounds
    /// first, then within, then above; in each group by least
    /// `weight F' - (value / greatest value)^2`, F' the area's penalty scaled to 0..1.
    WeightedPenalty {
        /// Bounds of each area's share of the exam; an area that is not named has none.
        bounds: BTreeMap<String, Bounds>,
        /// Weight of content against information, whose weight is 1.
        #[serde(default = "one")]
        weight: f64,
    },
}

/// Bounds of a share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// At least this share of the exam.
    pub from: f64,
    /// At most this share, above `from`.
    pub to: f64,
}

fn one() -> f64 {
    1.0
}

/// How an area stands to its bounds, the neediest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    Below,
    Within,
    Above,
}

impl Content {
    fn areas(&self) -> Vec<&String> {
        match self {
            Self::KingsburyZara { shares } => shares.keys().collect(),
            Self::WeightedPenalty { bounds, .. } => bounds.keys().collect(),
        }
    }

    /// Everything that cannot be.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match self {
            Self::KingsburyZara { shares } => {
                if shares.values().any(|share| !(*share >= 0.0 && share.is_finite()))
                    || shares.values().sum::<f64>() <= 0.0
                {
                    faults.push("content: shares must be at least 0, and one of them above".to_owned());
                }
            }
            Self::WeightedPenalty { bounds, weight } => {
                let proper = |of: &Bounds| 0.0 <= of.from && of.from < of.to && of.to <= 1.0;
                if bounds.is_empty() || !bounds.values().all(proper) {
                    faults.push("content: bounds must hold 0 <= from < to <= 1 for each area".to_owned());
                }
                if !(*weight >= 0.0 && weight.is_finite()) {
                    faults.push(format!("content: weight is {weight}; it must be at least 0"));
                }
            }
        }
        faults
    }

    /// Everything that does not go with a bank of these areas.
    pub(super) fn faults_on(&self, areas: &[String]) -> Vec<String> {
        let unknown = self.areas().into_iter().filter(|area| !areas.contains(area));
        let known = if areas.is_empty() { "none".to_owned() } else { areas.join(", ") };
        unknown
            .map(|area| format!("content: the bank has no area {area:?}; its areas are: {known}"))
            .collect()
    }
}

fn count(structure: &Structure, shown: &[usize], area: Option<usize>) -> usize {
    shown.iter().filter(|item| !structure.is_field_test(**item) && structure.area(**item) == area).count()
}

fn scored(structure: &Structure, shown: &[usize]) -> usize {
    shown.iter().filter(|item| !structure.is_field_test(**item)).count()
}

/// The area furthest below its share of the items shown so far.
pub(super) fn most_wanted(
    shares: &BTreeMap<String, f64>,
    structure: &Structure,
    shown: &[usize],
) -> Option<usize> {
    let whole: f64 = shares.values().sum();
    let all = scored(structure, shown).max(1) as f64;
    let mut wanted: Option<(usize, f64)> = None;
    for (name, share) in shares {
        let Ok(area) = structure.areas().binary_search(name) else { continue };
        let lacks = share / whole - count(structure, shown, Some(area)) as f64 / all;
        if wanted.is_none_or(|(_, most)| lacks > most) {
            wanted = Some((area, lacks));
        }
    }
    wanted.map(|(area, _)| area)
}

/// How each area of the bank stands to its bounds, and its penalty (Shin et al., 2009). The
/// share an exam of this length comes to is expected from the items shown and, for the rest, from the
/// area's share of the bank.
pub(crate) fn penalties(
    bounds: &BTreeMap<String, Bounds>,
    structure: &Structure,
    items: usize,
    shown: &[usize],
    length: usize,
) -> Vec<(Need, f64)> {
    let length = length.max(1) as f64;
    let left = (length - scored(structure, shown) as f64).max(0.0);
    let of_area = |(area, name): (usize, &String)| {
        let Some(Bounds { from, to }) = bounds.get(name).copied() else { return (Need::Within, 0.0) };
        let in_bank = (0..items)
            .filter(|item| structure.area(*item) == Some(area) && !structure.is_field_test(*item))
            .count();
        let share = in_bank as f64 / items as f64;
        let expected = (count(structure, shown, Some(area)) as f64 + share * left) / length;
        let (middle, half) = (f64::midpoint(from, to), (to - from) / 2.0);
        let off = expected - middle;
        match expected {
            below if below < from => (Need::Below, -(off * off / (2.0 * half) + half / 2.0)),
            above if above >= to => (Need::Above, off * off / (2.0 * half) + half / 2.0),
            _ => (Need::Within, off),
        }
    };
    structure.areas().iter().enumerate().map(of_area).collect()
}
