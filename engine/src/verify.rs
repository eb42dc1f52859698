//! Whether stored events are those that the engine decides.
//!
//! Input: a bank, a policy, a seed, and events. Output: every difference. Item selection is repeated, with the
//! shared counts stored in the events. Must not know: where events come from.

use crate::bank::Bank;
use crate::constraint::{Constrained, Exposure, Outside};
use crate::event::{Event, Next, ReplayError};
use crate::exam::Exam;
use crate::policy::Policy;
use crate::stop::EndReason;
use std::sync::Arc;

/// A stored event that is not the one the engine decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Number of the event, counted from 0.
    pub event: usize,
    /// As it is stored.
    pub stored: Event,
    /// As it is decided.
    pub decided: Event,
}

/// Every stored event that differs from the engine's, to the bit. How the clock or a person ended an
/// exam is taken as stored.
///
/// # Errors
/// The number of the first event that does not fit at all, and why.
pub fn verify(
    bank: &Arc<Bank>,
    policy: &Policy,
    seed: u64,
    events: &[Event],
) -> Result<Vec<Difference>, (usize, ReplayError)> {
    let mut exam = Exam::new(Arc::clone(bank), policy.clone(), seed);
    let mut differences = Vec::new();
    for (number, stored) in events.iter().enumerate() {
        if let Some(decided) = decide(&exam, stored)
            && decided != *stored
        {
            differences.push(Difference { event: number, stored: stored.clone(), decided });
        }
        exam.apply(stored).map_err(|error| (number, error))?;
    }
    Ok(differences)
}

fn decide(exam: &Exam, stored: &Event) -> Option<Event> {
    match stored {
        Event::Started(started) => {
            let mut decided = exam.decide_start(&then(&started.constrained));
            decided.constrained.wanted = started.constrained.wanted;
            Some(Event::Started(decided))
        }
        Event::Answered(answered) => {
            let outside = then(&answered.constrained);
            let mut decided = exam.decide_answer(answered.item, answered.given(), &outside).ok()?;
            decided.constrained.wanted = answered.constrained.wanted;
            if answered.next == Next::End(EndReason::TimeLimit) {
                decided.next = answered.next.clone();
                decided.constrained = answered.constrained.clone();
            }
            Some(Event::Answered(decided))
        }
        Event::Completed { .. } => None,
        Event::Reopened { constrained, .. } => {
            let (next, mut decided) = exam.decide_reopen(&then(constrained)).ok()?;
            decided.wanted = constrained.wanted;
            Some(Event::Reopened { next, constrained: decided })
        }
    }
}

/// What was known from outside when this was decided.
fn then(constrained: &Constrained) -> Outside<'_> {
    Outside { exposure: Exposure::HeldBack(&constrained.held_back), ..Outside::default() }
}
