//! Item banks with texts, choices and keys.
//!
//! Comes in: a CSV text, or the JSON body of a stored version. Goes out: an [`ItemBank`], named by
//! the hash of its content, or every bad row. Must not know: files, exams, HTTP.

pub mod survey;

use crate::event::{ItemId, Submitted, hex};
use contract::Fault;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// The bank that is built in, so that a newcomer has something to answer. Its texts are the
/// project's own; its parameters are borrowed from NAEP 2013 grade-8 mathematics, algebra
/// (US Department of Education, public domain) and say nothing about these texts.
const SAMPLE: &str = include_str!("../banks/sample.csv");
/// NAEP's formulas carry this constant.
const SAMPLE_SCALING: f64 = 1.7;
/// Most choices an item may have.
const CHOICES: usize = 5;

/// An item as people see it, beside its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankItem {
    /// Its name in the bank.
    pub code: String,
    /// Its parameters.
    pub parameters: engine::Item,
    /// The content area it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What may be chosen, numbered from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The number of the right choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    scaling: f64,
    items: Vec<BankItem>,
}

/// A bank version.
#[derive(Clone, Debug)]
pub struct ItemBank {
    version: String,
    body: String,
    items: Vec<BankItem>,
    measures: Arc<engine::Bank>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    item_id: String,
    a: f64,
    b: f64,
    c: Option<f64>,
    d: Option<f64>,
    content: Option<String>,
    text: Option<String>,
    key: Option<u8>,
    choice_1: Option<String>,
    choice_2: Option<String>,
    choice_3: Option<String>,
    choice_4: Option<String>,
    choice_5: Option<String>,
}

impl From<Row> for BankItem {
    fn from(row: Row) -> Self {
        let parameters = engine::Item::logistic(row.a, row.b, row.c.unwrap_or(0.0), row.d.unwrap_or(1.0));
        let choices: [Option<String>; CHOICES] =
            [row.choice_1, row.choice_2, row.choice_3, row.choice_4, row.choice_5];
        let choices = choices.into_iter().map_while(|choice| choice).collect();
        Self { code: row.item_id, parameters, content: row.content, text: row.text, choices, key: row.key }
    }
}

impl ItemBank {
    /// The built-in sample bank.
    pub fn sample() -> Self {
        Self::from_csv(SAMPLE, SAMPLE_SCALING).expect("the built-in bank should have no bad row")
    }

    /// Reads a bank from CSV with a heading: `item_id,a,b` and optionally
    /// `c,d,content,text,key,choice_1` to `choice_5`. A blank c is 0, a blank d is 1.
    ///
    /// # Errors
    /// Every bad row, by its line.
    pub fn from_csv(text: &str, scaling: f64) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut lines = Vec::new();
        let mut items = Vec::new();
        let mut codes = HashSet::new();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().cloned().unwrap_or_default();
        for record in reader.records() {
            let line = |record: &csv::StringRecord| record.position().map_or(0, csv::Position::line);
            let row =
                record.and_then(|record| Ok((line(&record), record.deserialize::<Row>(Some(&headers))?)));
            match row {
                Err(error) => faults.push(row_fault(&error)),
                Ok((line, row)) => {
                    let item = BankItem::from(row);
                    let mut reasons = item_faults(&item);
                    if !codes.insert(item.code.clone()) {
                        reasons.push(format!("item_id {:?} stands on an earlier line too", item.code));
                    }
                    faults.extend(reasons.into_iter().map(|reason| at_line(line, reason)));
                    lines.push(line);
                    items.push(item);
                }
            }
        }
        let measures = engine::Bank::new(scaling, items.iter().map(|item| item.parameters.clone()).collect());
        match measures {
            Ok(measures) if faults.is_empty() => Ok(Self::new(scaling, items, measures)),
            Ok(_) => Err(faults),
            Err(bank_faults) => {
                faults.extend(bank_faults.into_iter().map(|fault| match lines.get(fault.row) {
                    Some(line) => at_line(*line, fault.reason),
                    None => Fault { field: String::new(), message: fault.reason },
                }));
                faults.sort_by_key(|fault| line_of(&fault.field));
                Err(faults)
            }
        }
    }

    /// Reads a stored version.
    ///
    /// # Errors
    /// What is wrong with the body; a stored version should have no fault.
    pub fn from_body(body: &str) -> Result<Self, String> {
        let Body { scaling, items } = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let parameters = items.iter().map(|item| item.parameters.clone()).collect();
        let measures = engine::Bank::new(scaling, parameters).map_err(|faults| format!("{faults:?}"))?;
        Ok(Self::new(scaling, items, measures))
    }

    fn new(scaling: f64, items: Vec<BankItem>, measures: engine::Bank) -> Self {
        let body = Body { scaling, items };
        let text = serde_json::to_string(&body).expect("a bank should have a JSON form");
        let version = hex(&[text.as_bytes()])[..16].to_owned();
        Self { version, body: text, items: body.items, measures: Arc::new(measures) }
    }

    /// The hash of the content: 16 hexadecimal digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The JSON that [`ItemBank::from_body`] reads.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item; a bank has at least one.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The parameters, for the engine.
    pub fn measures(&self) -> Arc<engine::Bank> {
        Arc::clone(&self.measures)
    }

    /// The item with this number, if the bank has it.
    pub fn item(&self, id: ItemId) -> Option<&BankItem> {
        self.items.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// Grades a submission to an item: 1 right, 0 wrong.
    ///
    /// # Errors
    /// The item is unknown, has no key, or does not have that choice.
    pub fn grade(&self, id: ItemId, submitted: Submitted) -> Result<u8, Fault> {
        let fault = |field: &str, message: String| Err(Fault { field: field.to_owned(), message });
        let Some(item) = self.item(id) else {
            return fault(
                "item_id",
                format!("the exam's bank has no item {id}; its items are 1 to {}", self.len()),
            );
        };
        match (submitted, item.key) {
            (Submitted::Correct(correct), _) => Ok(u8::from(correct)),
            (Submitted::Choice(choice), _) if choice == 0 || usize::from(choice) > item.choices.len() => {
                fault("choice", format!("item {id} has the choices 1 to {}", item.choices.len()))
            }
            (Submitted::Choice(choice), Some(key)) => Ok(u8::from(choice == key)),
            (Submitted::Choice(_), None) => {
                fault("choice", format!("item {id} has no key; send correct instead"))
            }
        }
    }
}

fn item_faults(item: &BankItem) -> Vec<String> {
    let mut reasons = Vec::new();
    if item.code.is_empty() {
        reasons.push("item_id is blank".to_owned());
    }
    if item.key.is_some_and(|key| key == 0 || usize::from(key) > item.choices.len()) {
        reasons.push(format!("key must be 1 to {}, the number of choices", item.choices.len()));
    }
    reasons
}

fn row_fault(error: &csv::Error) -> Fault {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => at_line(line, err.to_string()),
        _ => at_line(line, error.to_string()),
    }
}

fn at_line(line: u64, message: String) -> Fault {
    Fault { field: format!("line {line}"), message }
}

fn line_of(field: &str) -> u64 {
    field.strip_prefix("line ").and_then(|line| line.parse().ok()).unwrap_or(0)
}
