//! Category probabilities and their logarithms at the nodes of a grid, for every item of a bank.
//!
//! Input: curves and a grid. Output: rows of numbers, identical to those of the curves. Computed once for a bank
//! and a grid, and shared by every exam on them. Must not know: answers.

use crate::ability::Grid;
use crate::curve::Curve;

/// A bank whose table would hold more numbers than this has none: 64 MiB.
const LIMIT: usize = 4 << 20;

/// Numbers for every item, category and node.
#[derive(Debug)]
pub struct Table {
    nodes: usize,
    /// First row of each item.
    first: Vec<usize>,
    logs: Vec<f64>,
    probabilities: Vec<f64>,
}

impl Table {
    /// The table of these curves; `None` when it would be too large.
    pub fn new(curves: &[Curve], grid: Grid) -> Option<Self> {
        let nodes: Vec<f64> = grid.iter().collect();
        let rows: usize = curves.iter().map(Curve::categories).sum();
        if rows * nodes.len() > LIMIT {
            return None;
        }
        let mut table = Self {
            nodes: nodes.len(),
            first: Vec::with_capacity(curves.len()),
            logs: Vec::with_capacity(rows * nodes.len()),
            probabilities: Vec::with_capacity(rows * nodes.len()),
        };
        for curve in curves {
            table.first.push(table.logs.len() / nodes.len());
            for category in 0..curve.categories() {
                for node in &nodes {
                    let log = curve.log_probability(*node, category);
                    table.logs.push(log);
                    table.probabilities.push(libm::exp(log));
                }
            }
        }
        Some(table)
    }

    fn row<'a>(&self, of: &'a [f64], item: usize, category: usize) -> &'a [f64] {
        let start = (self.first[item] + category) * self.nodes;
        &of[start..start + self.nodes]
    }

    /// Logarithm of a category's probability at each node.
    pub fn logs(&self, item: usize, category: usize) -> &[f64] {
        self.row(&self.logs, item, category)
    }

    /// A category's probability at each node.
    pub fn probabilities(&self, item: usize, category: usize) -> &[f64] {
        self.row(&self.probabilities, item, category)
    }
}
