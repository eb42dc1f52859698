//! Rows as text: CSV for programs and for spreadsheets, or JSON Lines.
//!
//! Input: rows with a JSON form. Output: their text. In CSV a text that a spreadsheet would take for a formula is
//! neutralised. Must not know: what the rows mean.

use serde::Serialize;
use serde_json::Value;

/// Languages of spreadsheets that write 0,5 and separate cells by semicolons.
const WITH_COMMA: [&str; 16] =
    ["cs", "da", "de", "es", "fi", "fr", "it", "nb", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "vi"];
/// Languages of spreadsheets that write 0.5 and separate cells by commas.
const WITH_POINT: [&str; 5] = ["en", "he", "ja", "ko", "zh"];

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CSV with a header (RFC 4180).
    Csv(Layout),
    /// One JSON object a line.
    JsonLines,
}

/// How CSV is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whether the text begins with a byte order mark, by which Excel recognises UTF-8.
    has_mark: bool,
    separator: u8,
    has_decimal_comma: bool,
}

impl Layout {
    /// For programs: commas, decimal points, no byte order mark.
    pub const PLAIN: Self = Self { has_mark: false, separator: b',', has_decimal_comma: false };

    /// For Excel in a language, as in `de`; `None` if the language is not known.
    pub fn excel(language: &str) -> Option<Self> {
        let has_decimal_comma = WITH_COMMA.contains(&language);
        let separator = if has_decimal_comma { b';' } else { b',' };
        let is_known = has_decimal_comma || WITH_POINT.contains(&language);
        is_known.then_some(Self { has_mark: true, separator, has_decimal_comma })
    }

    /// The languages of [`Layout::excel`], for messages.
    pub fn languages() -> String {
        let mut all: Vec<&str> = WITH_COMMA.into_iter().chain(WITH_POINT).collect();
        all.sort_unstable();
        all.join(", ")
    }

    fn number(self, text: String) -> String {
        if self.has_decimal_comma { text.replace('.', ",") } else { text }
    }
}

/// A page of a table.
pub(super) struct Sheet {
    names: &'static [&'static str],
    kind: Kind,
}

enum Kind {
    Csv(Layout, Box<csv::Writer<Vec<u8>>>),
    JsonLines(Vec<u8>),
}

impl Sheet {
    /// An empty page. The first one of a table begins with its header.
    pub(super) fn new(format: Format, names: &'static [&'static str], is_first: bool) -> Self {
        let kind = match format {
            Format::JsonLines => Kind::JsonLines(Vec::new()),
            Format::Csv(layout) => {
                let mark = if is_first && layout.has_mark { "\u{feff}".as_bytes() } else { b"" };
                let mut writer =
                    csv::WriterBuilder::new().delimiter(layout.separator).from_writer(mark.to_vec());
                if is_first {
                    writer.write_record(names).expect("a Vec should take any text");
                }
                Kind::Csv(layout, Box::new(writer))
            }
        };
        Self { names, kind }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// It has no JSON form.
    pub(super) fn write(&mut self, row: &impl Serialize) -> Result<(), String> {
        match &mut self.kind {
            Kind::Csv(layout, writer) => {
                let row = serde_json::to_value(row).map_err(|error| error.to_string())?;
                let cells = self.names.iter().map(|name| cell(&row[name], *layout));
                writer.write_record(cells).map_err(|error| error.to_string())
            }
            Kind::JsonLines(text) => {
                serde_json::to_writer(&mut *text, row).map_err(|error| error.to_string())?;
                text.push(b'\n');
                Ok(())
            }
        }
    }

    /// The text.
    pub(super) fn end(self) -> Vec<u8> {
        match self.kind {
            Kind::Csv(_, writer) => writer.into_inner().expect("a Vec should take any text"),
            Kind::JsonLines(text) => text,
        }
    }
}

fn cell(value: &Value, layout: Layout) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        Value::Number(number) => layout.number(number.to_string()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(layout: Layout, row: &Value) -> String {
        let mut sheet = Sheet::new(Format::Csv(layout), &["id", "theta", "late"], true);
        sheet.write(row).unwrap();
        String::from_utf8(sheet.end()).unwrap()
    }

    #[test]
    fn texts_that_a_spreadsheet_would_compute_are_neutralised_and_numbers_stay() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let row = written(Layout::PLAIN, &json!({"id": text, "theta": -0.5, "late": false}));
            let rows: Vec<csv::StringRecord> =
                csv::Reader::from_reader(row.as_bytes()).records().collect::<Result<_, _>>().unwrap();
            assert_eq!(rows[0].iter().collect::<Vec<_>>(), [&format!("'{text}"), "-0.5", "false"]);
        }
    }

    #[test]
    fn a_spreadsheet_gets_its_language() {
        let row = json!({"id": "a;b", "theta": -0.5, "late": true});
        let german = written(Layout::excel("de").unwrap(), &row);
        assert_eq!(german, "\u{feff}id;theta;late\n\"a;b\";-0,5;true\n");
        assert_eq!(written(Layout::excel("en").unwrap(), &row), "\u{feff}id,theta,late\na;b,-0.5,true\n");
        assert_eq!(Layout::excel("xx"), None);
    }
}
