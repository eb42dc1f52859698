//! The rules of an exam: prior, grid, selection, and when it ends.

use crate::ability::{Grid, Prior};
use serde::{Deserialize, Serialize};

/// How the next item is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// The item with the most information at the current ability (Lord, 1980).
    #[default]
    MaximumInformation,
}

/// The rules of an exam. Its scaling constant belongs to the bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Ability the first item is chosen for.
    pub start_theta: f64,
    /// Prior of ability.
    pub prior: Prior,
    /// Quadrature nodes.
    pub grid: Grid,
    /// How the next item is chosen.
    pub selection: Selection,
    /// The exam ends after so many items, whatever `min_items` says.
    pub max_items: u32,
    /// No other rule ends the exam before so many items.
    pub min_items: u32,
    /// The exam ends when the standard error is at most this.
    pub target_standard_error: Option<f64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            start_theta: 0.0,
            prior: Prior::default(),
            grid: Grid::default(),
            selection: Selection::default(),
            max_items: 20,
            min_items: 5,
            target_standard_error: Some(0.30),
        }
    }
}

/// A rule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// The field.
    pub field: &'static str,
    /// What it should be.
    pub message: String,
}

impl Policy {
    /// catR's defaults: 33 nodes on [-4, 4], a fixed length.
    pub fn cat_r(items: u32) -> Self {
        let grid = Grid { from: -4.0, to: 4.0, nodes: 33 };
        Self { grid, max_items: items, min_items: items, target_standard_error: None, ..Self::default() }
    }

    /// Every rule that cannot be.
    pub fn faults(&self) -> Vec<PolicyFault> {
        let target = self.target_standard_error.unwrap_or(1.0);
        let Grid { from, to, nodes } = self.grid;
        let reaches = match self.prior {
            Prior::Normal { .. } => true,
            Prior::Uniform { from: low, to: high } => {
                self.grid.iter().any(|node| (low..=high).contains(&node))
            }
        };
        let checks = [
            ("start_theta", self.start_theta.is_finite(), "must be a finite number"),
            ("prior", self.prior.is_proper(), "must be finite, with an sd above 0 or from below to"),
            ("prior", reaches, "must give some node of the grid a density"),
            ("grid", from.is_finite() && to.is_finite() && from < to, "must go from a lower to a higher end"),
            ("grid", nodes >= 3, "must have at least 3 nodes"),
            ("max_items", self.max_items >= 1, "must be at least 1"),
            ("target_standard_error", target > 0.0 && target.is_finite(), "must be above 0"),
        ];
        let bad = checks.into_iter().filter(|(_, good, _)| !good);
        bad.map(|(field, _, message)| PolicyFault { field, message: message.to_owned() }).collect()
    }
}
