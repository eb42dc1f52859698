//! Item banks with texts, choices and keys.
//!
//! Comes in: a CSV text, or the JSON body of a stored version. Goes out: an [`ItemBank`], named by
//! the hash of its content, and every bad row with its reason. Must not know: files, exams, HTTP.

mod rows;
pub mod survey;

use super::digest::digest;
use super::item::{ItemId, Submitted};
use contract::Fault;
use engine::{Attributes, BankFault};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The bank that is built in, so that a newcomer has something to answer. Its texts are the
/// project's own; its parameters are borrowed from NAEP 2013 grade-8 mathematics, algebra
/// (US Department of Education, public domain) and say nothing about these texts.
const SAMPLE: &str = include_str!("../../banks/sample.csv");
/// NAEP's formulas carry this constant.
const SAMPLE_SCALING: f64 = 1.7;
/// Most items of a bank: the engine keeps some 1.5 KB of tables for each.
const MOST: usize = 50_000;

/// An item as people see it, beside its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankItem {
    /// Its name in the bank.
    pub code: String,
    /// Its parameters.
    pub parameters: engine::Item,
    /// Content area, item set, enemies and the like.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub attributes: Attributes,
    /// What is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What may be chosen, numbered from 1; under a polytomous model choice n is category n - 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The number of the right choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
}

#[derive(Serialize)]
struct Body {
    scaling: f64,
    items: Vec<BankItem>,
}

/// A body as it is stored, in today's form or an earlier one.
#[derive(Deserialize)]
struct Stored {
    scaling: f64,
    items: Vec<StoredItem>,
}

#[derive(Deserialize)]
struct StoredItem {
    #[serde(flatten)]
    item: BankItem,
    /// Where the first service had the content area, before items had attributes.
    content: Option<String>,
}

impl From<StoredItem> for BankItem {
    fn from(StoredItem { mut item, content }: StoredItem) -> Self {
        item.attributes.content = item.attributes.content.or(content);
        item
    }
}

/// A bank version.
#[derive(Clone, Debug)]
pub struct ItemBank {
    version: String,
    body: String,
    items: Vec<BankItem>,
    measures: Arc<engine::Bank>,
}

/// What came of reading a bank file.
#[derive(Clone, Debug)]
pub struct Import {
    /// The bank of all good rows.
    pub bank: ItemBank,
    /// Why each other row is kept out, by its line.
    pub quarantined: Vec<Fault>,
    /// Columns that nothing is read from.
    pub ignored: Vec<String>,
}

/// The name of a version: 16 hexadecimal digits of a hash of its body.
fn named(body: &str) -> String {
    digest(&[body.as_bytes()])[..16].to_owned()
}

fn is_plain(attributes: &Attributes) -> bool {
    *attributes == Attributes::default()
}

impl BankItem {
    fn is_dichotomous(&self) -> bool {
        matches!(self.parameters, engine::Item::Logistic { .. })
    }

    /// Everything that makes it unusable.
    fn faults(&self) -> Vec<String> {
        let mut reasons = self.parameters.faults();
        reasons.extend(self.attributes.faults());
        if self.code.is_empty() {
            reasons.push("item_id is blank".to_owned());
        }
        let (choices, categories) = (self.choices.len(), self.parameters.categories());
        if self.is_dichotomous() {
            if self.key.is_some_and(|key| key == 0 || usize::from(key) > choices) {
                reasons.push(format!("key must be 1 to {choices}, the number of choices"));
            }
        } else {
            if self.key.is_some() {
                reasons.push(
                    "key is for right and wrong; under this model choice n is category n - 1".to_owned(),
                );
            }
            if choices > 0 && choices != categories {
                reasons.push(format!("there are {choices} choices for {categories} categories"));
            }
        }
        reasons
    }
}

impl ItemBank {
    /// The built-in sample bank.
    pub fn sample() -> Self {
        Self::from_csv(SAMPLE, SAMPLE_SCALING).expect("the built-in bank should have good rows").bank
    }

    /// Reads a bank from CSV with a heading; docs/SETTINGS.md has the columns. Bad rows are kept out,
    /// each with its reasons.
    ///
    /// # Errors
    /// The heading is of no use, there is no good row, or the scaling constant cannot be.
    pub fn from_csv(text: &str, scaling: f64) -> Result<Import, Vec<Fault>> {
        let rows::Rows { items, bad, ignored } = rows::read(text).map_err(|fault| vec![fault])?;
        if items.len() > MOST {
            let message = format!("there are {} items; a bank holds at most {MOST}", items.len());
            return Err(vec![Fault { field: String::new(), message }]);
        }
        let items: Vec<BankItem> = items.into_iter().map(|(_line, item)| item).collect();
        match Self::new(scaling, items) {
            Ok(bank) => Ok(Import { bank, quarantined: bad, ignored }),
            Err(faults) => {
                let whole = faults
                    .into_iter()
                    .map(|BankFault { reason, .. }| Fault { field: String::new(), message: reason });
                Err(whole.chain(bad).collect())
            }
        }
    }

    /// Reads a stored version. Its body stays as it is, and with it its name, whatever this version would write.
    ///
    /// # Errors
    /// What is wrong with the body; a stored version should have no fault.
    pub fn from_body(body: &str) -> Result<Self, String> {
        let Stored { scaling, items } = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let items = items.into_iter().map(BankItem::from).collect();
        let bank = Self::new(scaling, items).map_err(|faults| format!("{faults:?}"))?;
        Ok(Self { version: named(body), body: body.to_owned(), ..bank })
    }

    fn new(scaling: f64, items: Vec<BankItem>) -> Result<Self, Vec<BankFault>> {
        let parameters = items.iter().map(|item| item.parameters.clone()).collect();
        let attributes: Vec<Attributes> = items.iter().map(|item| item.attributes.clone()).collect();
        let measures = engine::Bank::new(scaling, parameters)?.with_attributes(&attributes)?;
        let body = Body { scaling, items };
        let text = serde_json::to_string(&body).expect("a bank should have a JSON form");
        Ok(Self { version: named(&text), body: text, items: body.items, measures: Arc::new(measures) })
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

    /// Number of the item of this code, counted from 0, as the engine knows it.
    pub fn index(&self, code: &str) -> Option<usize> {
        self.items.iter().position(|item| item.code == code)
    }

    /// Grades a submission to an item: 1 right, 0 wrong; under a polytomous model the category.
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
        let categories = item.parameters.categories();
        match (submitted, item.key) {
            (Submitted::Omitted, _) => Ok(0),
            (Submitted::Correct(_), _) if !item.is_dichotomous() => {
                fault("correct", format!("item {id} has {categories} categories; send choice instead"))
            }
            (Submitted::Correct(correct), _) => Ok(u8::from(correct)),
            (Submitted::Choice(choice), _) if !item.is_dichotomous() => match choice.checked_sub(1) {
                Some(category) if usize::from(category) < categories => Ok(category),
                _ => fault("choice", format!("item {id} has the choices 1 to {categories}")),
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_version_stays_what_it_was() {
        let body = r#"{"scaling":1.7,"items":[{"code":"A","parameters":{"model":"logistic","a":1.0,"b":0.5},"content":"algebra"}]}"#;
        let bank = ItemBank::from_body(body).unwrap();
        assert_eq!((bank.body(), bank.version()), (body, named(body).as_str()));
        assert_eq!(bank.item(1).unwrap().attributes.content.as_deref(), Some("algebra"));
        let today = ItemBank::sample();
        let again = ItemBank::from_body(today.body()).unwrap();
        assert_eq!((again.version(), &again.items), (today.version(), &today.items));
    }
}
