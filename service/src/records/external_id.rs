//! Ids that callers give to students and classes.
//!
//! Input: a JSON value or a query parameter. Output: an id that is given back as it was given. Must not know: what it
//! identifies.

use serde::{Deserialize, Serialize};

/// Longest id, in characters.
const LIMIT: usize = 128;
/// Integers that every JSON parser preserves are below this.
const EXACT: i64 = 1 << 53;

/// An id in a system of the caller: an integer, or a short text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExternalId {
    /// An integer from 0 to 2^53 - 1.
    Number(i64),
    /// 1 to 128 letters, digits and `._:@-`; ASCII only.
    Text(String),
}

impl ExternalId {
    /// What an id has to look like.
    pub const FORM: &str =
        "must be an integer of 0 to 9007199254740991, or a text of 1 to 128 letters, digits and . _ : @ -";

    /// Whether it has that form.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Number(number) => (0..EXACT).contains(number),
            Self::Text(text) => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "._:@-".contains(c);
                (1..=LIMIT).contains(&text.len()) && text.chars().all(allowed)
            }
        }
    }

    /// The integer, if it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl std::fmt::Display for ExternalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_integers_or_short_texts_and_stay_what_they_are() {
        let read = |json: &str| serde_json::from_str::<ExternalId>(json).ok().filter(ExternalId::is_valid);
        for good in ["7", "0", "9007199254740991", "\"7\"", "\"007\"", "\"a.b_c:d@e-f\"", "\"kA\""] {
            let id = read(good).unwrap();
            assert_eq!(
                serde_json::to_value(&id).unwrap(),
                serde_json::from_str::<serde_json::Value>(good).unwrap()
            );
        }
        let long = format!("\"{}\"", "a".repeat(129));
        for bad in
            ["-1", "9007199254740992", "1.5", "\"\"", "\"a b\"", "\"=1+1\"", "\"ü\"", "true", "[1]", &long]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
