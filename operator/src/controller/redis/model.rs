//! A small world of Redis, Sentinels and an operator that may end at any moment, in which every order of events is tried.
//!
//! Input: the world of `world.rs`, in which `plan` and `Handover` act, the same code that runs. Output: no reachable state in which the operator itself makes
//! a second master that takes writes, promotes an empty Redis over one with data, or loses an acknowledged write in a
//! planned handover. The world: three Redis, and Sentinels as one agent, which is there or not. A write is acknowledged by
//! the master alone and copied later. One assumption is the measured one: a pause outlasts the time in which Sentinels make
//! the old master a replica. Must not know: clocks.

mod world;

use stateright::{Checker, Model, Property};
use world::{Mistake, Redis, World};

/// Writes that a client makes at most.
const WRITES: u8 = 2;

/// A mistake that the model has to find.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Write,
    Copy(usize),
    Look,
    Take,
    Handover,
    OperatorEnds,
    Crash(usize),
    LoseVolume(usize),
    Start(usize),
    StartStale(usize),
    SentinelsStart,
    SentinelsEnd,
    Failover,
    Demote,
    PauseEnds(usize),
}

/// Where it begins, and what may go wrong.
struct Scenario {
    mistake: Mistake,
    faults: u8,
    has_data: bool,
}

impl Model for Scenario {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        // Fresh, or with everything in place and pods that are to be replaced.
        let replica = |of| Redis { is_up: true, of, is_paused: false, is_outdated: self.has_data, data: 0 };
        let mut redis = [replica(Some(None)), replica(Some(None)), replica(Some(None))];
        if self.has_data {
            redis = [replica(None), replica(Some(Some(0))), replica(Some(Some(0)))];
            redis.iter_mut().for_each(|redis| redis.data = 1);
            // Two of three were replaced already.
            redis[1].is_outdated = false;
            redis[2].is_outdated = false;
        }
        vec![World {
            redis,
            named: self.has_data.then_some(0),
            has_sentinels: self.has_data,
            to_demote: None,
            acknowledged: u8::from(self.has_data),
            written: u8::from(self.has_data),
            record: self.has_data.then_some(0),
            old_record: None,
            step: None,
            is_due: false,
            handover: None,
            faults: self.faults,
            has_failed: false,
            wrong: None,
        }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.wrong.is_some() {
            return;
        }
        if world.written < WRITES {
            events.push(Event::Write);
        }
        if world.handover.is_some() {
            events.push(Event::Handover);
        } else if world.is_due {
            events.push(Event::Take);
        } else {
            events.push(Event::Look);
        }
        if world.to_demote.is_some() {
            events.push(Event::Demote);
        }
        let is_silent =
            world.named.is_some_and(|named| !world.redis[named].is_up || world.redis[named].of.is_some());
        if is_silent && world.has_sentinels {
            events.push(Event::Failover);
        }
        if world.named.is_some() && !world.has_sentinels {
            events.push(Event::SentinelsStart);
        }
        for redis in 0..3 {
            if world.redis[redis].is_up {
                events.push(Event::Copy(redis));
            } else {
                events.extend([Event::Start(redis), Event::StartStale(redis)]);
            }
            // The one assumption: it outlasts the demotion by Sentinels.
            if world.redis[redis].is_paused && world.to_demote != Some(redis) && world.handover.is_none() {
                events.push(Event::PauseEnds(redis));
            }
        }
        if world.faults > 0 {
            events.push(Event::OperatorEnds);
            if world.has_sentinels {
                events.push(Event::SentinelsEnd);
            }
            for redis in (0..3).filter(|redis| world.redis[*redis].is_up) {
                events.extend([Event::Crash(redis), Event::LoseVolume(redis)]);
            }
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        match event {
            Event::Write => {
                // A client writes to whom Sentinels name, or to whoever takes it.
                let master = (0..3).find(|redis| world.is_writable(*redis))?;
                let write = 1 << world.written;
                world.written += 1;
                world.redis[master].data |= write;
                world.acknowledged |= write;
            }
            Event::Copy(redis) => {
                let master = world.redis[redis].of.flatten()?;
                let from = &world.redis[master];
                // A replica of a replica that has no master gets nothing.
                if !from.is_up || from.of.is_some() || from.data == world.redis[redis].data {
                    return None;
                }
                world.redis[redis].data = from.data;
            }
            Event::Look => world.look(self.mistake),
            Event::Take => world.take(self.mistake),
            Event::Handover => world.hand_over(self.mistake),
            Event::OperatorEnds => {
                world.faults -= 1;
                (world.step, world.is_due, world.handover) = (None, false, None);
            }
            Event::Crash(redis) | Event::LoseVolume(redis) => {
                world.faults -= 1;
                world.has_failed = true;
                world.redis[redis].is_up = false;
                world.redis[redis].is_paused = false;
                if matches!(event, Event::LoseVolume(_)) {
                    world.redis[redis].data = 0;
                }
            }
            Event::Start(redis) | Event::StartStale(redis) => {
                world.start(redis, matches!(event, Event::StartStale(_)), self.mistake);
                let richer = (0..3).any(|other| world.redis[other].is_up && world.redis[other].data != 0);
                if world.redis[redis].of.is_none() && world.redis[redis].data == 0 && richer {
                    world.wrong = Some("an empty Redis started as the master");
                }
            }
            Event::SentinelsStart => world.has_sentinels = true,
            Event::SentinelsEnd => {
                world.faults -= 1;
                world.has_failed = true;
                world.has_sentinels = false;
            }
            Event::Failover => {
                world.has_failed = true;
                if !world.fail_over() {
                    return None;
                }
            }
            Event::Demote => {
                let old = world.to_demote.take()?;
                let has_all = world.redis[world.named?].data & world.acknowledged == world.acknowledged;
                if !has_all && !world.has_failed {
                    world.wrong = Some("an acknowledged write was lost in a planned handover");
                }
                if world.redis[old].is_up {
                    world.redis[old].of = Some(world.named);
                }
            }
            Event::PauseEnds(redis) => world.redis[redis].is_paused = false,
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing goes wrong by the operator", |_, world: &World| world.wrong.is_none()),
            Property::sometimes("a master leads", |_, world: &World| world.writable() == 1),
        ]
    }
}

/// Tries every order; what went wrong, if anything, and how many states there are.
fn check(mistake: Mistake, has_data: bool, faults: u8) -> (Option<String>, usize) {
    let checked = Scenario { mistake, faults, has_data }.checker().threads(2).spawn_bfs().join();
    let wrong = checked.discovery("nothing goes wrong by the operator").map(|path| {
        let (last, events) = (path.last_state().wrong, path.into_actions());
        format!("{}: {events:?}", last.unwrap_or_default())
    });
    assert!(checked.discovery("a master leads").is_some(), "{mistake:?}");
    (wrong, checked.unique_state_count())
}

#[test]
fn in_no_order_of_events_does_the_operator_do_harm() {
    for (name, has_data, faults) in [("fresh", false, 3), ("rolling", true, 2)] {
        let (wrong, states) = check(Mistake::None, has_data, faults);
        println!("{name}, {faults} faults: {states} states");
        assert_eq!(wrong, None, "{name}");
    }
}

#[test]
fn mistakes_are_found() {
    for (mistake, has_data, faults, words) in [
        (Mistake::NoPause, true, 0, "lost in a planned handover"),
        (Mistake::BlindChoice, false, 2, "an empty Redis was promoted"),
        (Mistake::NoGuard, true, 1, "an empty Redis started as the master"),
    ] {
        let (wrong, _) = check(mistake, has_data, faults);
        let wrong = wrong.unwrap_or_else(|| panic!("{mistake:?} was not found"));
        println!("{mistake:?}: {wrong}");
        assert!(wrong.contains(words), "{mistake:?}: {wrong}");
    }
}
