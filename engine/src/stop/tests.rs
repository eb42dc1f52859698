//! Each stop rule alone, and rules combined.

use super::*;
use crate::curve::Curve;
use crate::item::Item;

fn ability(theta: f64, error: f64) -> Ability {
    Ability { theta, standard_error: Some(error) }
}

fn reason(
    stop: &Stop,
    position: usize,
    now: Ability,
    before: Ability,
    answers: &Answers<'_>,
    most: f64,
) -> Option<EndReason> {
    stop.reason(&Progress {
        position,
        scored: position,
        told: true,
        elapsed: 0.0,
        ability: now,
        before,
        answers,
        most_information: &|| most,
    })
}

fn stop(rules: Vec<Rule>, when: When) -> Stop {
    Stop { max_items: 30, max_seconds: None, min_items: 3, rules, when }
}

#[test]
fn each_rule_ends_at_its_threshold_and_not_before() {
    let before = ability(0.5, 0.40);
    let table = [
        (
            Rule::StandardError { at_most: 0.3 },
            ability(0.5, 0.30),
            ability(0.5, 0.301),
            EndReason::StandardError,
        ),
        (
            Rule::StandardErrorChange { at_most: 0.01 },
            ability(9.0, 0.395),
            ability(0.5, 0.38),
            EndReason::StandardErrorChange,
        ),
        (
            Rule::ThetaChange { at_most: 0.01 },
            ability(0.495, 0.9),
            ability(0.48, 0.9),
            EndReason::ThetaChange,
        ),
        (
            Rule::Interval { cuts: vec![0.0, 2.0], confidence: 0.95 },
            ability(1.0, 0.5),
            ability(1.0, 0.52),
            EndReason::Classified,
        ),
    ];
    for (rule, yes, no, expected) in table {
        let stop = stop(vec![rule.clone()], When::Any);
        assert_eq!(reason(&stop, 5, yes, before, &[], 1.0), Some(expected), "{rule:?}");
        assert_eq!(reason(&stop, 5, no, before, &[], 1.0), None, "{rule:?}");
        assert_eq!(reason(&stop, 2, yes, before, &[], 1.0), None, "{rule:?}: below the minimum length");
        assert_eq!(reason(&stop, 30, no, before, &[], 1.0), Some(EndReason::MaxItems));
    }
    let bank_is_dry = stop(vec![Rule::MinimumInformation { at_most: 0.2 }], When::Any);
    assert_eq!(reason(&bank_is_dry, 5, before, before, &[], 0.2), Some(EndReason::MinimumInformation));
    assert_eq!(reason(&bank_is_dry, 5, before, before, &[], 0.21), None);
}

#[test]
fn the_probability_ratio_decides_when_the_answers_do() {
    let curve = Curve::new(&Item::logistic(1.5, 0.0, 0.0, 1.0), 1.0);
    let rule = Rule::Sprt { cuts: vec![0.0], delta: 0.3, alpha: 0.05, beta: 0.05 };
    let stop = stop(vec![rule], When::Any);
    assert!(stop.reads_answers());
    let at = ability(0.0, 1.0);
    // Each right answer on this item adds log(P(0.3) / P(-0.3)) = 0.45; the bound is log 19 = 2.944.
    let right: Vec<(&Curve, usize)> = vec![(&curve, 1); 7];
    assert_eq!(reason(&stop, 6, at, at, &right[..6], 1.0), None);
    assert_eq!(reason(&stop, 7, at, at, &right, 1.0), Some(EndReason::Classified));
    let mixed: Vec<(&Curve, usize)> = (0..20).map(|n| (&curve, n % 2)).collect();
    assert_eq!(reason(&stop, 20, at, at, &mixed, 1.0), None);
}

#[test]
fn rules_together() {
    let rules = vec![Rule::StandardError { at_most: 0.3 }, Rule::ThetaChange { at_most: 0.05 }];
    let (any, all) = (stop(rules.clone(), When::Any), stop(rules, When::All));
    let (precise, settled) = (ability(0.2, 0.25), ability(0.5, 0.5));
    let before = ability(0.5, 0.6);
    assert_eq!(reason(&any, 5, precise, before, &[], 1.0), Some(EndReason::StandardError));
    assert_eq!(reason(&any, 5, settled, before, &[], 1.0), Some(EndReason::ThetaChange));
    assert_eq!(reason(&all, 5, precise, before, &[], 1.0), None);
    assert_eq!(reason(&all, 5, ability(0.5, 0.2), before, &[], 1.0), Some(EndReason::AllRules));
    assert_eq!(reason(&stop(vec![], When::All), 5, precise, before, &[], 1.0), None, "no rule ends nothing");
}

#[test]
fn rules_that_cannot_be_are_named() {
    let rules = vec![
        Rule::StandardError { at_most: 0.0 },
        Rule::Interval { cuts: vec![], confidence: 0.9 },
        Rule::Interval { cuts: vec![0.0], confidence: 95.0 },
        Rule::Sprt { cuts: vec![0.0], delta: 0.3, alpha: 0.0, beta: 0.1 },
        Rule::ThetaChange { at_most: 0.1 },
    ];
    assert_eq!(Stop { max_items: 0, rules, ..Stop::default() }.faults().len(), 5);
}

#[test]
fn quantiles_are_those_of_the_tables() {
    for (probability, z) in [(0.975, 1.959_963_984_540_054), (0.5, 0.0), (0.05, -1.644_853_626_951_472_7)] {
        assert!((normal_quantile(probability) - z).abs() < 1e-12, "{probability}");
    }
}
