//! Exam types and item banks in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: Settings, whose reader judges the rest.

use super::reference::SecretKey;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The exam types that can be started, and the banks that they use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Exam {
    /// Exam types by name; absent: placement, practice, mock, official and quiz on the sample bank.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, ExamType>,
    /// Item banks beside the built-in `sample`. A bank whose file changes is taken up while exams run.
    #[schemars(length(max = 100))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub banks: Vec<Bank>,
}

/// An item bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.configMapRef) ? 1 : 0) + (has(self.secretRef) ? 1 : 0) + (has(self.version) ? 1 : 0) == 1")
        .message("say where the bank is: configMapRef, secretRef or version, and one of them only"),
    validation = Rule::new("has(self.version) != has(self.scaling)")
        .message("scaling, which the parameters were calibrated under (1, 1.7 or 1.702), is needed for a file, and known for a version")
)]
pub struct Bank {
    /// Name that exam types refer to.
    #[schemars(length(min = 1, max = 50))]
    pub name: String,
    /// The ConfigMap with its CSV file. Key, if absent: `items.csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<SecretKey>,
    /// The Secret with its CSV file. Key, if absent: `items.csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKey>,
    /// The 16 hexadecimal digits of a version that was imported into the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// D, the logistic scaling constant the parameters were calibrated under: 1, 1.7 or 1.702.
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 10.0").message("must be above 0 and at most 10"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<f64>,
    /// Which columns hold the parameters: `standard`, or `mirt` for slopes and intercepts. Default: standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<BankFormat>,
    /// Other columns that the file may carry; they are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// Which columns of a bank file hold the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BankFormat {
    /// Those of the documentation.
    Standard,
    /// Slopes and intercepts, as the R package mirt exports them.
    Mirt,
}

/// The rules of one exam type; absent fields have the service's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minItems) || !has(self.maxItems) || self.minItems <= self.maxItems")
        .message("minItems must not be above maxItems"),
    validation = Rule::new("!has(self.policy) || !(has(self.maxItems) || has(self.minItems) || has(self.maxSeconds) || has(self.targetStandardError) || has(self.startTheta))")
        .message("policy holds all rules: remove maxItems, minItems, maxSeconds, targetStandardError and startTheta")
)]
pub struct ExamType {
    /// Name of the bank whose items are used. Default: sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
    /// The exam ends after this number of items. Default: 20.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<i32>,
    /// No other rule ends the exam before this number of items. Default: 10, or fewer if the exam cannot be so long.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<i32>,
    /// The exam ends when the standard error is at most this. Default: 0.3.
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 10.0").message("must be above 0 and at most 10"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_standard_error: Option<f64>,
    /// Ability for which the first item is chosen. Default: 0.
    #[schemars(range(min = -6.0, max = 6.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_theta: Option<f64>,
    /// The exam's time, in seconds. Default: no limit.
    #[schemars(range(min = 1, max = 604_800))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<i32>,
    /// An item's time, in seconds: an answer after it counts as wrong. Default: no limit.
    #[schemars(range(min = 1, max = 86_400))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_seconds: Option<i32>,
    /// An exam that is still open so long after its start ends by itself, in seconds. Default: 604800, a week.
    #[schemars(range(min = 1, max = 31_536_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_seconds: Option<i32>,
    /// So many exams of this type for one examinee. Default: as many as they like.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,
    /// Whether a start gives an examinee the exam of this type that they have open. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<bool>,
    /// What students see of the measurement, beside how far they are. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub students_see: Vec<Shown>,
    /// The complete policy, in the form of docs/POLICY.md, in place of the rules above; the service judges it, and goes on
    /// with what it has where it is wrong.
    #[schemars(schema_with = "super::free::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Map<String, Value>>,
}

/// A part of the measurement that students may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Shown {
    /// Whether an answer was right.
    Correct,
    /// Ability and its standard error.
    Ability,
    /// The score at the end.
    Score,
}
