//! Criteria that change in the course of the exam.

use super::{Situation, best, location, open};
use crate::curve::Curve;
use crate::random::Random;

/// How far the exam is, from 0 at the first item to 1 at the last (Barrada et al., 2008, eq. 3).
fn progress(at: &Situation<'_>, acceleration: f64) -> f64 {
    let sum =
        |count: usize| -> f64 { (1..=count).map(|position| libm::pow(position as f64, acceleration)).sum() };
    let whole = sum(at.length.saturating_sub(1));
    if whole > 0.0 { (sum(at.position) / whole).min(1.0) } else { 0.0 }
}

/// `(1 - W) R + W I`, R uniform between 0 and the greatest information.
pub(super) fn progressive(at: &Situation<'_>, acceleration: f64) -> Option<usize> {
    let weight = progress(at, acceleration);
    let information: Vec<(usize, f64)> =
        open(at).map(|(index, curve)| (index, curve.information(at.ability.theta))).collect();
    let most = information.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let mut random = Random::of(at.seed, at.position);
    best(
        information
            .into_iter()
            .map(|(index, value)| (index, (1.0 - weight) * random.unit() * most + weight * value)),
    )
}

/// A draw with probabilities in proportion to `I^H`, `H` growing from 0 to the exam's length.
pub(super) fn proportional(at: &Situation<'_>, acceleration: f64) -> Option<usize> {
    let power = at.length as f64 * progress(at, acceleration);
    let logs: Vec<(usize, f64)> = open(at)
        .map(|(index, curve)| {
            (index, power * libm::log(curve.information(at.ability.theta).max(f64::MIN_POSITIVE)))
        })
        .collect();
    let peak = logs.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|(_, log)| libm::exp(log - peak)).collect();
    let drawn = Random::of(at.seed, at.position).weighted(&weights)?;
    Some(logs[drawn].0)
}

/// Strata by rising discrimination over the whole bank; the stratum follows the position, and one that
/// is used up gives way to the next.
pub(super) fn a_stratified(at: &Situation<'_>, strata: u32) -> Option<usize> {
    let strata = (strata.max(1) as usize).min(at.bank.len());
    let mut rank: Vec<usize> = (0..at.bank.len()).collect();
    let steepness = |index: usize| match &at.bank.curves()[index] {
        Curve::Logistic(curve) => curve.slope(),
        curve => curve.information(super::peak(curve)),
    };
    let steep: Vec<f64> = rank.iter().map(|index| steepness(*index)).collect();
    rank.sort_by(|one, other| steep[*one].total_cmp(&steep[*other]).then(one.cmp(other)));
    let stage = (at.position * strata / at.length.max(1)).min(strata - 1);
    let of_stage = |stage: usize| &rank[stage * rank.len() / strata..(stage + 1) * rank.len() / strata];
    (stage..strata).chain((0..stage).rev()).find_map(|stage| {
        let mut items: Vec<usize> = of_stage(stage).iter().copied().filter(|index| at.open[*index]).collect();
        items.sort_unstable();
        let near = |index: usize| -(location(&at.bank.curves()[index]) - at.ability.theta).abs();
        best(items.into_iter().map(|index| (index, near(index))))
    })
}
