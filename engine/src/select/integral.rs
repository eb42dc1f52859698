//! Criteria that integrate over ability on a grid: by the trapezoid rule, except global discrimination.
//!
//! Input: the situation of a step, a prior, a grid. Output: a value for each eligible item. Must not know: which item is
//! taken.

use super::{Situation, open};
use crate::ability::{Grid, Posterior, Prior};
use crate::table::Table;

/// Nodes, and the density over them: the likelihood alone, or the posterior.
fn density(at: &Situation<'_>, prior: Option<Prior>, grid: Grid) -> (Vec<f64>, Vec<f64>) {
    let flat = Prior::Uniform { from: grid.from, to: grid.to };
    let mut posterior = Posterior::new(prior.unwrap_or(flat), grid);
    at.answers.iter().for_each(|(curve, category)| posterior.observe(curve, *category));
    (posterior.nodes().to_vec(), posterior.weights())
}

/// Information weighted by the density.
pub(super) fn information(at: &Situation<'_>, prior: Option<Prior>, grid: Grid) -> Vec<f64> {
    let (nodes, weights) = density(at, prior, grid);
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    for (index, curve) in open(at) {
        values[index] =
            nodes.iter().zip(&weights).map(|(node, weight)| weight * curve.information(*node)).sum();
    }
    values
}

/// `sum_k P_k(theta) log(P_k(theta) / P_k(node))`, weighted by the density.
pub(super) fn kullback_leibler(at: &Situation<'_>, prior: Option<Prior>, grid: Grid) -> Vec<f64> {
    let (nodes, weights) = density(at, prior, grid);
    let mass: f64 = weights.iter().sum();
    let table = at.bank.table(grid);
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    for (index, curve) in open(at) {
        let here = curve.probabilities(at.ability.theta);
        let here = &here[..curve.categories()];
        let entropy: f64 = here.iter().filter(|p| **p > 0.0).map(|p| p * libm::log(*p)).sum();
        let expected_log = |k: usize| -> f64 {
            match &table {
                Some(table) => {
                    weights.iter().zip(table.logs(index, k)).map(|(weight, log)| weight * log).sum()
                }
                None => {
                    let log = |node: &f64| curve.log_probability(*node, k);
                    weights.iter().zip(&nodes).map(|(weight, node)| weight * log(node)).sum()
                }
            }
        };
        let cross: f64 = here.iter().enumerate().map(|(k, p)| p * expected_log(k)).sum();
        values[index] = mass * entropy - cross;
    }
    values
}

/// Sums over the nodes for one category of one item: of its probability, and of the probability times
/// each of two functions of the node.
fn sums(
    at: &Situation<'_>,
    table: Option<&Table>,
    (index, category): (usize, usize),
    nodes: &[f64],
    [zeroth, first, second]: [&[f64]; 3],
) -> [f64; 3] {
    let add = |sums: [f64; 3], (at, p): (usize, f64)| {
        [sums[0] + zeroth[at] * p, sums[1] + first[at] * p, sums[2] + second[at] * p]
    };
    match table {
        Some(table) => table.probabilities(index, category).iter().copied().enumerate().fold([0.0; 3], add),
        None => {
            let p = |node: &f64| libm::exp(at.bank.curves()[index].log_probability(*node, category));
            nodes.iter().map(p).enumerate().fold([0.0; 3], add)
        }
    }
}

/// Global discrimination index (Kaplan, de la Torre & Barrada, 2015, eq. 8): variance of the category probabilities under
/// the density; both categories of a dichotomous item have the same, which counts once. As in catR, the density is
/// normalised over the nodes with equal weights, so the end nodes count in full.
pub(super) fn discrimination(at: &Situation<'_>, prior: Option<Prior>, grid: Grid) -> Vec<f64> {
    let (nodes, mut weights) = density(at, prior, grid);
    if let [first, .., last] = weights.as_mut_slice() {
        *first *= 2.0;
        *last *= 2.0;
    }
    let mass: f64 = weights.iter().sum();
    let table = at.bank.table(grid);
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    for (index, curve) in open(at) {
        let variance = |k: usize| {
            let probability = |node: usize| match &table {
                Some(table) => table.probabilities(index, k)[node],
                None => libm::exp(curve.log_probability(nodes[node], k)),
            };
            let (mean, square) =
                weights.iter().enumerate().fold((0.0, 0.0), |(mean, square), (node, weight)| {
                    let p = probability(node);
                    (mean + weight * p, square + weight * p * p)
                });
            square / mass - (mean / mass) * (mean / mass)
        };
        values[index] = (0..curve.categories()).map(variance).sum::<f64>() / 2.0;
    }
    values
}

/// Minus the posterior variance expected after the answer, each category weighted by its probability
/// at the current ability. Moments are taken about that ability, where the posterior is.
pub(super) fn posterior_variance(at: &Situation<'_>, prior: Prior, grid: Grid) -> Vec<f64> {
    let (nodes, weights) = density(at, Some(prior), grid);
    let from = |node: &f64| node - at.ability.theta;
    let first: Vec<f64> = nodes.iter().zip(&weights).map(|(node, weight)| weight * from(node)).collect();
    let second: Vec<f64> = nodes.iter().zip(&first).map(|(node, first)| first * from(node)).collect();
    let table = at.bank.table(grid);
    let mut values = vec![f64::NEG_INFINITY; at.bank.len()];
    for (index, curve) in open(at) {
        let now = curve.probabilities(at.ability.theta);
        let variance = |k: usize| {
            let [mass, first, second] =
                sums(at, table.as_deref(), (index, k), &nodes, [&weights, &first, &second]);
            let mean = first / mass;
            if mass > 0.0 { now[k] * (second / mass - mean * mean) } else { 0.0 }
        };
        values[index] = -(0..curve.categories()).map(variance).sum::<f64>();
    }
    values
}
