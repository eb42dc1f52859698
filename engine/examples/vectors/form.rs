//! The form of a file of reference cases.
//!
//! Input: a JSON text. Output: its cases; a word that the checker does not know is an error, so that no case is checked
//! by half. Must not know: the engine.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    #[serde(default, rename = "meta")]
    _meta: IgnoredAny,
    #[serde(default)]
    pub banks: HashMap<String, BankOf>,
    #[serde(default)]
    pub estimation: Vec<Estimation>,
    #[serde(default)]
    pub estimation_poly: Vec<Polytomous>,
    /// Cases of four-parameter items that catR cannot compute.
    #[serde(default, rename = "beyond_catR")]
    pub beyond_cat_r: Vec<Polytomous>,
    #[serde(default)]
    pub selection: Vec<Chosen>,
    #[serde(default)]
    pub runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankOf {
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    pub items: Vec<[f64; 4]>,
}

/// An estimate from answers to dichotomous items.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimation {
    pub id: String,
    #[serde(default, rename = "tag")]
    _tag: IgnoredAny,
    #[serde(default, rename = "bank")]
    _bank: IgnoredAny,
    #[serde(default, rename = "item_index")]
    _item_index: IgnoredAny,
    pub items: Vec<[f64; 4]>,
    pub responses: Vec<usize>,
    pub estimator: Method,
    pub expected: Point,
}

/// An estimate from answers to items of a named model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polytomous {
    pub id: String,
    #[serde(default, rename = "tag")]
    _tag: IgnoredAny,
    /// `GRM`, `GPCM` or `NRM`; absent: rows are a, b, c, d.
    pub model: Option<String>,
    /// Parameters; `null` where an item has fewer categories than others.
    pub items: Vec<Vec<Option<f64>>>,
    pub responses: Vec<usize>,
    pub estimator: Method,
    pub expected: Point,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub theta: f64,
    pub se: Option<f64>,
}

/// An estimator.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub method: String,
    #[serde(rename = "D")]
    pub scaling: Option<f64>,
    pub prior: Option<PriorOf>,
    pub quad: Option<(f64, f64, u32)>,
    pub range: Option<(f64, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorOf {
    pub dist: String,
    #[serde(default)]
    pub par: Vec<f64>,
}

/// The choice of an item.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    pub id: String,
    #[serde(default, rename = "tag")]
    _tag: IgnoredAny,
    pub bank: String,
    pub criterion: String,
    pub theta: f64,
    #[serde(rename = "D")]
    pub scaling: f64,
    pub administered: Vec<usize>,
    pub responses: Vec<usize>,
    pub prior: PriorOf,
    pub quad: (f64, f64, u32),
    pub range: (f64, f64),
    pub method: Option<String>,
    pub info_type: Option<String>,
    pub expected_item: usize,
    #[serde(default, rename = "relative_gap")]
    _relative_gap: IgnoredAny,
    #[serde(default, rename = "runner_up")]
    _runner_up: IgnoredAny,
}

/// An exam.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub id: String,
    #[serde(default, rename = "tag")]
    _tag: IgnoredAny,
    pub bank: String,
    #[serde(rename = "D")]
    pub scaling: f64,
    pub start_theta: f64,
    pub test: Method,
    #[serde(rename = "final")]
    pub last: Method,
    pub stop: StopOf,
    pub full_responses: String,
    pub constant_pattern: Option<String>,
    pub expected: Path,
    #[serde(default, rename = "generating_theta")]
    _generating_theta: IgnoredAny,
    #[serde(default, rename = "min_relative_gap")]
    _min_relative_gap: IgnoredAny,
}

/// When an exam ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopOf {
    pub rules: Vec<RuleOf>,
    /// No rule but length ends the exam before so many items.
    pub min_length: Option<u32>,
    /// Of `classification`: 1 - alpha is the confidence of the interval.
    pub alpha: Option<f64>,
}

#[derive(Deserialize)]
#[serde(tag = "rule", deny_unknown_fields)]
pub enum RuleOf {
    #[serde(rename = "length")]
    Length { thr: f64 },
    #[serde(rename = "min_length")]
    MinLength { thr: f64 },
    #[serde(rename = "precision")]
    Precision { thr: f64 },
    #[serde(rename = "classification")]
    Classification { thr: Cuts, alpha: Option<f64> },
    #[serde(rename = "minInfo")]
    MinInfo { thr: f64 },
}

/// One cut or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Cuts {
    One(f64),
    Several(Vec<f64>),
}

/// What an exam gave.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    pub items: Vec<usize>,
    pub theta_path: Vec<f64>,
    pub se_path: Vec<Option<f64>>,
    pub theta: f64,
    pub se: Option<f64>,
    /// The rules that held, in the words of `stop.rules`.
    #[serde(default)]
    pub stop_reason: Vec<String>,
}
