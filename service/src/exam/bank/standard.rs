//! The parameters of a row in the columns of docs/SETTINGS.md.
//!
//! Input: a row. Output: an item, and the columns that its model reads. Must not know: texts and keys.

use super::row::{Row, Used};
use engine::Item;

/// The models, as a row names them.
const MODELS: &str = "1PL, 2PL, 3PL, 4PL, GRM, MGRM, GPCM, PCM, RSM, NRM";

/// Steps of the partial credit models: as they are (`delta1` …), or from a location
/// (`b` and `d1` …: step v is b - d_v, as NAEP has them).
fn steps(row: &mut Row<'_>) -> (Vec<f64>, &'static [&'static str]) {
    let steps = row.numbers("delta");
    if !steps.is_empty() {
        return (steps, &["delta#"]);
    }
    let location = row.number("b", None);
    (row.numbers("d").into_iter().map(|off| location - off).collect(), &["b", "d#"])
}

/// The item of a row, by its column `model`; it is of no use if there are reasons.
pub(super) fn parameters(row: &mut Row<'_>) -> (Item, Used) {
    let model = row.word("model").unwrap_or("4PL").to_ascii_uppercase();
    let (item, model, columns): (Item, &'static str, Vec<&'static str>) = match model.as_str() {
        "1PL" | "RASCH" => {
            let item = Item::logistic(row.number("a", Some(1.0)), row.number("b", None), 0.0, 1.0);
            (item, "1PL", vec!["a", "b"])
        }
        "2PL" => {
            let item = Item::logistic(row.number("a", None), row.number("b", None), 0.0, 1.0);
            (item, "2PL", vec!["a", "b"])
        }
        "3PL" | "4PL" => {
            let (a, b) = (row.number("a", None), row.number("b", None));
            let item = Item::logistic(a, b, row.number("c", Some(0.0)), row.number("d", Some(1.0)));
            (item, "4PL", vec!["a", "b", "c", "d"])
        }
        "GRM" => {
            let item = Item::Graded { a: row.number("a", None), b: row.numbers("b") };
            (item, "GRM", vec!["a", "b#"])
        }
        "MGRM" => {
            let (a, b) = (row.number("a", None), row.number("b", None));
            (Item::ModifiedGraded { a, b, c: row.numbers("c") }, "MGRM", vec!["a", "b", "c#"])
        }
        "GPCM" => {
            let a = row.number("a", None);
            let (delta, columns) = steps(row);
            (Item::GeneralizedPartialCredit { a, delta }, "GPCM", [&["a"], columns].concat())
        }
        "PCM" => {
            let (delta, columns) = steps(row);
            (Item::PartialCredit { delta }, "PCM", columns.to_vec())
        }
        "RSM" => {
            let lambda = row.number("b", None);
            (Item::RatingScale { lambda, delta: row.numbers("delta") }, "RSM", vec!["b", "delta#"])
        }
        "NRM" => {
            let item = Item::Nominal { alpha: row.numbers("alpha"), c: row.numbers("c") };
            (item, "NRM", vec!["alpha#", "c#"])
        }
        other => {
            row.reasons.push(format!("model is {other:?}; models: {MODELS}"));
            (Item::logistic(1.0, 0.0, 0.0, 1.0), "4PL", Vec::new())
        }
    };
    (item, Used { model, columns })
}
