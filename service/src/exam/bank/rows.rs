//! A bank file: its heading judged, its rows to items, each invalid row with its reasons.
//!
//! Input: a text with a heading. Output: valid items with their lines, the reasons of invalid rows by line, and the
//! columns that were not read. Must not know: what a bank is for.

use super::columns::{is_known, is_parameter};
use super::row::Row;
use super::sheet::{self, Sheet, at_line};
use super::{BankItem, layouts, mirt, standard};
use contract::Fault;
use contract::settings::{BankForm, BankFormat};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The content of a bank file.
pub(super) struct Rows {
    /// Valid items with their lines.
    pub items: Vec<(u64, BankItem)>,
    /// The reasons why each other row is invalid.
    pub bad: Vec<Fault>,
    /// Columns that the file carries and that are not read.
    pub ignored: Vec<String>,
    /// What was read in a way that its author may not expect.
    pub notices: Vec<Fault>,
}

/// Reads a bank file.
///
/// # Errors
/// Every fault of the heading.
pub(super) fn read(text: &str, form: &BankForm) -> Result<Rows, Vec<Fault>> {
    let Sheet { mut heading, rows, allows_comma } = sheet::read(text).map_err(|fault| vec![fault])?;
    let mut notices = Vec::new();
    if heading.first().is_some_and(String::is_empty) {
        // The names of rows, as R and pandas write them.
        let is_only_name = !heading.iter().any(|name| name == "item_id");
        if is_only_name && heading.len() > 1 {
            "item_id".clone_into(&mut heading[0]);
            notices.push(at_line(
                1,
                "no column is named item_id; the row names in the first are taken for it".to_owned(),
            ));
        }
    }
    let ignored = check_heading(&heading, form)?;
    let columns: HashMap<&str, usize> =
        heading.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let has_comma = allows_comma && has_decimal_comma(&heading, &rows, form.format);
    let (mut items, mut bad, mut codes) = (Vec::new(), Vec::new(), HashSet::new());
    let mut missing = BTreeMap::new();
    for row in &rows {
        let (line, cells) = match row {
            Ok((line, cells)) => (*line, cells),
            Err(fault) => {
                bad.push(fault.clone());
                continue;
            }
        };
        let mut row = Row { columns: &columns, cells, has_comma, reasons: Vec::new(), blanked: Vec::new() };
        let (parameters, used) = match form.format {
            BankFormat::Standard => standard::parameters(&mut row),
            BankFormat::Mirt => mirt::parameters(&mut row),
        };
        row.refuse_unused(&used, form.format);
        let item = row.item(parameters);
        let Row { mut reasons, blanked, .. } = row;
        if reasons.is_empty() {
            reasons.extend(item.faults());
        }
        if reasons.is_empty() && !codes.insert(item.code.clone()) {
            reasons.push(format!("item_id {:?} stands on an earlier line too", item.code));
        }
        if reasons.is_empty() {
            items.push((line, item));
        }
        for name in blanked {
            *missing.entry(name).or_insert(0_usize) += 1;
        }
        bad.extend(reasons.into_iter().map(|reason| at_line(line, reason)));
    }
    notices.extend(missing.into_iter().map(|(name, count)| {
        at_line(1, format!("NA in the column {name} is read as blank, in {count} rows"))
    }));
    Ok(Rows { items, bad, ignored, notices })
}

/// The columns that are carried and not read.
fn check_heading(heading: &[String], form: &BankForm) -> Result<Vec<String>, Vec<Fault>> {
    if !heading.iter().any(|name| name == "item_id") {
        let seen = heading.join(",");
        let mut faults = vec![at_line(1, format!("the heading {seen:?} has no column item_id"))];
        let unknown: Vec<&String> =
            heading.iter().filter(|name| !name.is_empty() && !is_known(name, form.format)).collect();
        faults.extend(layouts::unknown(heading, &unknown));
        return Err(faults);
    }
    let mut seen = HashSet::new();
    if let Some(name) = heading.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
        return Err(vec![at_line(1, format!("the heading has the column {name:?} twice"))]);
    }
    if let Some(index) = heading.iter().skip(1).position(String::is_empty) {
        return Err(vec![at_line(1, format!("column {} has no heading", index + 2))]);
    }
    let is_carried = |name: &String| {
        form.columns.contains(name) || (name == "Unnamed: 0" && heading.first() == Some(name))
    };
    let (ignored, unknown): (Vec<&String>, Vec<&String>) = heading
        .iter()
        .filter(|name| !name.is_empty() && !is_known(name, form.format))
        .partition(|name| is_carried(name));
    match layouts::unknown(heading, &unknown) {
        faults if faults.is_empty() => Ok(ignored.into_iter().cloned().collect()),
        faults => Err(faults),
    }
}

/// Whether a number of the sheet has a decimal comma.
fn has_decimal_comma(
    heading: &[String],
    rows: &[Result<(u64, Vec<String>), Fault>],
    format: BankFormat,
) -> bool {
    let is_read = |index: &usize| is_parameter(&heading[*index]) && is_known(&heading[*index], format);
    let of_numbers: Vec<usize> = (0..heading.len()).filter(is_read).collect();
    rows.iter().flatten().any(|(_, cells)| of_numbers.iter().any(|index| cells[*index].contains(',')))
}
