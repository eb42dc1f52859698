//! Conversion between the log's types and the engine's. Callers and the log count items from 1, the engine from 0.
//!
//! Input: values of one side. Output: values of the other. Must not know: exams.

use super::event::{Constrained, Event, Next};
use super::item::ItemId;
use engine::Ability;

/// The engine's word for an event; `None` for one that is about time alone.
pub(crate) fn engine_event(event: &Event) -> Option<engine::Event> {
    Some(match *event {
        Event::Started { theta, standard_error, ref next, ref constrained } => {
            engine::Event::Started(engine::Started {
                next: engine_next(next),
                ability: Ability { theta, standard_error },
                constrained: engine_constrained(constrained),
            })
        }
        Event::Answered {
            item, category, missing, theta, standard_error, ref next, ref constrained, ..
        } => engine::Event::Answered(engine::Answered {
            item: index(item),
            category,
            missing,
            ability: Ability { theta, standard_error },
            next: engine_next(next),
            constrained: engine_constrained(constrained),
        }),
        Event::Completed { reason } => engine::Event::Completed { reason },
        Event::Reopened { ref next, ref constrained, .. } => {
            engine::Event::Reopened { next: engine_next(next), constrained: engine_constrained(constrained) }
        }
        Event::Paused | Event::Resumed | Event::Extended { .. } => return None,
    })
}

pub(crate) fn engine_next(next: &Next) -> engine::Next {
    match *next {
        Next::Item(item) => engine::Next::Item(index(item)),
        Next::End(reason) => engine::Next::End(reason),
    }
}

pub(crate) fn engine_constrained(constrained: &Constrained) -> engine::Constrained {
    let Constrained { relaxed, held_back, wanted } = constrained;
    let held_back = held_back.iter().map(|item| index(*item)).collect();
    engine::Constrained { relaxed: relaxed.clone(), held_back, wanted: wanted.map(index) }
}

pub(crate) fn next(decided: &engine::Next) -> Next {
    match *decided {
        engine::Next::Item(item) => Next::Item(item_id(item)),
        engine::Next::End(reason) => Next::End(reason),
    }
}

pub(crate) fn constrained(decided: &engine::Constrained) -> Constrained {
    let engine::Constrained { relaxed, held_back, wanted } = decided;
    let held_back = held_back.iter().map(|item| item_id(*item)).collect();
    Constrained { relaxed: relaxed.clone(), held_back, wanted: wanted.map(item_id) }
}

/// Callers count items from 1, the engine from 0; number 0 maps to no item at all.
pub(crate) fn index(item: ItemId) -> usize {
    usize::try_from(item).map_or(usize::MAX, |item| item.wrapping_sub(1))
}

pub(crate) fn item_id(index: usize) -> ItemId {
    ItemId::try_from(index + 1).unwrap_or(ItemId::MAX)
}
