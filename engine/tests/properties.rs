//! What holds for every item, every answer and every exam.

use engine::{Bank, Event, Exam, Grid, Item, Policy, Posterior, Prior};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

fn item() -> impl Strategy<Value = Item> {
    (0.05..10.0, -10.0..10.0, 0.0..0.5, 0.6..=1.0, any::<bool>(), any::<bool>()).prop_map(
        |(a, b, c, d, guess, slip)| Item {
            a,
            b,
            c: if guess { c } else { 0.0 },
            d: if slip { d } else { 1.0 },
        },
    )
}

proptest! {
    #[test]
    fn probabilities_and_information_are_sound(item in item(), theta in -10.0..10.0, scaling in 0.5..2.0) {
        let p = item.probability(scaling, theta);
        prop_assert!((item.c..=item.d).contains(&p));
        let information = item.information(scaling, theta);
        prop_assert!(information.is_finite() && information >= 0.0);
        for category in [0, 1] {
            prop_assert!(item.log_likelihood(scaling, theta, category).is_finite());
        }
        // P'^2 / (P Q) by differences, where they can be taken.
        let (h, q) = (1e-5, 1.0 - p);
        if p.min(q) > 1e-3 {
            let slope = (item.probability(scaling, theta + h) - item.probability(scaling, theta - h)) / (2.0 * h);
            let numeric = slope * slope / (p * q);
            prop_assert!((information - numeric).abs() <= 1e-5 * (1.0 + numeric), "{information} {numeric}");
        }
    }

    #[test]
    fn replay_gives_the_same_bits(
        items in prop::collection::vec(item(), 2..60),
        answers in prop::collection::vec(0_u8..2, 60),
    ) {
        let bank = Arc::new(Bank::new(1.0, items).unwrap());
        let policy = Policy { max_items: 40, target_standard_error: Some(0.1), ..Policy::default() };
        let mut exam = Exam::new(Arc::clone(&bank), policy.clone(), 7);
        let mut events = vec![Event::Started(exam.decide_start())];
        exam.apply(&events[0]).unwrap();
        let mut seen = HashSet::new();
        while let Some(item) = exam.current_item() {
            prop_assert!(seen.insert(item), "item {} came twice", item);
            let answered = Event::Answered(exam.decide_answer(item, answers[item]).unwrap());
            exam.apply(&answered).unwrap();
            events.push(answered);
        }
        let text = serde_json::to_string(&events).unwrap();
        let read: Vec<Event> = serde_json::from_str(&text).unwrap();
        let mut replay = Exam::new(bank, policy, 7);
        read.iter().for_each(|event| replay.apply(event).unwrap());
        let bits = |exam: &Exam| -> Vec<(u64, u64)> {
            let of = |ability: engine::Ability| (ability.theta.to_bits(), ability.standard_error.to_bits());
            exam.steps().iter().map(|step| of(step.ability)).collect()
        };
        prop_assert_eq!(bits(&exam), bits(&replay));
        prop_assert_eq!(exam.end(), replay.end());
    }

}

proptest! {
    // Each case integrates over 24,001 nodes.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn eap_is_the_mean_of_the_posterior(
        items in prop::collection::vec((0.3..2.5, -3.0..3.0, 0.0..0.3), 1..40),
        answers in prop::collection::vec(0_u8..2, 40),
    ) {
        let items: Vec<Item> =
            items.into_iter().map(|(a, b, c)| Item { a, b, c, d: 1.0 }).collect();
        let mut posterior = Posterior::new(Prior::default(), Grid::default());
        for (item, answer) in items.iter().zip(&answers) {
            posterior.observe(item, 1.0, *answer);
        }
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        for step in -12_000..=12_000 {
            let theta = f64::from(step) / 2000.0;
            let likelihood: f64 = items.iter().zip(&answers).map(|(item, answer)| {
                let p = item.probability(1.0, theta);
                if *answer == 1 { p } else { 1.0 - p }
            }).product();
            let weight = likelihood * libm::exp(-0.5 * theta * theta);
            mass += weight;
            first += weight * theta;
            second += weight * theta * theta;
        }
        let (theta, ability) = (first / mass, posterior.ability());
        prop_assert!((ability.theta - theta).abs() < 1e-5, "{ability:?} {theta}");
        let sd = libm::sqrt(second / mass - theta * theta);
        prop_assert!((ability.standard_error - sd).abs() < 1e-5, "{ability:?} {sd}");
    }
}

#[test]
fn two_thousand_aberrant_answers_stay_finite() {
    let mut posterior = Posterior::new(Prior::default(), Grid::default());
    for count in 0..2000 {
        let b = if count % 2 == 0 { 10.0 } else { -10.0 };
        posterior.observe(&Item { a: 10.0, b, c: 0.0, d: 1.0 }, 1.7, u8::from(count % 2 == 0));
        let ability = posterior.ability();
        assert!(ability.theta.is_finite() && ability.standard_error.is_finite(), "{count}: {ability:?}");
    }
}
