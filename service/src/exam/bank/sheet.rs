//! A text as a sheet: a heading and rows of cells.
//!
//! Input: a text with commas, semicolons or tabs, as spreadsheets, R and Python write it. Output: the heading, the
//! rows by line, and how numbers are written. Must not know: what a column means.

use contract::Fault;

/// A sheet.
pub(super) struct Sheet {
    /// Names of the columns, in lines of R or Python an empty one for the row names.
    pub heading: Vec<String>,
    /// Each row with its line, or what is wrong with its form.
    pub rows: Vec<Result<(u64, Vec<String>), Fault>>,
    /// Whether a number may have a decimal comma.
    pub allows_comma: bool,
}

/// Reads a sheet.
///
/// # Errors
/// The heading cannot be read, or its separator is another one.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let text = text.trim_start_matches('\u{feff}');
    // Excel writes the separator into a line of its own.
    let first = text.lines().next().unwrap_or_default();
    let (skipped, said) = match first.trim_matches('"').strip_prefix("sep=") {
        Some(separator) => (1, separator.bytes().next()),
        None => (0, None),
    };
    let body = if skipped == 1 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    let separator = match said {
        Some(separator) => separator,
        None => separator(body.lines().next().unwrap_or_default())?,
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(body.as_bytes());
    let mut records = reader.records();
    let mut heading: Vec<String> = match records.next() {
        Some(Ok(record)) => record.iter().map(|name| name.trim().to_owned()).collect(),
        Some(Err(error)) => return Err(at_line(1, error.to_string())),
        None => Vec::new(),
    };
    while heading.len() > 1 && heading.last().is_some_and(String::is_empty) {
        heading.pop();
    }
    let mut rows = Vec::new();
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line) + skipped;
                rows.push(Err(at_line(line, error.to_string())));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line) + skipped;
        let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        // R's write.table leaves out the heading of the row names. Between commas it may be a decimal comma.
        if separator != b','
            && rows.is_empty()
            && cells.len() == heading.len() + 1
            && heading.iter().all(|name| !name.is_empty())
        {
            heading.insert(0, String::new());
        }
        while cells.len() > heading.len() && cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        rows.push(if cells.len() == heading.len() {
            Ok((line, cells))
        } else {
            Err(at_line(line, uneven(&cells, heading.len(), separator)))
        });
    }
    Ok(Sheet { heading, rows, allows_comma: separator != b',' })
}

/// The separator that the heading shows.
fn separator(heading: &str) -> Result<u8, Fault> {
    let count = |wanted: char| {
        let mut is_quoted = false;
        let outside = |c: &char| {
            is_quoted ^= *c == '"';
            *c == wanted && !is_quoted
        };
        heading.chars().filter(outside).count()
    };
    let best = [',', ';', '\t'].into_iter().max_by_key(|c| (count(*c), *c == ','));
    let other = [('|', "vertical bars"), (' ', "spaces")].into_iter().find(|(c, _)| count(*c) > 1);
    match (best, other) {
        (Some(c), Some((_, seen))) if count(c) == 0 => Err(at_line(
            1,
            format!("the columns seem to be separated by {seen}; write them with commas, semicolons or tabs"),
        )),
        (Some(c), _) => Ok(c as u8),
        (None, _) => Ok(b','),
    }
}

fn uneven(cells: &[String], columns: usize, separator: u8) -> String {
    let is_digits = |cell: &String| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let hint = if cells.len() > columns
        && separator == b','
        && cells.iter().filter(|cell| is_digits(cell)).count() > 1
    {
        "; numbers with a decimal comma need semicolons or tabs between the columns"
    } else if cells.len() > columns {
        "; a text that holds the separator has to be in quotes"
    } else {
        ""
    };
    format!("has {} columns, the heading {columns}{hint}", cells.len())
}

/// A fault of a line.
pub(super) fn at_line(line: u64, message: String) -> Fault {
    Fault { field: format!("line {line}"), message }
}
