//! The text of a cell as a number, a yes or no, or the keys of an item.
//!
//! Input: a text as spreadsheets, R, Python and people write it. Output: the value, or what it must be.
//! Must not know: columns.

/// Whether a cell says that there is no value, as R, pandas and Excel write it.
pub(super) fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "NaN" | "nan" | "#N/A" | "<NA>")
}

/// A number with a decimal point, or with a comma where the file has them.
pub(super) fn number(text: &str, has_comma: bool) -> Result<f64, &'static str> {
    let parsed = match (has_comma, text.contains(',')) {
        (true, _) if text.contains('.') => Err("a number with a decimal comma, as the others of this file"),
        (true, _) => text.replace(',', ".").parse().map_err(|_| "a number"),
        (false, true) => {
            Err("a number with a decimal point (a comma needs semicolons or tabs between the columns)")
        }
        (false, false) => text.parse().map_err(|_| "a number"),
    };
    // A word such as `inf` is none.
    parsed.and_then(|number: f64| if number.is_finite() { Ok(number) } else { Err("a number") })
}

/// Yes or no.
pub(super) fn flag(text: &str) -> Result<bool, &'static str> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" | "1,0" | "wahr" | "ja" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" | "0,0" | "falsch" | "nein" => Ok(false),
        _ => Err("true or false (TRUE, yes and 1 are read too)"),
    }
}

/// The numbers of the correct choices: `2`, `2.0`, `B`, or several such as `1;3` or `A;C`.
pub(super) fn keys(text: &str) -> Result<Vec<u8>, &'static str> {
    const FORM: &str = "the number or the letter of a choice, or several with semicolons between them";
    let one = |word: &str| {
        let whole = word.strip_suffix(".0").or_else(|| word.strip_suffix(",0")).unwrap_or(word);
        match whole.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase() - b'A' + 1),
            _ => whole.parse().ok(),
        }
    };
    let mut keys: Vec<u8> = match one(text) {
        Some(key) => vec![key],
        None => text
            .split([';', ',', '|', '/'])
            .map(|word| one(word.trim()))
            .collect::<Option<_>>()
            .ok_or(FORM)?,
    };
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_people_write_them() {
        assert_eq!(number("-0,5", true), Ok(-0.5));
        assert_eq!(number("1e-3", false), Ok(0.001));
        assert!(
            number("0.5", true).is_err() && number("1,2", false).is_err() && number("inf", false).is_err()
        );
        for yes in ["TRUE", "True", "true", "yes", "1", "1.0", "WAHR"] {
            assert_eq!(flag(yes), Ok(true), "{yes}");
        }
        for no in ["FALSE", "False", "no", "0", "0.0", "FALSCH"] {
            assert_eq!(flag(no), Ok(false), "{no}");
        }
        assert!(flag("maybe").is_err());
        for (text, expected) in [
            ("2", vec![2]),
            ("2.0", vec![2]),
            ("B", vec![2]),
            ("b", vec![2]),
            ("1;3", vec![1, 3]),
            ("C, A", vec![1, 3]),
            ("1.0;3.0", vec![1, 3]),
        ] {
            assert_eq!(keys(text), Ok(expected), "{text}");
        }
        for wrong in ["two", "1.5", "1;", "-1", "300"] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }
}
