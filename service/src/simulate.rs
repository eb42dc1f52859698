//! Simulated exams: the behaviour of a bank and a policy for examinees with known ability.
//!
//! Input: a bank, a policy, examinees. Output: a [`Sitting`] for each, in order. An answer is drawn from the seed,
//! the examinee and the item alone, so every policy meets the same answers. Must not know: files, the terminal.

pub mod files;
pub mod plot;
pub mod report;

use engine::random::Random;
use engine::{Ability, Bank, Constraint, Counts, Event, Exam, Exposure, Outside, Policy};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use std::sync::Arc;

/// Separates the random stream of abilities from that of answers.
const ABILITIES: u64 = 0x5eed_0fab_111e_5000;

/// A simulated examinee.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulee {
    /// The true ability.
    pub theta: f64,
    /// The answer to each item of the bank, if recorded; otherwise answers are drawn.
    pub answers: Option<Vec<u8>>,
}

/// The exam of a simulated examinee.
#[derive(Clone, Debug, PartialEq)]
pub struct Sitting {
    /// Their ability.
    pub theta: f64,
    /// The result.
    pub ability: Ability,
    /// The items in order, counted from 0.
    pub items: Vec<usize>,
    /// Standard error after each answer.
    pub errors: Vec<Option<f64>>,
    /// Whether the standard error of the result is below the node spacing of its estimator's grid.
    pub coarse: bool,
    /// Items that exposure control held back.
    pub wanted: Vec<usize>,
    /// Constraints that were relaxed, once for each choice.
    pub relaxed: Vec<Constraint>,
}

/// Draws this many examinees from a normal distribution.
pub fn draw(count: usize, mean: f64, sd: f64, seed: u64) -> Vec<Simulee> {
    let ability = |index| mean + sd * Random::of(seed ^ ABILITIES, index).normal();
    (0..count).map(|index| Simulee { theta: ability(index), answers: None }).collect()
}

/// Runs an exam for every examinee; `done` is called after each. With shared exposure counts, `together` exams run
/// at the same time: they see the counts of earlier exams, but not each other's.
pub fn run(
    bank: &Arc<Bank>,
    policy: &Policy,
    simulees: &[Simulee],
    seed: u64,
    together: usize,
    done: impl Fn() + Sync,
) -> Vec<Sitting> {
    let own = |index: usize| seed.wrapping_add((index as u64).wrapping_mul(0x9e37_79b9));
    let shared = policy.constraints.exposure.filter(|control| control.reads_counts());
    let block = if shared.is_some() { together.max(1) } else { simulees.len().max(1) };
    let mut counts = Counts::new(bank.len());
    let mut sittings: Vec<Sitting> = Vec::with_capacity(simulees.len());
    for simulees in simulees.chunks(block) {
        let first = sittings.len();
        let each = |(index, simulee): (usize, &Simulee)| {
            let sitting = sit(bank, policy, simulee, own(first + index), Exposure::Counts(&counts));
            done();
            sitting
        };
        let sat: Vec<Sitting> = match block {
            1 => simulees.iter().enumerate().map(each).collect(),
            _ => simulees.par_iter().enumerate().map(each).collect(),
        };
        for (index, sitting) in sat.iter().enumerate() {
            if let Some(control) = shared {
                counts.begin(control, own(first + index));
                sitting.items.iter().for_each(|item| counts.give(control, *item));
                sitting.wanted.iter().for_each(|item| counts.want(control, *item));
            }
        }
        sittings.extend(sat);
    }
    sittings
}

fn sit(bank: &Arc<Bank>, policy: &Policy, simulee: &Simulee, seed: u64, exposure: Exposure<'_>) -> Sitting {
    let mut exam = Exam::new(Arc::clone(bank), policy.clone(), seed);
    let outside = Outside { exposure, ..Outside::default() };
    let fits = "an engine should accept what it decided";
    let started = Event::Started(exam.decide_start(&outside));
    exam.apply(&started).expect(fits);
    while let Some(item) = exam.current_item() {
        let category = match &simulee.answers {
            Some(answers) => answers[item],
            None => answer(bank, item, simulee.theta, seed),
        };
        let answered =
            exam.decide_answer(item, category, &outside).expect("a drawn answer should be one of the item's");
        exam.apply(&Event::Answered(answered)).expect(fits);
    }
    let steps = exam.steps();
    Sitting {
        theta: simulee.theta,
        ability: exam.result().ability,
        coarse: policy.final_estimator.unwrap_or(policy.estimator).is_too_coarse_for(exam.result().ability),
        items: steps.iter().map(|step| step.item).collect(),
        errors: steps.iter().map(|step| step.ability.standard_error).collect(),
        wanted: (0..=steps.len()).filter_map(|position| exam.constrained(position)?.wanted).collect(),
        relaxed: steps.iter().flat_map(|step| step.constrained.relaxed.iter().copied()).collect(),
    }
}

/// The answer of an examinee to an item, counted from 0; deterministic.
pub fn answer(bank: &Bank, item: usize, theta: f64, seed: u64) -> u8 {
    let curve = &bank.curves()[item];
    let p = curve.probabilities(theta);
    let drawn = Random::of(!seed, item).weighted(&p[..curve.categories()]).unwrap_or(0);
    u8::try_from(drawn).unwrap_or(0)
}
