//! Constraints on items, and how an exam reports them.

#![expect(clippy::unwrap_used, reason = "a test file; what cannot be set up fails it")]

use engine::constraint::Bounds;
use engine::explain::ChosenBy;
use engine::random::Random;
use engine::{
    Attributes, Bank, Constrained, Constraint, Constraints, Content, Control, Counts, EndReason, Event, Exam,
    Exposure, Item, Next, Outside, Policy, Rule, Selection, Start, Stop, verify,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const AREAS: [&str; 3] = ["algebra", "geometry", "number"];

/// Sixty items, twenty of each area in turn.
fn items() -> Vec<Item> {
    let mut random = Random::of(7, 0);
    let item = |_| Item::logistic(0.6 + 1.4 * random.unit(), 4.0 * random.unit() - 2.0, 0.15, 1.0);
    (0..60).map(item).collect()
}

fn bank(attributes: impl Fn(usize) -> Attributes) -> Arc<Bank> {
    let attributes: Vec<Attributes> = (0..60).map(attributes).collect();
    Arc::new(Bank::new(1.0, items()).unwrap().with_attributes(&attributes).unwrap())
}

fn by_area(item: usize) -> Attributes {
    Attributes { content: Some(AREAS[item % 3].to_owned()), ..Attributes::default() }
}

fn policy(constraints: Constraints) -> Policy {
    Policy { constraints, stop: Stop::at_length(20), ..Policy::default() }
}

/// Sits an exam to its end, answering by a coin that the seed throws, and gives its events too.
fn sit(bank: &Arc<Bank>, policy: &Policy, seed: u64, outside: &Outside<'_>) -> (Exam, Vec<Event>) {
    let mut exam = Exam::new(Arc::clone(bank), policy.clone(), seed);
    let mut events = vec![Event::Started(exam.decide_start(outside))];
    exam.apply(&events[0]).unwrap();
    while let Some(item) = exam.current_item() {
        let category = u8::from(Random::of(seed, 1000 + item).unit() < 0.6);
        let event = Event::Answered(exam.decide_answer(item, category, outside).unwrap());
        exam.apply(&event).unwrap();
        events.push(event);
    }
    (exam, events)
}

fn shown(exam: &Exam) -> Vec<usize> {
    exam.shown().collect()
}

#[test]
fn content_follows_its_shares() {
    let shares = BTreeMap::from([("algebra", 0.5), ("geometry", 0.3), ("number", 0.2)]);
    let shares = shares.into_iter().map(|(name, share)| (name.to_owned(), share)).collect();
    let content = Some(Content::KingsburyZara { shares });
    let policy = policy(Constraints { content, ..Constraints::default() });
    let bank = bank(by_area);
    for seed in 0..20 {
        let (exam, _) = sit(&bank, &policy, seed, &Outside::default());
        let of = |area: usize| shown(&exam).iter().filter(|item| *item % 3 == area).count();
        assert_eq!([of(0), of(1), of(2)], [10, 6, 4], "seed {seed}");
    }
    let unknown = Content::KingsburyZara { shares: BTreeMap::from([("music".to_owned(), 1.0)]) };
    let wrong =
        Policy { constraints: Constraints { content: Some(unknown), ..Constraints::default() }, ..policy };
    let faults = wrong.faults_on(&bank);
    assert!(faults[0].message.contains("\"music\""), "{faults:?}");
}

#[test]
fn penalties_keep_content_within_its_bounds() {
    let bounds = [("algebra", 0.5, 0.6), ("geometry", 0.1, 0.2), ("number", 0.25, 0.35)];
    let bounds: BTreeMap<String, Bounds> =
        bounds.into_iter().map(|(name, from, to)| (name.to_owned(), Bounds { from, to })).collect();
    let bank = bank(by_area);
    let content = Some(Content::WeightedPenalty { bounds: bounds.clone(), weight: 2.0 });
    let balanced = policy(Constraints { content, ..Constraints::default() });
    let free = policy(Constraints::default());
    let mut free_outside = 0;
    for seed in 0..20 {
        let outside = |policy: &Policy| {
            let (exam, _) = sit(&bank, policy, seed, &Outside::default());
            let off = |(area, name): (usize, &&str)| {
                let count = shown(&exam).iter().filter(|item| *item % 3 == area).count();
                let Bounds { from, to } = bounds[*name];
                let share = count as f64 / 20.0;
                usize::from(share < from - 1e-9 || share > to + 1e-9)
            };
            AREAS.iter().enumerate().map(off).sum::<usize>()
        };
        assert_eq!(outside(&balanced), 0, "seed {seed}");
        free_outside += outside(&free);
    }
    assert!(free_outside > 20, "without penalties the bounds should be missed: {free_outside}");
}

#[test]
fn enemies_never_meet_and_sets_stay_together() {
    // Items 0..30 are in sets of five; items 30..60 are enemies in threes.
    let attributes = |item: usize| Attributes {
        set: (item < 30).then(|| format!("passage {}", item / 5)),
        enemies: if item < 30 { Vec::new() } else { vec![format!("trio {}", item / 3)] },
        ..Attributes::default()
    };
    let bank = bank(attributes);
    for items_per_set in [None, Some(3)] {
        let policy = policy(Constraints { items_per_set, ..Constraints::default() });
        for seed in 0..20 {
            let (exam, _) = sit(&bank, &policy, seed, &Outside::default());
            let shown = shown(&exam);
            let groups = |of: fn(usize) -> usize, from: usize, to: usize| {
                let mut groups: Vec<usize> =
                    shown.iter().filter(|item| (from..to).contains(*item)).map(|item| of(*item)).collect();
                groups.dedup();
                groups
            };
            let unique = |mut groups: Vec<usize>| {
                let before = groups.len();
                groups.sort_unstable();
                groups.dedup();
                before == groups.len()
            };
            assert!(unique(groups(|item| item / 5, 0, 30)), "a set was taken up twice: {shown:?}");
            let trios: Vec<usize> = shown.iter().filter(|item| **item >= 30).map(|item| item / 3).collect();
            assert!(unique(trios), "enemies met: {shown:?}");
            let most = items_per_set.unwrap_or(5) as usize;
            for set in 0..6 {
                let given = shown.iter().filter(|item| **item < 30 && **item / 5 == set).count();
                let cut_short = shown.last().is_some_and(|last| *last < 30 && last / 5 == set);
                assert!(given == 0 || given == most || (given < most && cut_short), "{given} of {set}");
            }
        }
    }
}

#[test]
fn what_would_leave_nothing_is_relaxed_and_said() {
    // All items are enemies of each other: after the first, that constraint has to give way.
    let bank = bank(|_| Attributes { enemies: vec!["all".to_owned()], ..Attributes::default() });
    let control = Control::Restricted { rate: 0.1, at_least: 1, price_step: 0.0 };
    let exposure = Some(control);
    let policy = policy(Constraints { exposure, field_test: vec![3], ..Constraints::default() });
    let mut counts = Counts::new(60);
    counts.begin(control, 0);
    (0..60).for_each(|item| counts.give(control, item));
    let outside = Outside { exposure: Exposure::Counts(&counts), ..Outside::default() };
    let (exam, events) = sit(&bank, &policy, 1, &outside);
    assert_eq!(exam.items_completed(), 20, "relaxed, not ended");
    let relaxed = |position: usize| exam.constrained(position).unwrap().relaxed.clone();
    assert_eq!(relaxed(0), [Constraint::Exposure]);
    assert_eq!(relaxed(1), [Constraint::Enemies, Constraint::Exposure]);
    assert_eq!(relaxed(2), [Constraint::FieldTest, Constraint::Enemies, Constraint::Exposure]);
    assert_eq!(exam.constrained(0).unwrap().held_back.len(), 60);
    assert_eq!(verify(&bank, &policy, 1, &events), Ok(vec![]));
}

#[test]
fn tried_out_items_are_not_scored() {
    let bank = bank(|item| Attributes { field_test: item < 6, ..Attributes::default() });
    let constraints = Constraints { field_test: vec![1, 5, 10], ..Constraints::default() };
    // Were an unscored answer taken for a change of nothing, this rule would end the exam with it.
    let rules = vec![Rule::ThetaChange { at_most: 1e-9 }];
    let stop = Stop { rules, min_items: 1, ..Stop::at_length(20) };
    let with = Policy { constraints, stop, ..Policy::default() };
    let (exam, _) = sit(&bank, &with, 3, &Outside::default());
    let tried: Vec<usize> =
        shown(&exam).iter().enumerate().filter(|(_, item)| **item < 6).map(|(at, _)| at + 1).collect();
    assert_eq!((tried, exam.items_completed()), (vec![1, 5, 10], 20));
    assert_eq!(exam.explain(4).unwrap().chosen_by, ChosenBy::FieldTest);
    for (before, step) in exam.steps().iter().zip(&exam.steps()[1..]).filter(|(_, step)| step.item < 6) {
        assert_eq!(before.ability, step.ability, "an unscored answer changes no ability");
    }
    // The same scored answers alone give the same result, to the bit.
    let mut scored = engine::Posterior::new(engine::Prior::default(), engine::Grid::default());
    for step in exam.steps().iter().filter(|step| step.item >= 6) {
        scored.observe(&bank.curves()[step.item], usize::from(step.category));
    }
    assert_eq!(exam.result().ability, exam.ability());
    assert!((scored.ability().theta - exam.ability().theta).abs() < 1e-12);
}

#[test]
fn an_exam_starts_as_told() {
    let bank = bank(by_area);
    let first = |start: Start, seed: u64| {
        let policy = Policy { start, stop: Stop::at_length(4), ..Policy::default() };
        let (exam, events) = sit(&bank, &policy, seed, &Outside::default());
        let Event::Started(started) = &events[0] else { panic!("an exam starts with its start") };
        (shown(&exam), started.ability.theta)
    };
    assert_eq!(first(Start { items: vec![59, 7, 31], ..Start::default() }, 1).0[..3], [59, 7, 31]);
    let best = first(Start::default(), 1).0[0];
    let among: Vec<usize> =
        (0..200).map(|seed| first(Start { among: 5, ..Start::default() }, seed).0[0]).collect();
    let mut distinct = among.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() == 5 && distinct.contains(&best), "{distinct:?}");
    let thetas: Vec<f64> =
        (0..200).map(|seed| first(Start { theta: 1.0, band: 0.5, ..Start::default() }, seed).1).collect();
    let (low, high) = thetas.iter().fold((9.0_f64, -9.0_f64), |(l, h), theta| (l.min(*theta), h.max(*theta)));
    assert!((0.5..0.55).contains(&low) && (1.45..=1.5).contains(&high), "{low} to {high}");
    let wrong = Policy { start: Start { items: vec![60], ..Start::default() }, ..Policy::default() };
    assert_eq!(wrong.faults_on(&bank).len(), 1);
}

#[test]
fn time_ends_an_exam_whatever_the_rules_say() {
    let bank = bank(by_area);
    let stop = Stop { max_seconds: Some(600), min_items: 10, ..Stop::default() };
    let policy = Policy { stop, ..Policy::default() };
    let mut exam = Exam::new(Arc::clone(&bank), policy.clone(), 1);
    let mut events = vec![Event::Started(exam.decide_start(&Outside::default()))];
    exam.apply(&events[0]).unwrap();
    for elapsed in [599.0, 600.0] {
        let item = exam.current_item().unwrap();
        let outside = Outside { elapsed, ..Outside::default() };
        events.push(Event::Answered(exam.decide_answer(item, 1, &outside).unwrap()));
        exam.apply(events.last().unwrap()).unwrap();
    }
    assert_eq!(exam.end(), Some(EndReason::TimeLimit));
    assert_eq!(verify(&bank, &policy, 1, &events), Ok(vec![]), "the clock is taken as it was");
}

#[test]
fn sympson_hetter_lets_items_through_at_their_rate() {
    let bank = bank(|item| Attributes {
        exposure_k: if item % 2 == 0 { 0.25 } else { 1.0 },
        ..Attributes::default()
    });
    let constraints = Constraints { exposure: Some(Control::SympsonHetter), ..Constraints::default() };
    let policy = policy(constraints);
    let all = 2000;
    let mut given = vec![0; 60];
    for seed in 0..all {
        let (exam, _) = sit(&bank, &policy, seed, &Outside::default());
        shown(&exam).iter().for_each(|item| given[*item] += 1);
    }
    for item in (0..60).step_by(2) {
        let rate = f64::from(given[item]) / all as f64;
        assert!(rate < 0.25 + 4.0 * (0.25 * 0.75 / all as f64).sqrt(), "item {item}: {rate}");
    }
    let most = (0..60).step_by(2).map(|item| given[item]).max().unwrap();
    assert!(f64::from(most) / all as f64 > 0.2, "items that are wanted come to their rate: {most}");
}

#[test]
fn every_step_explains_itself() {
    let shares = AREAS.map(|area| (area.to_owned(), 1.0)).into_iter().collect();
    let constraints = Constraints {
        content: Some(Content::KingsburyZara { shares }),
        exposure: Some(Control::Restricted { rate: 0.5, at_least: 1, price_step: 0.0 }),
        field_test: vec![4],
        ..Constraints::default()
    };
    let policy = Policy {
        start: Start { items: vec![9], ..Start::default() },
        selection: Selection::MaximumInformation,
        ..policy(constraints)
    };
    let bank = bank(|item| Attributes {
        field_test: item == 5,
        enemies: if item < 4 { vec!["first".to_owned()] } else { Vec::new() },
        ..by_area(item)
    });
    let mut counts = Counts::new(60);
    counts.begin(policy.constraints.exposure.unwrap(), 0);
    (20..40).for_each(|item| counts.give(policy.constraints.exposure.unwrap(), item));
    let outside = Outside { exposure: Exposure::Counts(&counts), ..Outside::default() };
    let (exam, events) = sit(&bank, &policy, 11, &outside);
    for (position, item) in shown(&exam).into_iter().enumerate() {
        let why = exam.explain(position).unwrap();
        assert_eq!((why.position, why.item), (position, item));
        let expected = match position {
            0 => ChosenBy::Start,
            3 => ChosenBy::FieldTest,
            _ => ChosenBy::Criterion,
        };
        assert_eq!(why.chosen_by, expected);
        if expected == ChosenBy::Criterion {
            assert_eq!(why.candidates[0].item, item, "the best was taken");
            let value = bank.curves()[item].information(why.ability.theta);
            assert_eq!(why.candidates[0].value, value);
            // Every item is shown already, a candidate, or out for a reason.
            assert_eq!(position + why.candidates.len() + why.ineligible.len(), 60);
            let by = |constraint| why.ineligible.iter().filter(|out| out.by == constraint).count();
            assert_eq!(by(Constraint::FieldTest), usize::from(position < 3));
            assert!(by(Constraint::Content) > 0 && by(Constraint::Exposure) > 0, "{position}: {why:?}");
        }
    }
    assert_eq!(exam.explain(20), None);
    assert_eq!(verify(&bank, &policy, 11, &events), Ok(vec![]));
    // A changed event shows where it is.
    let mut changed = events.clone();
    let Event::Answered(answered) = &mut changed[6] else { panic!("an answer") };
    answered.ability.theta += 1e-12;
    let differences = verify(&bank, &policy, 11, &changed).unwrap();
    assert_eq!(differences.iter().map(|difference| difference.event).collect::<Vec<_>>(), [6]);
    let Event::Answered(answered) = &mut changed[8] else { panic!("an answer") };
    answered.next = Next::Item(59);
    assert!(verify(&bank, &policy, 11, &changed).is_err(), "the next answer is not to that item");
}

#[test]
fn a_reopened_exam_goes_on_where_it_ended() {
    let bank = bank(by_area);
    let stop = Stop { max_seconds: Some(600), min_items: 10, ..Stop::default() };
    let policy = Policy { stop, ..Policy::default() };
    let mut exam = Exam::new(Arc::clone(&bank), policy.clone(), 1);
    let mut events = Vec::new();
    let mut apply = |exam: &mut Exam, event: Event| {
        exam.apply(&event).unwrap();
        events.push(event);
    };
    let started = Event::Started(exam.decide_start(&Outside::default()));
    apply(&mut exam, started);
    assert!(exam.decide_reopen(&Outside::default()).is_err(), "it has not ended");
    // Ended while an item is current, that item is current again.
    let item = exam.current_item().unwrap();
    apply(&mut exam, Event::Completed { reason: EndReason::TimeLimit });
    let (next, constrained) = exam.decide_reopen(&Outside::default()).unwrap();
    assert_eq!(next, Next::Item(item));
    let other = Event::Reopened { next: Next::Item(item + 1), constrained: Constrained::default() };
    assert!(exam.apply(&other).is_err());
    apply(&mut exam, Event::Reopened { next, constrained });
    // Ended by an answer, another item is chosen.
    let late = Outside { elapsed: 600.0, ..Outside::default() };
    let answered = Event::Answered(exam.decide_answer(item, 1, &late).unwrap());
    apply(&mut exam, answered);
    assert_eq!(exam.end(), Some(EndReason::TimeLimit));
    let (next, constrained) = exam.decide_reopen(&Outside::default()).unwrap();
    assert_ne!(next, Next::Item(item));
    apply(&mut exam, Event::Reopened { next, constrained });
    let item = exam.current_item().unwrap();
    let answered = Event::Answered(exam.decide_answer(item, 0, &Outside::default()).unwrap());
    apply(&mut exam, answered);
    assert_eq!((exam.end(), exam.items_completed()), (None, 2));
    assert_eq!(verify(&bank, &policy, 1, &events), Ok(vec![]));
}
