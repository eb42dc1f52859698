//! The engine against reference results: catR 3.17 and an independent implementation, which agreed.

#![expect(clippy::unwrap_used, reason = "a test file; a reference that cannot be read fails it")]

#[path = "../examples/vectors/check.rs"]
mod check;

use engine::{
    Answered, Bank, Constrained, EndReason, Estimator, Event, Exam, Grid, Item, Next, Outside, Policy, Prior,
    Range, Rule, Selection, Started, Stop, WhileConstant,
};
use std::sync::Arc;

const SAMPLE: &str = include_str!("data/catr_sample.json");
const POLYTOMOUS: &str = include_str!("data/catr_polytomous_sample.json");
const TCALS: &str = include_str!("data/tcals_items.csv");
const ANSWERS: &str = include_str!("data/tcals_simulation/responses_tcals.txt");
const EXPECTED: &str = include_str!("data/tcals_simulation/expected_tcals.csv");
/// How far an estimate may be from the reference.
const CLOSE: f64 = 1e-9;

/// Sits an exam on answers that were drawn before.
fn sit(bank: &Arc<Bank>, policy: Policy, answers: &[u8]) -> Exam {
    let mut exam = Exam::new(Arc::clone(bank), policy, 0);
    exam.apply(&Event::Started(exam.decide_start(&Outside::default()))).unwrap();
    while let Some(item) = exam.current_item() {
        let answered = exam.decide_answer(item, answers[item], &Outside::default()).unwrap();
        exam.apply(&Event::Answered(answered)).unwrap();
    }
    exam
}

#[test]
fn every_reference_case_holds() {
    let groups = check::check(SAMPLE).unwrap();
    let counted = |kind: &str| -> usize {
        groups.iter().filter(|group| group.name.starts_with(kind)).map(|group| group.cases).sum()
    };
    // So that no case is passed over unseen.
    assert_eq!((counted("estimator"), counted("criterion"), counted("run")), (40, 22, 8));
    for group in &groups {
        println!("{}: {} cases, largest deviation {:e}", group.name, group.cases, group.deviation);
        assert!(group.failures.is_empty(), "{}: {:#?}", group.name, group.failures);
    }
}

#[test]
fn every_polytomous_reference_case_holds() {
    let groups = check::check(POLYTOMOUS).unwrap();
    assert_eq!(groups.iter().map(|group| group.cases).sum::<usize>(), 30);
    for group in &groups {
        assert!(group.failures.is_empty(), "{}: {:#?}", group.name, group.failures);
    }
}

/// A run of 1PL items with these stop rules, where each answer is right, and the reason that is expected.
fn run_with(stop: &str, items: usize, reason: &str) -> String {
    let rows: Vec<String> = (0..8).map(|item| format!("[1.5, {}, 0, 1]", 0.3 * f64::from(item))).collect();
    let bank = Arc::new(
        Bank::new(1.0, (0..8).map(|item| Item::logistic(1.5, 0.3 * f64::from(item), 0.0, 1.0)).collect())
            .unwrap(),
    );
    let exam = sit(&bank, Policy::cat_r(u32::try_from(items).unwrap()), &[1; 8]);
    let ability = |step: &Answered| (step.ability.theta, step.ability.standard_error);
    let (thetas, errors): (Vec<f64>, Vec<Option<f64>>) = exam.steps().iter().map(ability).unzip();
    let chosen: Vec<usize> = exam.steps().iter().map(|step| step.item).collect();
    let method = r#"{"method": "EAP", "quad": [-4, 4, 33]}"#;
    let (theta, error) = (thetas[items - 1], errors[items - 1].unwrap());
    let errors: Vec<f64> = errors.into_iter().flatten().collect();
    format!(
        r#"{{"banks": {{"eight": {{"items": [{}]}}}}, "runs": [{{"id": "one", "bank": "eight", "D": 1,
        "start_theta": 0, "test": {method}, "final": {method}, "stop": {stop}, "full_responses": "11111111",
        "expected": {{"items": {chosen:?}, "theta_path": {thetas:?}, "se_path": {errors:?},
        "theta": {theta:?}, "se": {error:?}, "stop_reason": ["{reason}"]}}}}]}}"#,
        rows.join(", ")
    )
}

/// What a case asks for is checked or refused, never passed over.
#[test]
fn the_checker_knows_every_rule_it_takes_and_refuses_the_others() {
    let good = [
        (r#"{"rules": [{"rule": "length", "thr": 3}]}"#, 3, "length"),
        // After one right answer the interval at 50 % excludes a cut of -1.
        (r#"{"rules": [{"rule": "classification", "thr": -1, "alpha": 0.5}]}"#, 1, "classification"),
        (
            r#"{"rules": [{"rule": "classification", "thr": [-1], "alpha": 0.5}], "min_length": 4}"#,
            4,
            "classification",
        ),
        (r#"{"rules": [{"rule": "minInfo", "thr": 9}, {"rule": "min_length", "thr": 2}]}"#, 2, "minInfo"),
    ];
    for (stop, items, reason) in good {
        let groups = check::check(&run_with(stop, items, reason)).unwrap();
        assert!(groups.len() == 1 && groups[0].failures.is_empty(), "{stop}: {groups:?}");
        let other = check::check(&run_with(stop, items + 1, reason)).unwrap();
        assert_eq!(other[0].failures.len(), 1, "{stop}: one item more is no match");
    }
    let wrong_reason = check::check(&run_with(good[0].0, 3, "precision")).unwrap();
    assert_eq!(wrong_reason[0].failures.len(), 1);
    let length = run_with(good[0].0, 3, "length");
    for (of, word) in [
        (length.replace("\"length\", \"thr\"", "\"lengths\", \"thr\""), "lengths"),
        (length.replace("\"thr\"", "\"threshold\""), "threshold"),
        (length.replace("\"stop\": {", "\"stop\": {\"when\": \"all\", "), "when"),
        (length.replace("\"runs\"", "\"run\""), "run"),
        (length.replace("\"bank\": \"eight\"", "\"bank\": \"eight\", \"speed\": 1"), "speed"),
        (length.replace("\"EAP\"", "\"EPA\""), "EPA"),
        (POLYTOMOUS.replace("\"GRM\"", "\"GMR\""), "GMR"),
    ] {
        let error = check::check(&of).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    let beyond = POLYTOMOUS.replace("estimation_poly", "beyond_catR");
    assert!(check::check(&beyond).unwrap().iter().all(|group| group.failures.is_empty()));
}

#[test]
fn a_thousand_simulated_exams_are_those_of_the_reference() {
    let items = TCALS.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse().unwrap();
        Item::logistic(number(1), number(2), number(3), number(4))
    });
    let bank = Arc::new(Bank::new(1.0, items.collect()).unwrap());
    let (mut exams, mut worst) = (0, 0.0_f64);
    for (answers, expected) in ANSWERS.lines().zip(EXPECTED.lines().skip(1)) {
        let answers: Vec<u8> = answers.bytes().map(|byte| byte - b'0').collect();
        let expected: Vec<&str> = expected.split(',').collect();
        let exam = sit(&bank, Policy::cat_r(20), &answers);
        let items: Vec<String> = exam.steps().iter().map(|step| step.item.to_string()).collect();
        assert_eq!(items.join(" "), expected[3], "simulee {}", expected[0]);
        let theta = (exam.ability().theta - expected[1].parse::<f64>().unwrap()).abs();
        let error = (exam.ability().standard_error.unwrap() - expected[2].parse::<f64>().unwrap()).abs();
        assert!(theta <= CLOSE && error <= CLOSE, "simulee {}: {:?}", expected[0], exam.ability());
        assert_eq!(exam.result().ability, exam.ability(), "the same estimator, the same bits");
        worst = worst.max(theta).max(error);
        exams += 1;
    }
    println!("tcals: {exams} exams, identical items, largest deviation {worst:e}");
    assert_eq!(exams, 1000);
}

/// The service this one replaces got each of these wrong.
#[test]
fn measures_what_its_predecessor_did_not() {
    let item = Item::logistic(1.0, 0.0, 0.2, 1.0);
    let bank = Arc::new(Bank::new(1.0, vec![item; 40]).unwrap());
    let curve = &bank.curves()[0];
    let answers = [1, 1, 0, 1].map(|category| (curve, category));
    let theta = Estimator::default().estimate(&answers).ability.theta;
    assert!((0.25..0.31).contains(&theta), "right, right, wrong, right: {theta}");

    let mut exam = Exam::new(bank, Policy::default(), 0);
    exam.apply(&Event::Started(exam.decide_start(&Outside::default()))).unwrap();
    let first = exam.decide_answer(0, 1, &Outside::default()).unwrap();
    assert_eq!(first.next, Next::Item(1), "one right answer does not end an exam");
    assert!(first.ability.theta < 1.0, "nor does it say much: {:?}", first.ability);
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let item = Item::logistic(1.0, 0.0, 0.0, 1.0);
    let bank = Arc::new(Bank::new(1.0, vec![item; 3]).unwrap());
    let mut exam = Exam::new(bank, Policy::default(), 0);
    let ability = exam.ability();
    let answered = |item, category, next| {
        let constrained = Constrained::default();
        Event::Answered(Answered { item, category, missing: false, ability, next, constrained })
    };
    let started = |item| {
        let constrained = Constrained::default();
        Event::Started(Started { next: Next::Item(item), ability, constrained })
    };
    assert!(exam.apply(&answered(0, 1, Next::Item(1))).is_err(), "before the start");
    assert!(exam.apply(&started(3)).is_err(), "no such item");
    exam.apply(&started(0)).unwrap();
    assert!(exam.apply(&started(1)).is_err(), "twice");
    assert!(exam.apply(&answered(1, 1, Next::Item(2))).is_err(), "not on the screen");
    assert!(exam.apply(&answered(0, 2, Next::Item(1))).is_err(), "no such category");
    assert!(exam.apply(&answered(0, 1, Next::Item(0))).is_err(), "used");
    exam.apply(&answered(0, 1, Next::Item(2))).unwrap();
    assert_eq!((exam.items_completed(), exam.current_item()), (1, Some(2)));
}

#[test]
fn every_fault_of_a_bank_is_named() {
    let items = vec![
        Item::logistic(1.0, 0.0, 0.0, 1.0),
        Item::logistic(0.0, 0.0, 0.0, 1.0),
        Item::logistic(1.0, f64::NAN, 0.0, 1.0),
        Item::logistic(1.0, 0.0, 0.5, 0.5),
        Item::logistic(f64::INFINITY, 0.0, 0.0, 1.1),
        Item::Graded { a: 1.0, b: vec![0.0, 0.0] },
        Item::ModifiedGraded { a: 1.0, b: 0.0, c: vec![0.0, 1.0] },
        Item::PartialCredit { delta: vec![] },
        Item::Nominal { alpha: vec![1.0], c: vec![0.0, 0.0] },
        Item::RatingScale { lambda: 0.0, delta: vec![0.5, -0.5] },
    ];
    let rows: Vec<usize> = Bank::new(0.0, items).unwrap_err().into_iter().map(|fault| fault.row).collect();
    assert_eq!(rows, [1, 2, 3, 4, 4, 5, 6, 7, 8, 10]);
    assert!(Bank::new(1.0, vec![]).is_err());
}

/// A rule sees the answers of the exam it is to end, and a policy read again is the policy written.
#[test]
fn every_rule_works_inside_an_exam_and_survives_storage() {
    let items = (0..60).map(|item| Item::logistic(2.5, f64::from(item) * 0.05 - 1.5, 0.0, 1.0));
    let bank = Arc::new(Bank::new(1.0, items.collect()).unwrap());
    let with = |rules| Policy {
        stop: Stop { max_items: 40, min_items: 5, rules, ..Stop::default() },
        ..Policy::default()
    };
    let sprt = with(vec![Rule::Sprt { cuts: vec![-1.0], delta: 0.2, alpha: 0.05, beta: 0.05 }]);
    let exam = sit(&bank, sprt.clone(), &[1; 60]);
    assert_eq!(exam.end(), Some(EndReason::Classified), "after {} answers", exam.items_completed());
    for policy in [sprt, with(vec![]), Policy::default(), Policy::cat_r(20)] {
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
    }
}

#[test]
fn policies_that_cannot_be_are_named() {
    let grid = Grid { from: -4.0, to: 4.0, nodes: 0 };
    let outside = Prior::Uniform { from: 7.0, to: 8.0 };
    let broken = [
        Policy { while_constant: Some(WhileConstant::Step(f64::NAN)), ..Policy::default() },
        Policy {
            while_constant: Some(WhileConstant::Estimator(Estimator::Eap { prior: Prior::default(), grid })),
            ..Policy::default()
        },
        Policy { estimator: Estimator::Map { prior: outside, range: Range::default() }, ..Policy::default() },
        Policy {
            final_estimator: Some(Estimator::Wl { range: Range { from: 1.0, to: 1.0 } }),
            ..Policy::default()
        },
        Policy {
            selection: Selection::PosteriorWeighted { prior: outside, grid: Grid::CAT_R },
            ..Policy::default()
        },
        Policy { selection: Selection::AStratified { strata: 0 }, ..Policy::default() },
        Policy { selection: Selection::Progressive { acceleration: f64::INFINITY }, ..Policy::default() },
        Policy { stop: Stop { max_items: 0, ..Stop::default() }, ..Policy::default() },
    ];
    for policy in broken {
        assert_eq!(policy.faults().len(), 1, "{policy:?}");
    }
    assert!(Policy::default().faults().is_empty() && Policy::cat_r(20).faults().is_empty());
    assert!(Bank::new(1.0, vec![Item::logistic(1e308, 0.0, 0.0, 1.0)]).is_err());
}
