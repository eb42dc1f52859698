//! Exam types and bank files in Settings; the service turns them into policies and banks.
//!
//! Input: fields of a table. Output: plain values, and faults. Must not know: the engine.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Name of the bank that is built into the service.
pub const SAMPLE_BANK: &str = "sample";

/// An item bank beside the built-in one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bank {
    /// Name that exam types refer to.
    pub name: String,
    /// Where its items are.
    #[serde(flatten)]
    pub from: BankFrom,
}

/// Where a bank's items are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BankFrom {
    /// In a CSV file.
    File(BankFile),
    /// In the database of record, where it was imported.
    Version {
        /// The hash of its content, as the import told it.
        version: String,
    },
}

/// A bank file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BankFile {
    /// Its path.
    pub file: String,
    /// How it is read.
    #[serde(flatten)]
    pub form: BankForm,
}

/// How a bank file is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BankForm {
    /// D, the logistic scaling constant the parameters were calibrated under: 1, 1.7 or 1.702.
    pub scaling: f64,
    /// Which columns hold the parameters.
    #[serde(skip_serializing_if = "BankFormat::is_standard")]
    pub format: BankFormat,
    /// Other columns that the file may carry; they are not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Name of the file's encoding, such as `windows-1252`; absent: UTF-8, or UTF-16 with a byte order mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// Which columns of a bank file hold the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BankFormat {
    /// The columns of docs/SETTINGS.md.
    #[default]
    Standard,
    /// Slopes and intercepts as the R package mirt exports them: `a1`, `d`, `g`, `u`; `d1` and so on.
    Mirt,
}

impl BankFormat {
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

/// The rules of one type of exam. Abilities are in units of the calibration sample's standard
/// deviation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamType {
    /// Name of the bank whose items are used.
    pub bank: String,
    /// The exam ends after so many items (1 to 500).
    pub max_items: u32,
    /// No other rule ends the exam before so many items (1 to 500, at most `max_items` and the items of the bank);
    /// absent: [`ExamType::MIN_ITEMS`], or fewer if the exam cannot be so long.
    pub min_items: Option<u32>,
    /// The exam ends when the standard error is at most this; absent: length alone ends it.
    pub target_standard_error: Option<f64>,
    /// Ability that the first item is chosen for (-6 to 6).
    pub start_theta: f64,
    /// Mean of the normal prior of ability.
    pub prior_mean: f64,
    /// Standard deviation of the normal prior of ability.
    pub prior_sd: f64,
    /// Lower end of the quadrature grid.
    pub grid_from: f64,
    /// Upper end of the quadrature grid.
    pub grid_to: f64,
    /// Number of equally spaced quadrature nodes (3 to 1001).
    pub grid_nodes: u32,
    /// The exam's time, in seconds (1 to 604800); absent: no limit.
    pub max_seconds: Option<u32>,
    /// An item's time, in seconds (1 to 86400): an answer after it counts as wrong; absent: no limit.
    pub item_seconds: Option<u32>,
    /// An exam that is still open so long after its start ends by itself, in seconds.
    pub expires_after_seconds: u32,
    /// So many exams of this type for one examinee (1 to 1000); absent: as many as they like.
    pub attempts: Option<u32>,
    /// Whether a start gives an examinee the exam of this type that they have open.
    pub resume: bool,
    /// What students see of the measurement, beside how far they are; admins and proctors see it all.
    pub students_see: Vec<Shown>,
    /// All the rules at once, instead of the fields above but `bank`; the service knows its form.
    pub policy: Option<Map<String, Value>>,
}

/// A part of the measurement that students may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Whether an answer was right.
    Correct,
    /// Ability and its standard error, while the exam goes on and at its end.
    Ability,
    /// The score at the end.
    Score,
}

impl ExamType {
    /// Items before which no other rule ends an exam, if nothing else is said.
    pub const MIN_ITEMS: u32 = 10;
}

impl Default for ExamType {
    fn default() -> Self {
        Self {
            bank: SAMPLE_BANK.to_owned(),
            max_items: 20,
            min_items: None,
            target_standard_error: Some(0.30),
            start_theta: 0.0,
            prior_mean: 0.0,
            prior_sd: 1.0,
            grid_from: -6.0,
            grid_to: 6.0,
            grid_nodes: 121,
            max_seconds: None,
            item_seconds: None,
            expires_after_seconds: 604_800,
            attempts: None,
            resume: false,
            students_see: Vec::new(),
            policy: None,
        }
    }
}

impl Serialize for ExamType {
    /// As it is read back: a policy stands in for the rules.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        table.serialize_entry("bank", &self.bank)?;
        if self.policy.is_none() {
            table.serialize_entry("max_items", &self.max_items)?;
            entry(&mut table, "min_items", self.min_items)?;
            entry(&mut table, "target_standard_error", self.target_standard_error)?;
            table.serialize_entry("start_theta", &self.start_theta)?;
            table.serialize_entry("prior_mean", &self.prior_mean)?;
            table.serialize_entry("prior_sd", &self.prior_sd)?;
            table.serialize_entry("grid_from", &self.grid_from)?;
            table.serialize_entry("grid_to", &self.grid_to)?;
            table.serialize_entry("grid_nodes", &self.grid_nodes)?;
            entry(&mut table, "max_seconds", self.max_seconds)?;
        }
        entry(&mut table, "item_seconds", self.item_seconds)?;
        table.serialize_entry("expires_after_seconds", &self.expires_after_seconds)?;
        entry(&mut table, "attempts", self.attempts)?;
        table.serialize_entry("resume", &self.resume)?;
        table.serialize_entry("students_see", &self.students_see)?;
        entry(&mut table, "policy", self.policy.as_ref())?;
        table.end()
    }
}

fn entry<M: SerializeMap>(
    table: &mut M,
    name: &'static str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| table.serialize_entry(name, &value))
}

/// The exam types callers have always used, all on the built-in bank.
pub(super) fn defaults() -> BTreeMap<String, ExamType> {
    let names = ["placement", "practice", "mock", "official", "quiz"];
    names.into_iter().map(|name| (name.to_owned(), ExamType::default())).collect()
}
