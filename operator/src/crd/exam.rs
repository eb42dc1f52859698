//! Exam types in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: Settings, which judge the rest.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The exam types that can be started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Exam {
    /// Exam types by name; absent: placement, practice, mock, official and quiz on the sample bank.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, ExamType>,
}

/// The rules of one exam type; absent fields have the service's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.minItems) || !has(self.maxItems) || self.minItems <= self.maxItems")
    .message("minItems must not be above maxItems"))]
pub struct ExamType {
    /// The exam ends after this number of items.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<i32>,
    /// No other rule ends the exam before this number of items.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<i32>,
    /// The exam ends when the standard error is at most this.
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 10.0").message("must be above 0 and at most 10"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_standard_error: Option<f64>,
    /// Ability for which the first item is chosen.
    #[schemars(range(min = -6.0, max = 6.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_theta: Option<f64>,
}
