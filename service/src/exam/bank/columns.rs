//! Which columns a bank file has in each format.
//!
//! Input: the name of a column. Output: whether it is read, and whether it holds a parameter. Must not know: rows.

use contract::settings::BankFormat;

/// Columns that are read in every format, besides the parameters and the numbered choices.
const COMMON: [&str; 10] = [
    "item_id",
    "model",
    "content",
    "set",
    "enemies",
    "exposure_k",
    "field_test",
    "text",
    "key",
    "code_fields",
];
/// Most numbered columns with one name.
pub(super) const MOST: usize = 16;

fn is_numbered(name: &str, prefix: &str, from: usize) -> bool {
    let number = name.strip_prefix(prefix).filter(|number| !number.starts_with(['0', '+']) || *number == "0");
    number
        .and_then(|number| number.parse::<usize>().ok())
        .is_some_and(|number| (from..=MOST).contains(&number))
}

/// Whether a column holds a parameter of some model, in some format.
pub(super) fn is_parameter(name: &str) -> bool {
    ["a", "b", "c", "d", "g", "u", "exposure_k"].contains(&name)
        || ["b", "c", "d", "delta", "alpha", "a", "ak"].iter().any(|prefix| is_numbered(name, prefix, 0))
}

pub(super) fn is_known(name: &str, format: BankFormat) -> bool {
    if COMMON.contains(&name) || is_numbered(name, "choice_", 1) {
        return true;
    }
    match format {
        BankFormat::Standard => {
            ["a", "b", "c", "d"].contains(&name)
                || ["b", "c", "d", "delta", "alpha"].iter().any(|prefix| is_numbered(name, prefix, 1))
        }
        BankFormat::Mirt => {
            ["itemtype", "d", "g", "u"].contains(&name)
                || is_numbered(name, "a", 1)
                || ["d", "ak"].iter().any(|prefix| is_numbered(name, prefix, 0))
        }
    }
}
