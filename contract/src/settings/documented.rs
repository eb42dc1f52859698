//! `docs/SETTINGS.md` is held to what is read: every setting stands in its example, none that is not read, with the default
//! that it has.

use super::{ExamType, Settings};
use std::collections::{BTreeMap, BTreeSet};

/// Names of settings, by section.
type Names = BTreeMap<String, BTreeSet<String>>;

/// Read while the test runs: the programs are built without the docs.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md");
/// What makes the reader name the fields that it knows.
const UNKNOWN: &str = "unheard_of";
/// A text for each way to read a section.
const WAYS: [(&str, &str); 15] = [
    ("api", "[api]"),
    ("ops", "[ops]"),
    ("auth", "[auth]\nmode = 'none'"),
    ("auth", "[auth]\nmode = 'token'"),
    ("auth", "[auth]\nmode = 'jwt'"),
    ("limits", "[limits]"),
    ("database", "[database]"),
    ("store", "[store]\nmode = 'memory'"),
    ("store", "[store]\nmode = 'basic'"),
    ("store", "[store]\nmode = 'sentinel'"),
    ("log", "[log]"),
    ("outage", "[outage]"),
    ("trace", "[trace]"),
    ("banks", "[[banks]]"),
    ("exam_types", "[exam_types.placement]"),
];

fn example() -> String {
    let page = std::fs::read_to_string(PAGE).expect("the page should be there");
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("\n```").next());
    text.expect("the page should have an example").to_owned()
}

/// What the page names, as a setting or behind a `#`.
fn documented() -> Names {
    let (mut names, mut section) = (Names::new(), String::new());
    for line in example().lines() {
        let line = line.trim_start_matches("# ");
        if let Some(heading) = line.strip_prefix('[') {
            let heading = heading.trim_start_matches('[').split(']').next().unwrap_or_default();
            section = heading.split('.').next().unwrap_or_default().to_owned();
            if heading.ends_with(".policy") {
                names.entry(section.clone()).or_default().insert("policy".into());
            }
        } else if let Some((name, _)) = line.split_once(" = ")
            && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        {
            names.entry(section.clone()).or_default().insert(name.to_owned());
        }
    }
    names
}

/// What the reader knows, from what it says of a setting that it does not.
fn read() -> Names {
    let mut names = Names::new();
    for (section, way) in WAYS {
        let faults = Settings::parse(&format!("{way}\n{UNKNOWN} = 1\n")).expect_err("it should be refused");
        let fault = faults.iter().find(|fault| fault.field.ends_with(UNKNOWN)).expect("it should be named");
        let (_, known) = fault.message.split_once("known fields: ").expect("the others should be named");
        names.entry(section.to_owned()).or_default().extend(known.split(", ").map(str::to_owned));
    }
    // A bank that was imported leaves out all else, and names it.
    names.entry("banks".into()).or_default().insert("version".into());
    names
}

#[test]
fn every_setting_is_on_the_page_and_no_other() {
    assert_eq!(documented(), read());
}

#[test]
fn the_page_has_the_defaults() {
    let (page, default) = (Settings::parse(&example()).unwrap(), Settings::default());
    let kind = ExamType::default();
    // What is absent by default has a value on the page, so that one sees its form.
    let shown = ExamType {
        min_items: kind.min_items,
        target_standard_error: kind.target_standard_error,
        ..page.exam_types["placement"].clone()
    };
    assert_eq!(shown, kind);
    assert_eq!(page.banks.len(), 1);
    assert_eq!(Settings { banks: Vec::new(), exam_types: default.exam_types.clone(), ..page }, default);
}
