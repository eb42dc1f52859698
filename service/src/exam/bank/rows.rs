//! A bank as CSV: rows to items, each invalid row with its reasons.
//!
//! Input: a text with a header. Output: valid items with their lines, the reasons of invalid rows by line, and the
//! columns that were not read. Must not know: what a bank is for.

use super::BankItem;
use contract::Fault;
use engine::{Attributes, Item};
use std::collections::HashSet;
use std::str::FromStr;

/// Columns that are read, besides numbered ones.
const COLUMNS: [&str; 13] = [
    "item_id",
    "model",
    "a",
    "b",
    "c",
    "d",
    "content",
    "set",
    "enemies",
    "exposure_k",
    "field_test",
    "text",
    "key",
];
/// Numbered columns: the number follows the name.
const NUMBERED: [&str; 6] = ["b", "c", "d", "delta", "alpha", "choice_"];
/// Most numbered columns with one name.
const MOST: usize = 16;

/// The content of a CSV text.
pub(super) struct Rows {
    /// Valid items with their lines.
    pub items: Vec<(u64, BankItem)>,
    /// The reasons why each other row is invalid.
    pub bad: Vec<Fault>,
    /// Columns that are not read.
    pub ignored: Vec<String>,
}

/// Reads a CSV text.
///
/// # Errors
/// The header is unusable.
pub(super) fn read(text: &str) -> Result<Rows, Fault> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let heading: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(str::to_owned).collect(),
        Err(error) => return Err(at_line(1, error.to_string())),
    };
    if !heading.iter().any(|name| name == "item_id") {
        return Err(at_line(1, format!("the heading {:?} has no column item_id", heading.join(","))));
    }
    let mut seen = HashSet::new();
    if let Some(name) = heading.iter().find(|name| !seen.insert(*name)) {
        return Err(at_line(1, format!("the heading has the column {name:?} twice")));
    }
    let ignored = heading.iter().filter(|name| !is_known(name)).cloned().collect();
    let (mut items, mut bad, mut codes) = (Vec::new(), Vec::new(), HashSet::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                bad.push(at_line(error.position().map_or(0, csv::Position::line), error.to_string()));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Row { heading: &heading, record: &record, reasons: Vec::new() };
        let item = row.item();
        let mut reasons = row.reasons;
        if reasons.is_empty() {
            reasons.extend(item.faults());
        }
        if reasons.is_empty() && !codes.insert(item.code.clone()) {
            reasons.push(format!("item_id {:?} stands on an earlier line too", item.code));
        }
        if reasons.is_empty() {
            items.push((line, item));
        }
        bad.extend(reasons.into_iter().map(|reason| at_line(line, reason)));
    }
    Ok(Rows { items, bad, ignored })
}

fn is_known(name: &str) -> bool {
    let numbered = |prefix: &&str| {
        name.strip_prefix(*prefix)
            .and_then(|number| number.parse::<usize>().ok())
            .is_some_and(|number| (1..=MOST).contains(&number))
    };
    COLUMNS.contains(&name) || NUMBERED.iter().any(numbered)
}

struct Row<'r> {
    heading: &'r [String],
    record: &'r csv::StringRecord,
    reasons: Vec<String>,
}

impl Row<'_> {
    /// The text of a column; `None` where it is blank or absent.
    fn text(&self, name: &str) -> Option<&str> {
        let column = self.heading.iter().position(|heading| heading == name)?;
        self.record.get(column).filter(|text| !text.is_empty())
    }

    fn value<T: FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        let reason = parsed.is_none().then(|| format!("{name} is {text:?}; it must be {what}"));
        self.reasons.extend(reason);
        parsed
    }

    fn number(&mut self, name: &str, absent: Option<f64>) -> f64 {
        if self.text(name).is_none() && absent.is_none() {
            self.reasons.push(format!("{name} is blank; the model needs it"));
        }
        self.value(name, "a number").or(absent).unwrap_or(f64::NAN)
    }

    /// The numbers of columns `name1`, `name2` and so on, up to the first that is blank.
    fn numbers(&mut self, name: &str) -> Vec<f64> {
        (1..=MOST).map_while(|index| self.value(&format!("{name}{index}"), "a number")).collect()
    }

    /// Steps of the partial credit models: as they are (`delta1` …), or from a location
    /// (`b` and `d1` …: step v is b - d_v, as NAEP has them).
    fn steps(&mut self) -> Vec<f64> {
        let steps = self.numbers("delta");
        if !steps.is_empty() {
            return steps;
        }
        let location = self.number("b", None);
        self.numbers("d").into_iter().map(|off| location - off).collect()
    }

    fn item(&mut self) -> BankItem {
        let code = self.text("item_id").unwrap_or_default().to_owned();
        let parameters = self.parameters();
        let choices = (1..=MOST).map_while(|index| self.text(&format!("choice_{index}")).map(str::to_owned));
        let choices = choices.collect();
        let names = |text: Option<&str>| -> Vec<String> {
            let all = text.into_iter().flat_map(|text| text.split(';')).map(str::trim);
            all.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let attributes = Attributes {
            content: self.text("content").map(str::to_owned),
            set: self.text("set").map(str::to_owned),
            enemies: names(self.text("enemies")),
            exposure_k: self.number("exposure_k", Some(1.0)),
            field_test: self.value("field_test", "true or false").unwrap_or(false),
        };
        let key = self.value("key", "the number of a choice");
        BankItem { code, parameters, attributes, text: self.text("text").map(str::to_owned), choices, key }
    }

    fn parameters(&mut self) -> Item {
        let model = self.text("model").unwrap_or("4PL").to_ascii_uppercase();
        match model.as_str() {
            "1PL" | "RASCH" => Item::logistic(self.number("a", Some(1.0)), self.number("b", None), 0.0, 1.0),
            "2PL" => Item::logistic(self.number("a", None), self.number("b", None), 0.0, 1.0),
            "3PL" | "4PL" => {
                let (a, b) = (self.number("a", None), self.number("b", None));
                Item::logistic(a, b, self.number("c", Some(0.0)), self.number("d", Some(1.0)))
            }
            "GRM" => Item::Graded { a: self.number("a", None), b: self.numbers("b") },
            "MGRM" => Item::ModifiedGraded {
                a: self.number("a", None),
                b: self.number("b", None),
                c: self.numbers("c"),
            },
            "GPCM" => Item::GeneralizedPartialCredit { a: self.number("a", None), delta: self.steps() },
            "PCM" => Item::PartialCredit { delta: self.steps() },
            "RSM" => Item::RatingScale { lambda: self.number("b", None), delta: self.numbers("delta") },
            "NRM" => Item::Nominal { alpha: self.numbers("alpha"), c: self.numbers("c") },
            other => {
                let known = "1PL, 2PL, 3PL, 4PL, GRM, MGRM, GPCM, PCM, RSM, NRM";
                self.reasons.push(format!("model is {other:?}; models: {known}"));
                Item::logistic(1.0, 0.0, 0.0, 1.0)
            }
        }
    }
}

pub(super) fn at_line(line: u64, message: String) -> Fault {
    Fault { field: format!("line {line}"), message }
}
