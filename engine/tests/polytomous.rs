//! Polytomous items against catR's formulas in 40-digit arithmetic: see `data/polytomous.py`.

use engine::{Bank, Curve, Estimator, Grid, Item, Prior, Range};
use serde::Deserialize;
use std::collections::BTreeMap;

const CASES: &str = include_str!("data/polytomous.json");
const RANGE: Range = Range { from: -4.0, to: 4.0 };

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "D")]
    scaling: f64,
    items: Vec<Parameters>,
    answers: Vec<usize>,
    /// Ability and standard error by estimator.
    estimates: BTreeMap<String, [f64; 2]>,
    at: f64,
    probabilities: Vec<Vec<f64>>,
    information: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(tag = "model")]
enum Parameters {
    #[serde(rename = "GRM")]
    Graded { a: f64, b: Vec<f64> },
    #[serde(rename = "MGRM")]
    ModifiedGraded { a: f64, b: f64, c: Vec<f64> },
    #[serde(rename = "GPCM")]
    GeneralizedPartialCredit { a: f64, delta: Vec<f64> },
    #[serde(rename = "PCM")]
    PartialCredit { delta: Vec<f64> },
    #[serde(rename = "RSM")]
    RatingScale { lambda: f64, delta: Vec<f64> },
    #[serde(rename = "NRM")]
    Nominal { alpha: Vec<f64>, c: Vec<f64> },
}

impl From<Parameters> for Item {
    fn from(parameters: Parameters) -> Self {
        match parameters {
            Parameters::Graded { a, b } => Self::Graded { a, b },
            Parameters::ModifiedGraded { a, b, c } => Self::ModifiedGraded { a, b, c },
            Parameters::GeneralizedPartialCredit { a, delta } => Self::GeneralizedPartialCredit { a, delta },
            Parameters::PartialCredit { delta } => Self::PartialCredit { delta },
            Parameters::RatingScale { lambda, delta } => Self::RatingScale { lambda, delta },
            Parameters::Nominal { alpha, c } => Self::Nominal { alpha, c },
        }
    }
}

#[test]
fn polytomous_models_are_catr_s() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let (mut counted, mut worst) = (BTreeMap::new(), BTreeMap::new());
    let mut check = |what: &str, found: f64, expected: f64, close: f64| {
        let off = (found - expected).abs();
        assert!(off <= close, "{what}: {found} against {expected}");
        *counted.entry(what.to_owned()).or_insert(0) += 1;
        let worst = worst.entry(what.to_owned()).or_insert(0.0_f64);
        *worst = worst.max(off);
    };
    for case in cases {
        let items = case.items.into_iter().map(Item::from).collect();
        let bank = Bank::new(case.scaling, items).unwrap();
        for (index, curve) in bank.curves().iter().enumerate() {
            let p = curve.probabilities(case.at);
            assert_eq!(curve.categories(), case.probabilities[index].len());
            for (found, expected) in p.iter().zip(&case.probabilities[index]) {
                check("probability", *found, *expected, 1e-12);
            }
            check("information", curve.information(case.at), case.information[index], 1e-10);
        }
        let answers: Vec<(&Curve, usize)> = bank.curves().iter().zip(case.answers).collect();
        for (name, [theta, error]) in case.estimates {
            let estimator = match name.as_str() {
                "EAP" => Estimator::Eap { prior: Prior::default(), grid: Grid::CAT_R },
                "BM" => Estimator::Map { prior: Prior::default(), range: RANGE },
                "ML" => Estimator::Ml { range: RANGE },
                _ => Estimator::Wl { range: RANGE },
            };
            let found = estimator.estimate(&answers);
            check(&name, found.ability.theta, theta, 1e-9);
            check(&format!("{name} SE"), found.ability.standard_error.unwrap(), error, 1e-9);
        }
    }
    for (what, cases) in &counted {
        println!("{what}: {cases} values, largest deviation {:e}", worst[what]);
    }
    // So that no case is passed over unseen: 6 models, 2 scaling constants, 3 tests of 8 items each.
    assert_eq!(counted["EAP"], 36);
    assert!(counted["ML"] > 30 && counted["WL"] > 30 && counted["information"] == 288);
}
