//! Estimates and choices in hard cases: several roots, narrow posteriors, missing answers.
//!
//! Input: seeded banks and answers. Output: comparisons with sums written out here, independent of the engine's. Must
//! not know: reference files.

#![expect(clippy::unwrap_used, reason = "a test file; the banks are good")]

use engine::random::Random;
use engine::{
    Ability, Bank, Curve, Estimator, Event, Exam, Given, Grid, Item, Outside, Policy, Prior, Range, Rule,
    Selection, Situation, Stop,
};
use std::sync::Arc;

/// Parameters of a 3PL item: a, b, c.
type Parameters = (f64, f64, f64);

fn items(count: usize, random: &mut Random, a: (f64, f64), c: f64) -> Vec<Parameters> {
    (0..count)
        .map(|_| (a.0 + (a.1 - a.0) * random.unit(), 6.0 * random.unit() - 3.0, c * random.unit()))
        .collect()
}

fn bank(items: &[Parameters]) -> Arc<Bank> {
    let items = items.iter().map(|(a, b, c)| Item::logistic(*a, *b, *c, 1.0)).collect();
    Arc::new(Bank::new(1.0, items).unwrap())
}

fn probability((a, b, c): Parameters, theta: f64) -> f64 {
    c + (1.0 - c) / (1.0 + libm::exp(-a * (theta - b)))
}

/// Score, information and Warm's J of 3PL answers, from the closed forms of the derivatives.
fn warm(items: &[Parameters], answers: &[usize], theta: f64) -> (f64, f64, f64) {
    let (mut score, mut information, mut bias) = (0.0, 0.0, 0.0);
    for ((a, b, c), answer) in items.iter().zip(answers) {
        let logistic = 1.0 / (1.0 + libm::exp(-a * (theta - b)));
        let p = c + (1.0 - c) * logistic;
        let first = (1.0 - c) * a * logistic * (1.0 - logistic);
        let second = first * a * (1.0 - 2.0 * logistic);
        score += (*answer as f64 - p) * first / (p * (1.0 - p));
        information += first * first / (p * (1.0 - p));
        bias += first * second / (p * (1.0 - p));
    }
    (score, information, bias)
}

/// Every maximum of the weighted likelihood inside a range, with its logarithm, by steps of 0.002.
fn weighted_maxima(items: &[Parameters], answers: &[usize], range: Range) -> Vec<(f64, f64)> {
    let step = 0.002;
    let slope = |theta: f64| {
        let (score, information, bias) = warm(items, answers, theta);
        score + bias / (2.0 * information)
    };
    let (mut theta, mut height, mut found) = (range.from, 0.0, Vec::new());
    while theta < range.to - step / 2.0 {
        let (here, there) = (slope(theta), slope(theta + step));
        if here > 0.0 && there <= 0.0 {
            found.push((theta + step / 2.0, height));
        }
        height += step * (here + there) / 2.0;
        theta += step;
    }
    found
}

#[test]
fn weighted_likelihood_takes_the_root_with_the_largest_weighted_likelihood_and_a_bound_only_without_one() {
    let range = Range { from: -4.0, to: 4.0 };
    let (mut with_several, mut without) = (0, 0);
    for seed in 0..400 {
        let mut random = Random::of(seed, 0);
        let items = items(3 + random.below(8), &mut random, (0.8, 3.0), 0.35);
        let answers: Vec<usize> = items.iter().map(|_| random.below(2)).collect();
        let of_bank = bank(&items);
        let given: Vec<(&Curve, usize)> = of_bank.curves().iter().zip(answers.iter().copied()).collect();
        let found = Estimator::Wl { range }.estimate(&given);
        let mut maxima = weighted_maxima(&items, &answers, range);
        // Two maxima as high as each other: either is right.
        maxima.sort_by(|one, other| other.1.total_cmp(&one.1));
        if let [first, second, ..] = maxima.as_slice()
            && first.1 - second.1 < 1e-3
        {
            continue;
        }
        with_several += usize::from(maxima.len() > 1);
        match maxima.first() {
            Some((theta, _)) => {
                assert!(
                    !found.is_bounded && (found.ability.theta - theta).abs() < 0.01,
                    "{seed}: {found:?} {maxima:?}"
                );
            }
            None => {
                without += 1;
                assert!(found.is_bounded, "{seed}: {found:?}");
            }
        }
    }
    assert!(with_several >= 5 && without >= 2, "{with_several} with several roots, {without} without one");
}

/// The variance of the curve under the likelihood, every node alike (catR); and by the trapezoid rule.
fn discrimination(items: &[Parameters], administered: &[usize], answers: &[usize], item: usize) -> [f64; 2] {
    let nodes: Vec<f64> = Grid::CAT_R.iter().collect();
    let mut weights: Vec<f64> = nodes
        .iter()
        .map(|theta| {
            administered.iter().zip(answers).fold(1.0, |product, (item, answer)| {
                let p = probability(items[*item], *theta);
                product * if *answer == 1 { p } else { 1.0 - p }
            })
        })
        .collect();
    let variance = |weights: &[f64]| {
        let mass: f64 = weights.iter().sum();
        let p = |theta: &f64| probability(items[item], *theta);
        let mean = nodes.iter().zip(weights).map(|(theta, weight)| weight * p(theta)).sum::<f64>() / mass;
        nodes.iter().zip(weights).map(|(theta, weight)| weight * (p(theta) - mean).powi(2)).sum::<f64>()
            / mass
    };
    let alike = variance(&weights);
    weights[0] /= 2.0;
    weights[32] /= 2.0;
    [alike, variance(&weights)]
}

#[test]
fn global_discrimination_weighs_every_node_alike() {
    let mut the_end_nodes_decide = 0;
    for seed in 0..300 {
        let mut random = Random::of(seed, 1);
        let items = items(60, &mut random, (0.5, 2.5), 0.25);
        let administered: Vec<usize> = (0..1 + random.below(4)).collect();
        // Answers that pull to an end of the grid.
        let answers = vec![usize::from(random.unit() < 0.5); administered.len()];
        let of_bank = bank(&items);
        let mut open = vec![true; items.len()];
        administered.iter().for_each(|item| open[*item] = false);
        let given: Vec<(&Curve, usize)> =
            administered.iter().map(|item| &of_bank.curves()[*item]).zip(answers.iter().copied()).collect();
        let situation = Situation {
            bank: &of_bank,
            open: &open,
            ability: Ability { theta: 0.0, standard_error: None },
            answers: &given,
            position: given.len(),
            length: 60,
            seed: 0,
        };
        let chosen = Selection::GlobalDiscrimination { grid: Grid::CAT_R }.choose(&situation);
        let values: Vec<(usize, [f64; 2])> = (administered.len()..items.len())
            .map(|item| (item, discrimination(&items, &administered, &answers, item)))
            .collect();
        let best =
            |by: usize| values.iter().max_by(|one, other| one.1[by].total_cmp(&other.1[by])).unwrap().0;
        assert_eq!(chosen, Some(best(0)), "seed {seed}");
        the_end_nodes_decide += usize::from(best(0) != best(1));
    }
    assert!(the_end_nodes_decide >= 3, "only {the_end_nodes_decide} cases depend on the weights of the ends");
}

/// Share of examinees whose true ability is within 1.96 standard errors, and exams with a standard error below the
/// node spacing, after 20 items with a from 8 to 12.
fn coverage(estimator: Estimator) -> (f64, usize) {
    let mut random = Random::of(20_261_127, 0);
    let of_bank = bank(&items(300, &mut random, (8.0, 12.0), 0.0));
    let policy = Policy { estimator, stop: Stop::at_length(20), ..Policy::default() };
    let examinees = 400;
    let (mut covered, mut coarse) = (0, 0);
    for seed in 0..examinees {
        let mut random = Random::of(seed, 2);
        let truth = random.normal();
        let mut exam = Exam::new(Arc::clone(&of_bank), policy.clone(), seed);
        exam.apply(&Event::Started(exam.decide_start(&Outside::default()))).unwrap();
        while let Some(item) = exam.current_item() {
            let right = random.unit() < of_bank.curves()[item].probabilities(truth)[1];
            let answered = exam.decide_answer(item, u8::from(right), &Outside::default()).unwrap();
            exam.apply(&Event::Answered(answered)).unwrap();
        }
        let ability = exam.ability();
        covered += usize::from((ability.theta - truth).abs() <= 1.96 * ability.standard_error.unwrap());
        coarse += usize::from(estimator.is_too_coarse_for(ability));
    }
    (covered as f64 / examinees as f64, coarse)
}

#[test]
fn intervals_cover_with_adaptive_quadrature_and_a_coarse_grid_is_told() {
    let (fixed, coarse) = coverage(Estimator::Eap { prior: Prior::default(), grid: Grid::CAT_R });
    let (adaptive, never) =
        coverage(Estimator::AdaptiveEap { prior: Prior::default(), range: Range::default() });
    println!(
        "coverage of 1.96 standard errors: {fixed} on 33 nodes ({coarse} of 400 flagged), {adaptive} adaptive"
    );
    assert!((0.93..=0.97).contains(&adaptive), "adaptive: {adaptive}");
    assert!(fixed < 0.80, "33 nodes: {fixed}");
    assert!(coarse > 370 && never == 0, "{coarse} flagged on 33 nodes, {never} by adaptive quadrature");
}

#[test]
fn adaptive_quadrature_agrees_with_a_fine_grid_where_the_grid_is_fine_enough() {
    let fine = Grid { from: -6.0, to: 6.0, nodes: 4001 };
    for prior in [Prior::default(), Prior::Uniform { from: -3.0, to: 3.0 }, Prior::Jeffreys] {
        for seed in 0..25 {
            let mut random = Random::of(seed, 3);
            let items = items(1 + random.below(20), &mut random, (0.5, 8.0), 0.0);
            let of_bank = bank(&items);
            let given: Vec<(&Curve, usize)> =
                of_bank.curves().iter().map(|curve| (curve, random.below(2))).collect();
            let expected = Estimator::Eap { prior, grid: fine }.estimate(&given).ability;
            let range = Range { from: -6.0, to: 6.0 };
            let found = Estimator::AdaptiveEap { prior, range }.estimate(&given).ability;
            let off = (found.theta - expected.theta).abs()
                + (found.standard_error.unwrap() - expected.standard_error.unwrap()).abs();
            // The fine grid has no node at the ends of the uniform prior's interval.
            let close = if matches!(prior, Prior::Uniform { .. }) { 5e-3 } else { 1e-4 };
            assert!(off < close, "{prior:?} {seed}: {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn a_target_that_the_grid_cannot_hold_is_refused() {
    let with = |estimator, at_most| Policy {
        estimator,
        stop: Stop { rules: vec![Rule::StandardError { at_most }], ..Stop::default() },
        ..Policy::default()
    };
    let cat_r = Estimator::Eap { prior: Prior::default(), grid: Grid::CAT_R };
    let faults = with(cat_r, 0.2).faults();
    assert!(faults.len() == 1 && faults[0].message.contains("node spacing 0.25"), "{faults:?}");
    let adaptive = Estimator::AdaptiveEap { prior: Prior::default(), range: Range::default() };
    for good in [with(cat_r, 0.25), with(Estimator::default(), 0.2), with(adaptive, 0.01)] {
        assert_eq!(good.faults(), [], "{good:?}");
    }
}

#[test]
fn a_missing_answer_carries_no_information_and_does_not_count_as_scored() {
    let graded = Item::Graded { a: 1.5, b: vec![-1.0, 0.0, 1.0] };
    let of_bank = Arc::new(Bank::new(1.0, vec![graded; 10]).unwrap());
    let policy = Policy { stop: Stop { max_items: 9, ..Stop::default() }, ..Policy::default() };
    let mut exam = Exam::new(Arc::clone(&of_bank), policy.clone(), 0);
    let mut events = vec![Event::Started(exam.decide_start(&Outside::default()))];
    exam.apply(&events[0]).unwrap();
    for _ in 0..8 {
        let item = exam.current_item().unwrap();
        let answered = exam.decide_answer(item, Given::Missing, &Outside::default()).unwrap();
        let event = Event::Answered(answered);
        exam.apply(&event).unwrap();
        events.push(event);
    }
    assert_eq!((exam.items_completed(), exam.items_scored()), (8, 0));
    let prior = Ability { theta: 0.0, standard_error: Some(1.0) };
    assert_eq!((exam.ability(), exam.result().ability), (prior, prior));
    // Stored and read again it is the same; an answer of before has no such field.
    let text = serde_json::to_string(&events[1]).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), events[1]);
    assert_eq!(engine::verify(&of_bank, &policy, 0, &events), Ok(vec![]));
    let item = exam.current_item().unwrap();
    let answered = exam.decide_answer(item, 3, &Outside::default()).unwrap();
    assert!(!serde_json::to_string(&answered).unwrap().contains("missing"));
    exam.apply(&Event::Answered(answered)).unwrap();
    assert!(exam.ability().theta > 0.3 && exam.items_scored() == 1, "{:?}", exam.ability());
}
