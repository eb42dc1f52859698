//! Item banks with texts, choices and keys.
//!
//! Input: the bytes of a bank file, or the JSON body of a stored version. Output: an [`ItemBank`] named by the hash of its
//! content, and every rejected row with its reasons. Must not know: files, exams, HTTP.

mod cell;
mod columns;
mod layouts;
mod mirt;
mod row;
mod rows;
mod sheet;
mod standard;
pub mod survey;
mod text;

use super::digest::digest;
use super::item::{ItemId, Submitted};
use contract::Fault;
use contract::settings::{BankForm, BankFormat};
use engine::{Attributes, BankFault};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The built-in sample bank. Its texts are the project's own; its parameters are borrowed from NAEP 2013 grade-8
/// mathematics, algebra (US Department of Education, public domain) and do not describe these texts.
const SAMPLE: &str = include_str!("../../banks/sample.csv");
/// The scaling constant in NAEP's formulas.
const SAMPLE_SCALING: f64 = 1.7;
/// Most items of a bank: the engine's tables take about 1.5 KB for each.
const MAX_ITEMS: usize = 50_000;

/// An item: its parameters, and what the examinee sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankItem {
    /// Its code, unique in the bank.
    pub code: String,
    /// Its parameters.
    pub parameters: engine::Item,
    /// Content area, item set, enemy items.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub attributes: Attributes,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The choices, numbered from 1; under a polytomous model choice n is category n - 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Numbers of the correct choices: any of them is correct.
    #[serde(default, rename = "key", with = "keys", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<u8>,
    /// The fields that are program code and keep their width.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code_fields: Vec<CodeField>,
}

/// A field that is program code, to be set in a fixed-width font.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeField {
    /// The question.
    Text,
    /// The choices.
    Choices,
}

impl CodeField {
    /// Reads `text`, `choices` or `text;choices`.
    fn list(text: &str) -> Result<Vec<Self>, &'static str> {
        let each = text.split(';').map(|word| match word.trim() {
            "text" => Ok(Self::Text),
            "choices" => Ok(Self::Choices),
            _ => Err("text, choices or text;choices"),
        });
        each.collect()
    }
}

/// The stored form of keys: one as a number, as the first release wrote it, several as a list.
mod keys {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Stored {
        One(u8),
        Several(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(keys: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match keys {
            [key] => Stored::One(*key),
            keys => Stored::Several(keys.to_vec()),
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Option::<Stored>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Stored::One(key)) => vec![key],
            Some(Stored::Several(keys)) => keys,
        })
    }
}

#[derive(Serialize)]
struct Body {
    scaling: f64,
    items: Vec<BankItem>,
}

/// A stored body, in the current or an earlier form.
#[derive(Deserialize)]
struct Stored {
    scaling: f64,
    items: Vec<StoredItem>,
}

#[derive(Deserialize)]
struct StoredItem {
    #[serde(flatten)]
    item: BankItem,
    /// The content area as the first release stored it.
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

/// The result of reading a bank file.
#[derive(Clone, Debug)]
pub struct Import {
    /// The bank of all valid rows.
    pub bank: ItemBank,
    /// The reasons why each other row is quarantined, by line.
    pub quarantined: Vec<Fault>,
    /// Columns that are carried and not read.
    pub ignored: Vec<String>,
    /// What was read in a way that the author may not expect, by line.
    pub notices: Vec<Fault>,
}

/// The version: 16 hexadecimal digits of a hash of the body.
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

    /// Whether it has choices of which none is known to be correct.
    pub fn lacks_key(&self) -> bool {
        self.is_dichotomous() && !self.choices.is_empty() && self.keys.is_empty()
    }

    /// Everything that makes the item unusable.
    fn faults(&self) -> Vec<String> {
        let mut reasons = self.parameters.faults();
        reasons.extend(self.attributes.faults());
        if self.code.is_empty() {
            reasons.push("item_id is blank".to_owned());
        }
        let (choices, categories) = (self.choices.len(), self.parameters.categories());
        if self.is_dichotomous() {
            if self.keys.iter().any(|key| *key == 0 || usize::from(*key) > choices) {
                reasons.push(format!("key must be 1 to {choices}, the number of choices"));
            }
            if choices > 1 && self.keys.len() == choices {
                reasons.push("every choice is a key, so no answer is wrong".to_owned());
            }
        } else {
            if !self.keys.is_empty() {
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
        let form = BankForm { scaling: SAMPLE_SCALING, ..BankForm::default() };
        Self::from_csv(SAMPLE.as_bytes(), &form).expect("the built-in bank should have good rows").bank
    }

    /// Reads a bank file with a heading; docs/SETTINGS.md lists the columns. Invalid rows are quarantined with
    /// their reasons.
    ///
    /// # Errors
    /// The encoding or the heading is unusable, no row is valid, or the scaling constant is out of range.
    pub fn from_csv(bytes: &[u8], form: &BankForm) -> Result<Import, Vec<Fault>> {
        let whole = |message: String| Fault { field: String::new(), message };
        let text = text::decode(bytes, form.encoding.as_deref()).map_err(|fault| vec![fault])?;
        if form.format == BankFormat::Mirt && form.scaling != 1.0 {
            let message = format!("D is {}; the parameters of mirt have D = 1", form.scaling);
            return Err(vec![whole(message)]);
        }
        let rows::Rows { items, bad, ignored, notices } = rows::read(&text, form)?;
        if items.len() > MAX_ITEMS {
            let message = format!("there are {} items; a bank holds at most {MAX_ITEMS}", items.len());
            return Err(vec![whole(message)]);
        }
        let items: Vec<BankItem> = items.into_iter().map(|(_line, item)| item).collect();
        match Self::new(form.scaling, items) {
            Ok(bank) => Ok(Import { bank, quarantined: bad, ignored, notices }),
            Err(faults) => {
                let faults = faults.into_iter().map(|BankFault { reason, .. }| whole(reason));
                Err(faults.chain(bad).collect())
            }
        }
    }

    /// Reads a stored version. Its body, and so its version hash, is preserved even if this version would write
    /// another.
    ///
    /// # Errors
    /// What is wrong with the body.
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

    /// All items, in the order of their numbers.
    pub fn items(&self) -> &[BankItem] {
        &self.items
    }

    /// The parameters, for the engine.
    pub fn measures(&self) -> Arc<engine::Bank> {
        Arc::clone(&self.measures)
    }

    /// The item with this number, if the bank has it.
    pub fn item(&self, id: ItemId) -> Option<&BankItem> {
        self.items.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// Index of the item with this code, counted from 0 as in the engine.
    pub fn index(&self, code: &str) -> Option<usize> {
        self.items.iter().position(|item| item.code == code)
    }

    /// Grades a submission: 1 correct, 0 wrong; under a polytomous model the category.
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
        match (submitted, item.keys.as_slice()) {
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
            (Submitted::Choice(choice), keys @ [_, ..]) => Ok(u8::from(keys.contains(&choice))),
            (Submitted::Choice(_), []) => {
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
