//! Slopes and intercepts of the R package mirt as item parameters.
//!
//! Input: a row with the columns `a1`, `d`, `g`, `u`; `d1` and so on; `ak0`, `d0` and so on. Output: an item with
//! D = 1. Must not know: texts and keys.
//!
//! Source: Chalmers (2012), "mirt: A multidimensional item response theory package", JSS 48(6), equations 1 to 5.

use super::row::{Row, Used};
use engine::Item;

/// The parameters of a row.
///
/// A logistic item has P = g + (u - g) / (1 + exp(-(a1 θ + d))), so b = -d / a1. A graded item has one intercept for
/// each boundary, so b_k = -d_k / a1. A partial credit item has scores ak_k = 0, 1, … and the exponent
/// ak_k a1 θ + d_k, so step v is -(d_v - d_{v-1}) / a1 with d_0 = 0. With other scores it is nominal: slopes a1 ak_k.
pub(super) fn parameters(row: &mut Row<'_>) -> (Item, Used) {
    let other: Vec<String> = (2..=super::columns::MOST).map(|index| format!("a{index}")).collect();
    for name in &other {
        if row.optional(name).is_some_and(|slope| slope != 0.0) {
            row.reasons.push(format!("{name} is a slope on another dimension; items here have one, a1"));
        }
    }
    let a = row.number("a1", None);
    let said = row.word("model").or(row.word("itemtype")).unwrap_or_default().to_ascii_lowercase();
    let has_scores = row.word("ak1").is_some();
    let has_steps = row.word("d1").is_some();
    let (item, model, columns): (Item, &'static str, Vec<&'static str>) = match said.as_str() {
        "" | "rasch" | "gpcm" | "pcm" | "nominal" | "nrm" if has_scores => partial_credit(row, a),
        "gpcm" | "pcm" | "nominal" | "nrm" => partial_credit(row, a),
        "graded" | "grm" => graded(row, a),
        "" if has_steps => graded(row, a),
        "" | "1pl" | "2pl" | "3pl" | "3plu" | "4pl" | "rasch" | "dich" => {
            let intercept = row.number("d", None);
            let (g, u) = (row.number("g", Some(0.0)), row.number("u", Some(1.0)));
            (Item::logistic(a, -intercept / a, g, u), "4PL", vec!["a1", "d", "g", "u"])
        }
        other => {
            row.reasons.push(format!(
                "the model is {other:?}; of mirt's, Rasch, 2PL, 3PL, 3PLu, 4PL, graded, gpcm and nominal are read"
            ));
            (Item::logistic(1.0, 0.0, 0.0, 1.0), "4PL", Vec::new())
        }
    };
    let columns = columns.into_iter().chain(["a#"]).collect();
    (item, Used { model, columns })
}

fn graded(row: &mut Row<'_>, a: f64) -> (Item, &'static str, Vec<&'static str>) {
    let b = row.numbers("d").into_iter().map(|intercept| -intercept / a).collect();
    (Item::Graded { a, b }, "graded", vec!["a1", "d#"])
}

fn partial_credit(row: &mut Row<'_>, a: f64) -> (Item, &'static str, Vec<&'static str>) {
    let columns = vec!["a1", "ak#", "d#"];
    let first = row.number("d0", Some(0.0));
    let intercepts: Vec<f64> =
        [0.0].into_iter().chain(row.numbers("d").into_iter().map(|d| d - first)).collect();
    let zero = row.number("ak0", Some(0.0));
    let scores: Vec<f64> =
        [0.0].into_iter().chain(row.numbers("ak").into_iter().map(|ak| ak - zero)).collect();
    if scores.len() > 1 && scores.len() != intercepts.len() {
        row.reasons.push(format!(
            "there are {} scores (ak) and {} intercepts (d)",
            scores.len(),
            intercepts.len()
        ));
    }
    let is_counted = scores.iter().zip(0_u8..).all(|(score, rank)| (score - f64::from(rank)).abs() < 1e-9);
    if scores.len() == 1 || is_counted {
        let delta = intercepts.windows(2).map(|pair| -(pair[1] - pair[0]) / a).collect();
        return (Item::GeneralizedPartialCredit { a, delta }, "gpcm", columns);
    }
    // The engine's nominal model sets its first category to 0.
    let alpha = scores.iter().skip(1).map(|score| a * score).collect();
    (Item::Nominal { alpha, c: intercepts.into_iter().skip(1).collect() }, "nominal", columns)
}
