//! Properties that hold for every item, every answer and every exam.

use engine::item::MAX_CATEGORIES;
use engine::{
    Bank, Curve, Estimator, Event, Exam, Formula, Grid, Item, Outside, Policy, Posterior, Prior, Range,
    Selection, Situation,
};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

fn logistic() -> impl Strategy<Value = Item> {
    (0.05..10.0, -10.0..10.0, 0.0..0.5, 0.6..=1.0, any::<bool>(), any::<bool>()).prop_map(
        |(a, b, c, d, guess, slip)| {
            Item::logistic(a, b, if guess { c } else { 0.0 }, if slip { d } else { 1.0 })
        },
    )
}

fn rising(steps: Vec<f64>) -> Vec<f64> {
    steps
        .into_iter()
        .scan(-2.0, |at, step| {
            *at += step;
            Some(*at)
        })
        .collect()
}

fn polytomous() -> impl Strategy<Value = Item> {
    let steps = || prop::collection::vec(0.05..1.5, 1..6);
    let any_steps = || prop::collection::vec(-3.0..3.0, 1..6);
    prop_oneof![
        (0.2..3.0, steps()).prop_map(|(a, steps)| Item::Graded { a, b: rising(steps) }),
        (0.2..3.0, -2.0..2.0, steps()).prop_map(|(a, b, steps)| {
            let c = rising(steps).into_iter().map(|step| -step).collect();
            Item::ModifiedGraded { a, b, c }
        }),
        (0.2..3.0, any_steps()).prop_map(|(a, delta)| Item::GeneralizedPartialCredit { a, delta }),
        any_steps().prop_map(|delta| Item::PartialCredit { delta }),
        (-2.0..2.0, any_steps()).prop_map(|(lambda, delta)| Item::RatingScale { lambda, delta }),
        prop::collection::vec((-2.0..2.0, -2.0..2.0), 1..6).prop_map(|pairs| {
            let (alpha, c) = pairs.into_iter().unzip();
            Item::Nominal { alpha, c }
        }),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![logistic(), polytomous()]
}

fn close(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * (1.0 + one.abs().max(other.abs()))
}

proptest! {
    #[test]
    fn probabilities_sum_to_one_and_agree_with_their_logarithms(
        item in any_item(), theta in -10.0..10.0, scaling in 0.5..2.0,
    ) {
        let curve = Curve::new(&item, scaling);
        let p = curve.probabilities(theta);
        let count = curve.categories();
        prop_assert!(close(p[..count].iter().sum(), 1.0, 1e-12), "{p:?}");
        for (k, p) in p[..count].iter().enumerate() {
            let log = curve.log_probability(theta, k);
            prop_assert!(log.is_finite() && (0.0..=1.0).contains(p), "{log} {p}");
            prop_assert!(close(libm::exp(log), *p, 1e-12), "{k}: {log} {p}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_probabilities(item in any_item(), theta in -4.0..4.0) {
        let curve = Curve::new(&item, 1.0);
        let h = 1e-4;
        let (low, here, high) = (curve.derivatives(theta - h), curve.derivatives(theta), curve.derivatives(theta + h));
        let steep = here.d1.iter().chain(&here.d2).chain(&here.d3).fold(1.0_f64, |most, value| most.max(value.abs()));
        for k in 0..curve.categories() {
            let by_difference = |of: fn(&engine::curve::Derivatives) -> &[f64; MAX_CATEGORIES]| (of(&high)[k] - of(&low)[k]) / (2.0 * h);
            prop_assert!((by_difference(|d| &d.p) - here.d1[k]).abs() < 1e-4 * steep);
            prop_assert!((by_difference(|d| &d.d1) - here.d2[k]).abs() < 1e-4 * steep);
            prop_assert!((by_difference(|d| &d.d2) - here.d3[k]).abs() < 1e-3 * steep * 10.0);
        }
    }

    #[test]
    fn information_is_the_expected_curvature(item in any_item(), theta in -4.0..4.0) {
        let curve = Curve::new(&item, 1.0);
        let (information, h) = (curve.information(theta), 1e-3);
        prop_assert!(information.is_finite() && information >= 0.0);
        let p = curve.probabilities(theta);
        let expected: f64 = (0..curve.categories()).filter(|k| p[*k] > 1e-12).map(|k| {
            let log = |theta: f64| curve.log_probability(theta, k);
            -p[k] * (log(theta + h) - 2.0 * log(theta) + log(theta - h)) / (h * h)
        }).sum();
        prop_assert!((information - expected).abs() < 1e-3 * (1.0 + information), "{information} {expected}");
        let all = curve.derivatives(theta);
        prop_assert!(close(information, all.information(), 1e-9));
        let (slope, bend) = all.information_slopes();
        if information > 1e-6 && p[..curve.categories()].iter().all(|p| *p > 1e-6) {
            let (low, high) = (curve.information(theta - h), curve.information(theta + h));
            prop_assert!((slope - (high - low) / (2.0 * h)).abs() < 1e-2 * (1.0 + slope.abs()));
            let curvature = (high - 2.0 * information + low) / (h * h);
            prop_assert!((bend - curvature).abs() < 5e-2 * (1.0 + bend.abs()), "{bend} {curvature}");
        }
    }

    #[test]
    fn nothing_is_ever_not_a_number(item in any_item(), theta in -10.0..10.0, scaling in 0.5..2.0) {
        let curve = Curve::new(&item, scaling);
        let all = curve.derivatives(theta);
        for value in [curve.information(theta), all.bias_term(), all.information_slopes().0, curve.expected_category(theta)] {
            prop_assert!(value.is_finite(), "{all:?}");
        }
    }

    #[test]
    fn the_most_informative_item_is_found(
        items in prop::collection::vec(any_item(), 1..40),
        closed in prop::collection::vec(any::<bool>(), 40),
        theta in -7.0..7.0,
    ) {
        let bank = Bank::new(1.0, items).unwrap();
        let open: Vec<bool> = closed[..bank.len()].iter().map(|closed| !closed).collect();
        let found = engine::select::maximum_information(&bank, theta, &open);
        let mut best: Option<(usize, f64)> = None;
        for (index, curve) in bank.curves().iter().enumerate().filter(|(index, _)| open[*index]) {
            let information = curve.information(theta);
            if best.is_none_or(|(_, most)| information > most) {
                best = Some((index, information));
            }
        }
        prop_assert_eq!(found, best.map(|(index, _)| index));
    }

    #[test]
    fn replay_gives_the_same_bits(
        items in prop::collection::vec(any_item(), 2..40),
        answers in prop::collection::vec(0_usize..MAX_CATEGORIES, 40),
        which in 0_usize..4,
    ) {
        let bank = Arc::new(Bank::new(1.0, items).unwrap());
        let selections = [
            Selection::MaximumInformation,
            Selection::Random,
            Selection::Progressive { acceleration: 1.0 },
            Selection::Proportional { acceleration: 2.0 },
        ];
        let policy = Policy {
            stop: engine::Stop { max_items: 30, rules: vec![engine::Rule::StandardError { at_most: 0.1 }], ..engine::Stop::default() },
            selection: selections[which],
            ..Policy::default()
        };
        let mut exam = Exam::new(Arc::clone(&bank), policy.clone(), 7);
        let mut events = vec![Event::Started(exam.decide_start(&Outside::default()))];
        exam.apply(&events[0]).unwrap();
        let mut seen = HashSet::new();
        while let Some(item) = exam.current_item() {
            prop_assert!(seen.insert(item), "item {} came twice", item);
            let category = u8::try_from(answers[item] % bank.curves()[item].categories()).unwrap();
            let decided = exam.decide_answer(item, category, &Outside::default()).unwrap();
            let answered = Event::Answered(decided.clone());
            exam.apply(&answered).unwrap();
            prop_assert_eq!(exam.ability(), decided.ability, "decided and applied");
            events.push(answered);
        }
        let text = serde_json::to_string(&events).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        let mut replay = Exam::new(bank, policy, 7);
        for event in &read {
            if let (Event::Answered(answered), Some(_)) = (event, replay.current_item()) {
                prop_assert_eq!(&replay.decide_answer(answered.item, answered.category, &Outside::default()).unwrap(), answered);
            }
            replay.apply(event).unwrap();
        }
        let bits = |exam: &Exam| -> Vec<(u64, Option<u64>)> {
            let of = |ability: engine::Ability| (ability.theta.to_bits(), ability.standard_error.map(f64::to_bits));
            exam.steps().iter().map(|step| of(step.ability)).collect()
        };
        prop_assert_eq!(bits(&exam), bits(&replay));
        prop_assert_eq!(exam.end(), replay.end());
    }
}

fn few_items() -> impl Strategy<Value = Vec<(Item, usize)>> {
    let graded = (0.3..2.5, -3.0..3.0, 0.0..0.3).prop_map(|(a, b, c)| Item::logistic(a, b, c, 1.0));
    let item = prop_oneof![3 => graded, 1 => polytomous()];
    prop::collection::vec((item, 0_usize..MAX_CATEGORIES), 1..40)
}

fn curves(items: &[(Item, usize)]) -> Vec<(Curve, usize)> {
    let ready = |(item, category): &(Item, usize)| {
        let curve = Curve::new(item, 1.0);
        let category = category % curve.categories();
        (curve, category)
    };
    items.iter().map(ready).collect()
}

proptest! {
    // Each case looks at the whole likelihood.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn eap_is_the_mean_of_the_posterior(items in few_items()) {
        let curves = curves(&items);
        let mut posterior = Posterior::new(Prior::default(), Grid::default());
        curves.iter().for_each(|(curve, category)| posterior.observe(curve, *category));
        let ability = posterior.ability();
        let log = |theta: f64| -> f64 {
            curves.iter().map(|(curve, category)| curve.log_probability(theta, *category)).sum::<f64>() - 0.5 * theta * theta
        };
        let peak = Grid { from: -6.0, to: 6.0, nodes: 1201 }.iter().map(log).fold(f64::NEG_INFINITY, f64::max);
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        for theta in (Grid { from: -6.0, to: 6.0, nodes: 12_001 }).iter() {
            let weight = libm::exp(log(theta) - peak);
            mass += weight;
            first += weight * theta;
            second += weight * theta * theta;
        }
        let theta = first / mass;
        prop_assert!((ability.theta - theta).abs() < 1e-4, "{ability:?} {theta}");
        let sd = libm::sqrt(second / mass - theta * theta);
        prop_assert!((ability.standard_error.unwrap() - sd).abs() < 1e-4, "{ability:?} {sd}");
    }

    #[test]
    fn modes_are_the_highest_points(items in few_items()) {
        let curves = curves(&items);
        let answers: Vec<(&Curve, usize)> = curves.iter().map(|(curve, category)| (curve, *category)).collect();
        let range = Range { from: -5.0, to: 5.0 };
        let likelihood = |theta: f64| engine::estimate::log_likelihood(&answers, theta);
        let prior = Prior::Normal { mean: 0.2, sd: 1.1 };
        let posterior = |theta: f64| likelihood(theta) + prior.log_density(theta);
        let highest = |of: &dyn Fn(f64) -> f64| Grid { from: -5.0, to: 5.0, nodes: 2001 }.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        let ml = Estimator::Ml { range }.estimate(&answers);
        prop_assert!(likelihood(ml.ability.theta) >= highest(&likelihood) - 1e-9, "{ml:?}");
        prop_assert_eq!(ml.is_bounded, ml.ability.theta.abs() == 5.0);
        prop_assert_eq!(ml.formula, Formula::Information);
        let map = Estimator::Map { prior, range }.estimate(&answers);
        prop_assert!(posterior(map.ability.theta) >= highest(&posterior) - 1e-9, "{map:?}");
        let wl = Estimator::Wl { range }.estimate(&answers);
        if !wl.is_bounded {
            let slope = |theta: f64| {
                let (mut score, mut information, mut bias) = (0.0, 0.0, 0.0);
                for (curve, category) in &answers {
                    let all = curve.derivatives(theta);
                    score += all.d1[*category] / all.p[*category];
                    information += all.information();
                    bias += all.bias_term();
                }
                score + bias / (2.0 * information)
            };
            prop_assert!(slope(wl.ability.theta).abs() < 1e-6, "Warm's equation at {wl:?}");
        }
    }

    #[test]
    fn every_criterion_chooses_an_open_item(
        items in prop::collection::vec(any_item(), 5..30),
        answered in prop::collection::vec(0_usize..MAX_CATEGORIES, 4),
        theta in -3.0..3.0,
    ) {
        let bank = Bank::new(1.0, items).unwrap();
        let mut open = vec![true; bank.len()];
        open[..4].fill(false);
        let answers: Vec<(&Curve, usize)> =
            bank.curves().iter().zip(&answered).map(|(curve, category)| (curve, category % curve.categories())).collect();
        let ability = engine::Ability { theta, standard_error: Some(0.5) };
        let (grid, prior) = (Grid::CAT_R, Prior::default());
        let criteria = [
            Selection::MaximumInformation, Selection::Difficulty, Selection::Peak, Selection::Random,
            Selection::LikelihoodWeighted { grid }, Selection::PosteriorWeighted { prior, grid },
            Selection::KullbackLeibler { grid }, Selection::PosteriorKullbackLeibler { prior, grid },
            Selection::GlobalDiscrimination { grid }, Selection::PosteriorGlobalDiscrimination { prior, grid },
            Selection::ExpectedInformation { estimator: Estimator::default(), observed: true },
            Selection::ExpectedPosteriorVariance { prior, grid },
            Selection::Progressive { acceleration: 1.0 }, Selection::Proportional { acceleration: 1.0 },
            Selection::AStratified { strata: 3 },
        ];
        for criterion in criteria {
            let at = Situation { bank: &bank, open: &open, ability, answers: &answers, position: answers.len(), length: 20, seed: 3 };
            let chosen = criterion.choose(&at);
            prop_assert!(chosen.is_some_and(|item| open[item]), "{criterion:?}: {chosen:?}");
            prop_assert_eq!(chosen, criterion.choose(&at), "the same seed and step, the same item");
            let none = vec![false; bank.len()];
            prop_assert_eq!(criterion.choose(&Situation { open: &none, ..at }), None);
        }
    }
}

#[test]
fn two_thousand_aberrant_answers_stay_finite() {
    let mut posterior = Posterior::new(Prior::default(), Grid::default());
    for count in 0..2000 {
        let b = if count % 2 == 0 { 10.0 } else { -10.0 };
        let curve = Curve::new(&Item::logistic(10.0, b, 0.0, 1.0), 1.7);
        posterior.observe(&curve, usize::from(count % 2 == 0));
        let ability = posterior.ability();
        assert!(
            ability.theta.is_finite() && ability.standard_error.unwrap().is_finite(),
            "{count}: {ability:?}"
        );
    }
}
