//! The cost of one step of an exam, and its growth with the bank and with the number of answers.
//!
//! `make bench`. Banks are drawn once: a ~ lognormal(.15, .3) in [.4, 2.8], b ~ N(0, 1.1) in [-3.5, 3.5], c ~ U(.1,
//! .3).

#![expect(clippy::unwrap_used, reason = "a benchmark; what cannot be set up fails it")]

use divan::{Bencher, black_box};
use engine::random::Random;
use engine::{Bank, Event, Exam, Grid, Item, Outside, Policy, Prior, Selection, Stop};
use std::sync::Arc;

fn main() {
    divan::main();
}

fn bank(items: usize) -> Arc<Bank> {
    let mut random = Random::of(2026, 0);
    let item = |_| {
        let a = libm::exp(0.15 + 0.3 * random.normal()).clamp(0.4, 2.8);
        let b = (1.1 * random.normal()).clamp(-3.5, 3.5);
        Item::logistic(a, b, 0.1 + 0.2 * random.unit(), 1.0)
    };
    Arc::new(Bank::new(1.0, (0..items).map(item).collect()).unwrap())
}

/// An exam that has come so far, answered by the parity of the item.
fn exam(bank: &Arc<Bank>, selection: Selection, answers: usize) -> (Exam, Vec<Event>) {
    let policy = Policy { selection, stop: Stop::at_length(500), ..Policy::default() };
    let mut exam = Exam::new(Arc::clone(bank), policy, 1);
    let mut events = vec![Event::Started(exam.decide_start(&Outside::default()))];
    exam.apply(&events[0]).unwrap();
    for _ in 0..answers {
        let item = exam.current_item().unwrap();
        let event = Event::Answered(
            exam.decide_answer(item, u8::from(item.is_multiple_of(2)), &Outside::default()).unwrap(),
        );
        exam.apply(&event).unwrap();
        events.push(event);
    }
    (exam, events)
}

/// Estimate and select: EAP on 121 nodes, maximum information.
#[divan::bench(args = [(300, 5), (300, 20), (300, 100), (3000, 5), (3000, 20), (3000, 100)])]
fn estimate_and_select(bencher: Bencher<'_, '_>, (items, answers): (usize, usize)) {
    let bank = bank(items);
    let (exam, _) = exam(&bank, Selection::MaximumInformation, answers);
    let item = exam.current_item().unwrap();
    bencher.bench_local(|| exam.decide_answer(black_box(item), black_box(1), &Outside::default()));
}

/// The same, under criteria that integrate, on 300 items after 10 answers.
#[divan::bench(args = ["mpwi", "kl", "mepv", "gdi"])]
fn integral_criteria(bencher: Bencher<'_, '_>, criterion: &str) {
    let (grid, prior) = (Grid { from: -6.0, to: 6.0, nodes: 49 }, Prior::default());
    let selection = match criterion {
        "mpwi" => Selection::PosteriorWeighted { prior, grid },
        "kl" => Selection::KullbackLeibler { grid },
        "gdi" => Selection::GlobalDiscrimination { grid },
        _ => Selection::ExpectedPosteriorVariance { prior, grid },
    };
    let bank = bank(300);
    let (exam, _) = exam(&bank, selection, 10);
    let item = exam.current_item().unwrap();
    bencher.bench_local(|| exam.decide_answer(black_box(item), black_box(1), &Outside::default()));
}

/// Fold of an exam from its events: abilities are computed anew, items are not chosen anew.
#[divan::bench(args = [10, 20, 40])]
fn fold(bencher: Bencher<'_, '_>, answers: usize) {
    let bank = bank(300);
    let (whole, events) = exam(&bank, Selection::MaximumInformation, answers);
    bencher.bench_local(|| {
        let mut exam = Exam::new(Arc::clone(&bank), whole.policy().clone(), 1);
        events.iter().for_each(|event| exam.apply(black_box(event)).unwrap());
        exam
    });
}
