//! Headings of other packages and of people, and what to do with them.
//!
//! Input: the columns that are not known, and all of them. Output: one sentence for each fault. Must not know: rows.

use contract::Fault;

/// What the columns of a package's export are, where all of `has` are in the heading.
struct Layout {
    has: &'static [&'static str],
    says: &'static str,
}

const LAYOUTS: [Layout; 9] = [
    Layout {
        has: &["a1", "d"],
        says: "this looks like slopes and intercepts of mirt: read it with --format mirt (`format = \"mirt\"` in Settings and API)",
    },
    Layout {
        has: &["a1", "d1"],
        says: "this looks like slopes and intercepts of mirt: read it with --format mirt (`format = \"mirt\"` in Settings and API)",
    },
    Layout {
        has: &["a", "b", "g", "u"],
        says: "this looks like mirt's coef(IRTpars = TRUE): rename g to c and u to d",
    },
    Layout {
        has: &["Dscrmn"],
        says: "this looks like coef() of ltm: rename Dffclt to b, Dscrmn to a and Gussng to c",
    },
    Layout {
        has: &["Extrmt1"],
        says: "this looks like coef() of ltm for graded items: rename Extrmt1 to b1 and so on, Dscrmn to a, and add a column model",
    },
    Layout {
        has: &["xsi.item"],
        says: "this looks like the items of TAM: write item as item_id, AXsi_.Cat1 divided by B.Cat1.Dim1 as b and B.Cat1.Dim1 as a",
    },
    Layout {
        has: &["slope", "threshold"],
        says: "this looks like an export of BILOG or flexMIRT: rename slope to a, threshold to b and asymptote to c",
    },
    Layout {
        has: &["Option.1"],
        says: "this looks like a table of mirtCAT: rename Question to text, Option.1 to choice_1 and so on, Answer to key, and add item_id, a and b",
    },
    Layout {
        has: &["responseOptions", "p1"],
        says: "this looks like a table of Concerto: rename p1 to a, p2 to b, p3 to c and p4 to d, and write the options as choice_1 and so on",
    },
];

/// Names that people give to columns known here.
const SYNONYMS: [(&str, &[&str]); 9] = [
    ("item_id", &["item", "id", "itemid", "item id", "code", "item_code", "question_id", "name", "itemname"]),
    ("a", &["discrimination", "disc", "slope", "alpha", "a1"]),
    ("b", &["difficulty", "diff", "location", "beta", "threshold"]),
    ("c", &["guessing", "guess", "g", "pseudo_guessing", "asymptote", "lower"]),
    ("d", &["upper", "u", "slip", "slipping", "inattention"]),
    ("key", &["answer", "correct", "correct_answer", "correct_choice", "solution"]),
    ("text", &["stem", "question", "prompt", "item_text"]),
    ("content", &["domain", "area", "category", "topic", "group"]),
    ("field_test", &["pretest", "fieldtest", "pilot"]),
];

/// The faults of columns that are not known and not carried.
pub(super) fn unknown(heading: &[String], unknown: &[&String]) -> Vec<Fault> {
    let fault = |message: String| Fault { field: "line 1".to_owned(), message };
    if unknown.is_empty() {
        return Vec::new();
    }
    let has = |wanted: &&str| heading.iter().any(|name| name == wanted);
    if let Some(layout) = LAYOUTS.iter().find(|layout| layout.has.iter().all(&has)) {
        return vec![fault(layout.says.to_owned())];
    }
    let each = unknown.iter().map(|name| {
        let lower = name.to_lowercase();
        let meant = SYNONYMS
            .iter()
            .find(|(known, names)| **known == lower || names.contains(&lower.as_str()))
            .map(|(known, _)| format!("if it is {known}, name it so; "))
            .unwrap_or_default();
        fault(format!(
            "the column {name:?} is not known; {meant}if it is not meant to be read, say so with --carry {name:?} (`columns` in Settings and API)"
        ))
    });
    each.collect()
}
