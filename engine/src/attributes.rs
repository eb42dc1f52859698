//! Attributes of an item besides its parameters: content, item set, enemies, exposure parameter, field test.
//!
//! Input: names. Output: [`Structure`], the same as indices for fast access in a step. Must not know: which items
//! were used, policies.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an item is beside its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attributes {
    /// Its content area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The item set it belongs to: items on one passage, given one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Groups of enemies: of items that share one, an exam has at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enemies: Vec<String>,
    /// Exposure parameter K: the probability that the item is given once it is chosen (Sympson &
    /// Hetter, 1985), from 0 to 1.
    #[serde(skip_serializing_if = "is_one")]
    pub exposure_k: f64,
    /// Whether the item is tried out: given at chosen positions, never scored.
    #[serde(skip_serializing_if = "is_false")]
    pub field_test: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { content: None, set: None, enemies: Vec::new(), exposure_k: 1.0, field_test: false }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Attributes {
    /// Everything that makes them unusable.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !(0.0..=1.0).contains(&self.exposure_k) {
            faults.push(format!("exposure_k is {}; a probability is 0 to 1", self.exposure_k));
        }
        let names = [self.content.as_ref(), self.set.as_ref()].into_iter().flatten().chain(&self.enemies);
        if names.into_iter().any(|name| name.trim().is_empty()) {
            faults.push("a content area, a set or a group of enemies has a blank name".to_owned());
        }
        faults
    }
}

/// The attributes of a bank's items, as numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structure {
    areas: Vec<String>,
    area: Vec<Option<usize>>,
    set: Vec<Option<usize>>,
    enemies: Vec<Vec<usize>>,
    exposure_k: Vec<f64>,
    field_test: Vec<bool>,
    /// Whether any item has a set, or enemies, or is tried out: what a step has to look at whatever the
    /// policy says.
    binding: bool,
}

impl Structure {
    /// The structure of items with these attributes.
    pub fn new(attributes: &[Attributes]) -> Self {
        let named = |name: fn(&Attributes) -> Option<&String>| {
            let names: BTreeSet<&String> = attributes.iter().filter_map(name).collect();
            let names: Vec<String> = names.into_iter().cloned().collect();
            let of = attributes.iter().map(|item| names.binary_search(name(item)?).ok()).collect();
            (names, of)
        };
        let (areas, area): (Vec<String>, Vec<Option<usize>>) = named(|item| item.content.as_ref());
        let (_, set): (Vec<String>, Vec<Option<usize>>) = named(|item| item.set.as_ref());
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, item) in attributes.iter().enumerate() {
            item.enemies.iter().for_each(|group| groups.entry(group).or_default().push(index));
        }
        let enemies_of = |(index, item): (usize, &Attributes)| {
            let mut enemies: Vec<usize> = item
                .enemies
                .iter()
                .flat_map(|group| &groups[group.as_str()])
                .copied()
                .filter(|other| *other != index)
                .collect();
            enemies.sort_unstable();
            enemies.dedup();
            enemies
        };
        let enemies: Vec<Vec<usize>> = attributes.iter().enumerate().map(enemies_of).collect();
        let field_test: Vec<bool> = attributes.iter().map(|item| item.field_test).collect();
        let binding = set.iter().any(Option::is_some)
            || enemies.iter().any(|enemies| !enemies.is_empty())
            || field_test.contains(&true);
        let exposure_k = attributes.iter().map(|item| item.exposure_k).collect();
        Self { areas, area, set, enemies, exposure_k, field_test, binding }
    }

    /// Names of the content areas, in their order.
    pub fn areas(&self) -> &[String] {
        &self.areas
    }

    /// The content area of an item.
    pub fn area(&self, item: usize) -> Option<usize> {
        self.area.get(item).copied().flatten()
    }

    /// The set of an item.
    pub fn set(&self, item: usize) -> Option<usize> {
        self.set.get(item).copied().flatten()
    }

    /// Items that may not be in an exam with this one.
    pub fn enemies(&self, item: usize) -> &[usize] {
        self.enemies.get(item).map_or(&[], Vec::as_slice)
    }

    /// The exposure parameter K of an item.
    pub fn exposure_k(&self, item: usize) -> f64 {
        self.exposure_k.get(item).copied().unwrap_or(1.0)
    }

    /// Whether an item is tried out and not scored.
    pub fn is_field_test(&self, item: usize) -> bool {
        self.field_test.get(item).copied().unwrap_or(false)
    }

    /// Whether a step has to look at it whatever the policy says.
    pub fn is_binding(&self) -> bool {
        self.binding
    }
}
