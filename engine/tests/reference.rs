//! The engine against reference results: catR 3.17 and an independent implementation, which agreed.

#![expect(clippy::unwrap_used, reason = "a test file; a reference that cannot be read fails it")]

use engine::{Answered, Bank, Event, Exam, Grid, Item, Next, Policy, Posterior, Prior, Started};
use serde_json::Value;
use std::sync::Arc;

const SAMPLE: &str = include_str!("data/catr_sample.json");
const TCALS: &str = include_str!("data/tcals_items.csv");
const ANSWERS: &str = include_str!("data/tcals_simulation/responses_tcals.txt");
const EXPECTED: &str = include_str!("data/tcals_simulation/expected_tcals.csv");
/// How far an estimate may be from the reference.
const CLOSE: f64 = 1e-9;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn item(value: &Value) -> Item {
    let [a, b, c, d] = numbers(value)[..] else { panic!("an item has four parameters: {value}") };
    Item { a, b, c, d }
}

fn bank(sample: &Value, name: &Value, scaling: f64) -> Arc<Bank> {
    let items = sample["banks"][name.as_str().unwrap()]["items"].as_array().unwrap();
    Arc::new(Bank::new(scaling, items.iter().map(item).collect()).unwrap())
}

fn prior(value: &Value) -> Prior {
    let par = numbers(&value["par"]);
    match value["dist"].as_str().unwrap() {
        "norm" => Prior::Normal { mean: par[0], sd: par[1] },
        "unif" => Prior::Uniform { from: par[0], to: par[1] },
        other => panic!("prior {other} is not expected in an EAP case"),
    }
}

fn grid(value: &Value) -> Grid {
    let [from, to, _] = numbers(value)[..] else { panic!("a grid has three numbers: {value}") };
    Grid { from, to, nodes: u32::try_from(value[2].as_u64().unwrap()).unwrap() }
}

fn categories(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| byte - b'0').collect()
}

/// Sits an exam on answers that were drawn before.
fn sit(bank: &Arc<Bank>, policy: Policy, answers: &[u8]) -> Exam {
    let mut exam = Exam::new(Arc::clone(bank), policy, 0);
    exam.apply(&Event::Started(exam.decide_start())).unwrap();
    while let Some(item) = exam.current_item() {
        let answered = exam.decide_answer(item, answers[item]).unwrap();
        exam.apply(&Event::Answered(answered)).unwrap();
    }
    exam
}

#[test]
fn eap_estimates_are_those_of_the_reference() {
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let (mut cases, mut worst) = (0, 0.0_f64);
    for case in sample["estimation"].as_array().unwrap() {
        let estimator = &case["estimator"];
        if estimator["method"] != "EAP" || estimator["prior"]["dist"] == "Jeffreys" {
            continue;
        }
        let mut posterior = Posterior::new(prior(&estimator["prior"]), grid(&estimator["quad"]));
        let scaling = estimator["D"].as_f64().unwrap();
        for (parameters, answer) in
            case["items"].as_array().unwrap().iter().zip(case["responses"].as_array().unwrap())
        {
            posterior.observe(&item(parameters), scaling, u8::from(answer == 1));
        }
        let ability = posterior.ability();
        // Without an answer the prior's own figures are given, the reference gives its grid's.
        let close = if case["responses"].as_array().unwrap().is_empty() { 1e-3 } else { CLOSE };
        let theta = (ability.theta - case["expected"]["theta"].as_f64().unwrap()).abs();
        let error = (ability.standard_error - case["expected"]["se"].as_f64().unwrap()).abs();
        assert!(theta <= close && error <= close, "{}: {ability:?}, not {}", case["id"], case["expected"]);
        if close == CLOSE {
            worst = worst.max(theta).max(error);
        }
        cases += 1;
    }
    println!("EAP: {cases} cases, largest deviation {worst:e}");
    assert_eq!(cases, EAP_CASES);
}

/// EAP cases in the sample, so that none is passed over unseen.
const EAP_CASES: usize = 10;

#[test]
fn maximum_information_selects_the_item_of_the_reference() {
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let mfi = |case: &&Value| case["criterion"] == "MFI";
    let cases: Vec<&Value> = sample["selection"].as_array().unwrap().iter().filter(mfi).collect();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let bank = bank(&sample, &case["bank"], case["D"].as_f64().unwrap());
        let mut used = vec![false; bank.items().len()];
        for item in case["administered"].as_array().unwrap() {
            used[usize::try_from(item.as_u64().unwrap()).unwrap()] = true;
        }
        let chosen = engine::select::maximum_information(&bank, case["theta"].as_f64().unwrap(), &used);
        assert_eq!(chosen, case["expected_item"].as_u64().and_then(|item| usize::try_from(item).ok()));
    }
}

#[test]
fn whole_runs_are_those_of_the_reference() {
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let mut runs = 0;
    for run in sample["runs"].as_array().unwrap() {
        if run["test"]["method"] != "EAP" {
            continue;
        }
        let [rule] = &run["stop"]["rules"].as_array().unwrap()[..] else { panic!("one rule: {run}") };
        assert_eq!(rule["rule"], "length");
        let length = u32::try_from(rule["thr"].as_u64().unwrap()).unwrap();
        let policy = Policy {
            prior: prior(&run["test"]["prior"]),
            grid: grid(&run["test"]["quad"]),
            start_theta: run["start_theta"].as_f64().unwrap(),
            ..Policy::cat_r(length)
        };
        let bank = bank(&sample, &run["bank"], run["D"].as_f64().unwrap());
        let exam = sit(&bank, policy, &categories(run["full_responses"].as_str().unwrap()));
        let items: Vec<u64> = exam.steps().iter().map(|step| step.item as u64).collect();
        assert_eq!(serde_json::to_value(items).unwrap(), run["expected"]["items"], "{}", run["id"]);
        let path =
            numbers(&run["expected"]["theta_path"]).into_iter().zip(numbers(&run["expected"]["se_path"]));
        for (step, (theta, error)) in exam.steps().iter().zip(path) {
            assert!((step.ability.theta - theta).abs() <= CLOSE, "{}: {step:?}", run["id"]);
            assert!((step.ability.standard_error - error).abs() <= CLOSE, "{}: {step:?}", run["id"]);
        }
        runs += 1;
    }
    assert_eq!(runs, 3);
}

#[test]
fn a_thousand_simulated_exams_are_those_of_the_reference() {
    let items = TCALS.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse().unwrap();
        Item { a: number(1), b: number(2), c: number(3), d: number(4) }
    });
    let bank = Arc::new(Bank::new(1.0, items.collect()).unwrap());
    let (mut exams, mut worst) = (0, 0.0_f64);
    for (answers, expected) in ANSWERS.lines().zip(EXPECTED.lines().skip(1)) {
        let expected: Vec<&str> = expected.split(',').collect();
        let exam = sit(&bank, Policy::cat_r(20), &categories(answers));
        let items: Vec<String> = exam.steps().iter().map(|step| step.item.to_string()).collect();
        assert_eq!(items.join(" "), expected[3], "simulee {}", expected[0]);
        let theta = (exam.ability().theta - expected[1].parse::<f64>().unwrap()).abs();
        let error = (exam.ability().standard_error - expected[2].parse::<f64>().unwrap()).abs();
        assert!(theta <= CLOSE && error <= CLOSE, "simulee {}: {:?}", expected[0], exam.ability());
        worst = worst.max(theta).max(error);
        exams += 1;
    }
    println!("tcals: {exams} exams, identical items, largest deviation {worst:e}");
    assert_eq!(exams, 1000);
}

/// The service this one replaces got each of these wrong.
#[test]
fn measures_what_its_predecessor_did_not() {
    let item = Item { a: 1.0, b: 0.0, c: 0.2, d: 1.0 };
    let mut posterior = Posterior::new(Prior::default(), Grid::default());
    for category in [1, 1, 0, 1] {
        posterior.observe(&item, 1.0, category);
    }
    let theta = posterior.ability().theta;
    assert!((0.25..0.31).contains(&theta), "right, right, wrong, right: {theta}");

    let bank = Arc::new(Bank::new(1.0, vec![item; 40]).unwrap());
    let mut exam = Exam::new(bank, Policy::default(), 0);
    exam.apply(&Event::Started(exam.decide_start())).unwrap();
    let first = exam.decide_answer(0, 1).unwrap();
    assert_eq!(first.next, Next::Item(1), "one right answer does not end an exam");
    assert!(first.ability.theta < 1.0, "nor does it say much: {:?}", first.ability);
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let item = Item { a: 1.0, b: 0.0, c: 0.0, d: 1.0 };
    let bank = Arc::new(Bank::new(1.0, vec![item; 3]).unwrap());
    let mut exam = Exam::new(bank, Policy::default(), 0);
    let ability = exam.ability();
    let answered = |item, category, next| Event::Answered(Answered { item, category, ability, next });
    assert!(exam.apply(&answered(0, 1, Next::Item(1))).is_err(), "before the start");
    assert!(exam.apply(&Event::Started(Started { next: Next::Item(3), ability })).is_err(), "no such item");
    exam.apply(&Event::Started(Started { next: Next::Item(0), ability })).unwrap();
    assert!(exam.apply(&Event::Started(Started { next: Next::Item(1), ability })).is_err(), "twice");
    assert!(exam.apply(&answered(1, 1, Next::Item(2))).is_err(), "not on the screen");
    assert!(exam.apply(&answered(0, 2, Next::Item(1))).is_err(), "no such category");
    assert!(exam.apply(&answered(0, 1, Next::Item(0))).is_err(), "used");
    exam.apply(&answered(0, 1, Next::Item(2))).unwrap();
    assert_eq!((exam.items_completed(), exam.current_item()), (1, Some(2)));
}

#[test]
fn every_fault_of_a_bank_is_named() {
    let good = Item { a: 1.0, b: 0.0, c: 0.0, d: 1.0 };
    let items = vec![
        good,
        Item { a: 0.0, ..good },
        Item { b: f64::NAN, ..good },
        Item { c: 0.5, d: 0.5, ..good },
        Item { d: 1.1, a: f64::INFINITY, ..good },
    ];
    let rows: Vec<usize> = Bank::new(0.0, items).unwrap_err().into_iter().map(|fault| fault.row).collect();
    assert_eq!(rows, [1, 2, 3, 4, 4, 5]);
    assert!(Bank::new(1.0, vec![]).is_err());
}
