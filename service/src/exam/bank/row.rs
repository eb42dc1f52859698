//! A row of a bank file as an item.
//!
//! Input: cells by the names of their columns. Output: the item, and every reason why the row is invalid.
//! Must not know: other rows, files.

use super::cell;
use super::columns::{self, MOST};
use super::{BankItem, CodeField};
use contract::settings::BankFormat;
use engine::{Attributes, Item};
use std::collections::HashMap;

/// Parameters with the value that stands for none of them.
const NEUTRAL: [(&str, f64); 5] = [("a", 1.0), ("c", 0.0), ("d", 1.0), ("g", 0.0), ("u", 1.0)];

/// A row.
pub(super) struct Row<'r> {
    /// Where each column is.
    pub columns: &'r HashMap<&'r str, usize>,
    /// The cells.
    pub cells: &'r [String],
    /// Whether numbers have a decimal comma.
    pub has_comma: bool,
    /// Why the row is invalid.
    pub reasons: Vec<String>,
    /// Columns of texts whose NA is read as blank.
    pub blanked: Vec<String>,
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        self.columns.get(name).and_then(|index| self.cells.get(*index)).map(String::as_str)
    }

    /// The word in a column; `None` where it is blank, missing or absent.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.cell(name).map(str::trim).filter(|text| !cell::is_missing(text))
    }

    /// The text in a column as it is written, with its spaces and lines.
    fn text(&self, name: &str) -> Option<String> {
        self.cell(name).filter(|text| !cell::is_missing(text.trim())).map(str::to_owned)
    }

    fn parse<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, &'static str>) -> Option<T> {
        let text = self.word(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(form) => {
                let reason = format!("{name} is {text:?}; it must be {form}");
                self.reasons.push(reason);
                None
            }
        }
    }

    /// The number in a column, if there is one.
    pub(super) fn optional(&mut self, name: &str) -> Option<f64> {
        let has_comma = self.has_comma;
        self.parse(name, |text| cell::number(text, has_comma))
    }

    /// The number in a column; what stands for a blank, if anything does.
    pub(super) fn number(&mut self, name: &str, absent: Option<f64>) -> f64 {
        if self.word(name).is_none() && absent.is_none() {
            self.reasons.push(format!("{name} is blank; the model needs it"));
        }
        self.optional(name).or(absent).unwrap_or(f64::NAN)
    }

    /// The numbers of the columns `name1`, `name2` and so on. There is no gap between them.
    pub(super) fn numbers(&mut self, name: &str) -> Vec<f64> {
        let filled = self.filled(name);
        filled.iter().filter_map(|index| self.optional(&format!("{name}{index}"))).collect()
    }

    /// The numbers of the columns with this name that are not blank; a gap between them is a reason.
    fn filled(&mut self, name: &str) -> Vec<usize> {
        let filled: Vec<usize> =
            (1..=MOST).filter(|index| self.word(&format!("{name}{index}")).is_some()).collect();
        let last = filled.last().copied().unwrap_or(0);
        let gaps = (1..last).filter(|index| !filled.contains(index));
        self.reasons
            .extend(gaps.map(|gap| format!("{name}{gap} is blank, and {name}{last} after it is not")));
        filled
    }

    /// The item of the row; it is of no use if there are reasons.
    pub(super) fn item(&mut self, parameters: Item) -> BankItem {
        let code = self.cell("item_id").unwrap_or_default().trim().to_owned();
        let missing = |name: &String| {
            self.cell(name).map(str::trim).is_some_and(|text| !text.is_empty() && cell::is_missing(text))
        };
        let choices = (1..=MOST).map(|index| format!("choice_{index}"));
        self.blanked = choices.chain(["text".to_owned()]).filter(missing).collect();
        let filled = self.filled("choice_");
        let choices = filled.iter().filter_map(|index| self.text(&format!("choice_{index}"))).collect();
        let names = |text: Option<&str>| -> Vec<String> {
            let all = text.into_iter().flat_map(|text| text.split(';')).map(str::trim);
            all.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let attributes = Attributes {
            content: self.word("content").map(str::to_owned),
            set: self.word("set").map(str::to_owned),
            enemies: names(self.word("enemies")),
            exposure_k: self.number("exposure_k", Some(1.0)),
            field_test: self.parse("field_test", cell::flag).unwrap_or(false),
        };
        let keys = self.parse("key", cell::keys).unwrap_or_default();
        let code_fields = self.parse("code_fields", CodeField::list).unwrap_or_default();
        BankItem { code, parameters, attributes, text: self.text("text"), choices, keys, code_fields }
    }

    /// Parameters that the row's model does not use are errors, unless they say that there is no such effect.
    pub(super) fn refuse_unused(&mut self, used: &Used, format: BankFormat) {
        if !self.reasons.is_empty() {
            return;
        }
        let mut names: Vec<&str> = self.columns.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            let is_read = columns::is_parameter(name) && columns::is_known(name, format);
            if used.reads(name) || !is_read || self.word(name).is_none() {
                continue;
            }
            let value = self.optional(name);
            let is_neutral = NEUTRAL.iter().any(|(known, neutral)| *known == name && value == Some(*neutral));
            if let (false, Some(value)) = (is_neutral, value) {
                self.reasons.push(format!(
                    "{name} is {value}, and the model {} has no {name}; clear it, or name the model that has it",
                    used.model
                ));
            }
        }
    }
}

/// The columns that a row's model reads; `b#` stands for b1, b2 and so on.
pub(super) struct Used {
    /// The model.
    pub model: &'static str,
    /// The columns.
    pub columns: Vec<&'static str>,
}

impl Used {
    fn reads(&self, name: &str) -> bool {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        name == "exposure_k"
            || self.columns.iter().any(|column| match column.strip_suffix('#') {
                Some(prefix) => prefix == stem && stem != name,
                None => *column == name,
            })
    }
}
