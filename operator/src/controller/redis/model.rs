//! A small world of Redis, Sentinels and an operator that may end at any moment, in which every order of events is tried.
//!
//! Input: [`plan`] and [`Handover`], the same code that runs. Output: no reachable state in which the operator itself makes
//! a second master that takes writes, promotes an empty Redis over one with data, or loses an acknowledged write in a
//! planned handover. The world: three Redis, and Sentinels as one agent, which is there or not. A write is acknowledged by
//! the master alone and copied later. One assumption is the measured one: a pause outlasts the time in which Sentinels make
//! the old master a replica. Must not know: clocks.

use super::facts::{Facts, Node, Role, Sentinel, SentinelWord, Word};
use super::handover::{Command, Handover, Outcome, Reply};
use super::plan::{Plan, Step, Wanted, plan};
use stateright::{Checker, Model, Property};

const WANTED: Wanted = Wanted { nodes: 3, sentinels: 3, quorum: 2, down_after: 2000, max_memory: 1 };
/// Writes that a client makes at most.
const WRITES: u8 = 2;

/// A mistake that the model has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// A handover that does not pause writes.
    NoPause,
    /// A choice that does not see which Redis has data.
    BlindChoice,
    /// A master that was lost with its data starts as the master again.
    NoGuard,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Redis {
    is_up: bool,
    /// `None`: it is the master; `Some(None)`: a replica of nobody.
    of: Option<Option<usize>>,
    is_paused: bool,
    is_outdated: bool,
    /// The writes that it has, a bit each.
    data: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    redis: [Redis; 3],
    /// The master that Sentinels name; `None`: they were never started.
    named: Option<usize>,
    has_sentinels: bool,
    /// An old master that Sentinels have still to make a replica.
    to_demote: Option<usize>,
    acknowledged: u8,
    written: u8,
    record: Option<usize>,
    /// What was recorded before: a pod that starts may still read that.
    old_record: Option<usize>,
    /// The step of the last look, and whether it is due.
    step: Option<(u8, bool)>,
    due: Option<DueStep>,
    handover: Option<(Handover, usize)>,
    /// What may still go wrong.
    faults: u8,
    has_failed: bool,
    wrong: Option<&'static str>,
}

/// A step, as far as the world knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum DueStep {
    Choose(usize),
    Promote(usize),
    Follow(usize, usize),
    HandOver(usize),
    Move(usize),
    Replace(usize),
}

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

struct World0 {
    mistake: Mistake,
    faults: u8,
    has_data: bool,
}

fn pod(index: usize) -> String {
    format!("redis-{index}")
}

fn index(pod: &str) -> usize {
    pod.trim_start_matches("redis-").parse().expect("a pod of this world")
}

fn due(step: &Step) -> Option<DueStep> {
    Some(match step {
        Step::Choose(pod) => DueStep::Choose(index(pod)),
        Step::Promote(pod) => DueStep::Promote(index(pod)),
        Step::Follow { pod, master } => DueStep::Follow(index(pod), index(master)),
        Step::HandOver(pod) => DueStep::HandOver(index(pod)),
        Step::Replace(pod) => DueStep::Replace(index(pod)),
        Step::Move { from, .. } => DueStep::Move(index(from)),
        Step::Tune(..) | Step::TuneSentinel(_) => return None,
    })
}

impl World {
    fn is_writable(&self, redis: usize) -> bool {
        // `min-replicas-to-write`: one that no replica hears takes none.
        let is_heard = self.redis.iter().any(|other| other.is_up && other.of == Some(Some(redis)));
        let redis = &self.redis[redis];
        redis.is_up && redis.of.is_none() && !redis.is_paused && is_heard
    }

    fn writable(&self) -> usize {
        (0..3).filter(|redis| self.is_writable(*redis)).count()
    }

    fn is_linked(&self, redis: usize) -> bool {
        let Some(Some(master)) = self.redis[redis].of else { return false };
        let (replica, master) = (&self.redis[redis], &self.redis[master]);
        replica.is_up && master.is_up && master.of.is_none() && replica.data == master.data
    }

    fn facts(&self, mistake: Mistake) -> Facts {
        let node = |at: usize| {
            let redis = &self.redis[at];
            let keys = if mistake == Mistake::BlindChoice { 0 } else { u64::from(redis.data.count_ones()) };
            let role = match redis.of {
                None => Role::Master,
                Some(of) => Role::Replica { of: of.map(pod), is_linked: self.is_linked(at) },
            };
            let ordinal = u32::try_from(at).unwrap();
            let tuning = WANTED.tuning(ordinal);
            // The offset tells nothing of a data set: a new lineage may have the larger one.
            let word = Word { role, keys, tuning, ..Word::default() };
            Node {
                pod: pod(at),
                ordinal,
                is_outdated: redis.is_outdated,
                is_ready: redis.is_up,
                word: redis.is_up.then_some(word),
                ..Node::default()
            }
        };
        let word = self.named.filter(|_| self.has_sentinels).map(|named| SentinelWord {
            master: Some(pod(named)),
            has_quorum: true,
            is_failing_over: self.to_demote.is_some(),
            replicas: 2,
            quorum: 2,
            down_after: 2000,
        });
        let sentinel = |at: usize| Sentinel { pod: format!("sentinel-{at}"), word: word.clone() };
        let sentinels = if self.named.is_some() { (0..3).map(sentinel).collect() } else { Vec::new() };
        Facts { nodes: (0..3).map(node).collect(), sentinels }
    }

    fn remember(&mut self, master: usize) {
        if self.record != Some(master) {
            self.old_record = self.record.replace(master);
        }
    }

    /// The operator makes a master.
    fn make_master(&mut self, redis: usize) {
        let richer = (0..3).any(|other| self.redis[other].is_up && self.redis[other].data != 0);
        if self.redis[redis].data == 0 && richer {
            self.wrong = Some("an empty Redis was promoted");
        }
        let before = self.writable();
        self.redis[redis].of = None;
        if self.writable() > 1 && self.writable() > before {
            self.wrong = Some("a second master takes writes");
        }
    }

    fn plan(&self, mistake: Mistake) -> Plan {
        let sentinels = if self.named.is_some() { 3 } else { 0 };
        plan(&WANTED, &self.facts(mistake), self.record.map(pod).as_deref(), (3, sentinels))
    }

    fn look(&mut self, mistake: Mistake) {
        let plan = self.plan(mistake);
        if let Some(master) = &plan.master {
            self.remember(index(master));
        }
        let step = plan.step.as_ref().and_then(due);
        // Seen twice, it is due.
        let seen = self.due.take();
        self.step = match (&step, &seen) {
            (Some(step), Some(before)) if step == before => Some((2, true)),
            (Some(_), _) => Some((1, false)),
            (None, _) => None,
        };
        self.due = step;
        if plan.sentinels > 0 && self.named.is_none() {
            self.named = plan.master.as_deref().map(index);
            self.has_sentinels = self.named.is_some();
        }
    }

    fn take(&mut self, mistake: Mistake) {
        let Some(step) = self.due.take() else { return };
        self.step = None;
        // It is taken if it still is what has to be done.
        if self.plan(mistake).step.as_ref().and_then(due) != Some(step.clone()) {
            return;
        }
        match step {
            DueStep::Choose(redis) => self.remember(redis),
            DueStep::Promote(redis) if self.redis[redis].is_up => self.make_master(redis),
            DueStep::Follow(redis, master) if self.redis[redis].is_up => {
                self.redis[redis].of = Some(Some(master));
            }
            DueStep::HandOver(from) => {
                let replicas = (0..3).filter(|redis| self.redis[*redis].of == Some(Some(from)));
                let replicas =
                    u32::try_from(replicas.filter(|redis| self.is_linked(*redis)).count()).unwrap();
                self.handover = Some((Handover::begin(pod(from), replicas), from));
            }
            DueStep::Replace(redis) => {
                self.redis[redis].is_up = false;
                self.redis[redis].is_outdated = false;
                self.redis[redis].is_paused = false;
            }
            // Nothing here asks for it: there are always three.
            DueStep::Promote(_) | DueStep::Follow(..) | DueStep::Move(_) => {}
        }
    }

    /// The next command of a handover, and its reply.
    fn hand_over(&mut self, mistake: Mistake) {
        let Some((handover, from)) = self.handover.take() else { return };
        let command = match handover.command() {
            Ok(command) => command,
            Err(Outcome::HandedOver(master)) => {
                let has_all = self.redis[index(master)].data & self.acknowledged == self.acknowledged;
                if !has_all && !self.has_failed {
                    self.wrong = Some("an acknowledged write was lost in a planned handover");
                }
                return;
            }
            Err(Outcome::Aborted(_)) => return,
        };
        let is_up = self.redis[from].is_up;
        let reply = match command {
            Command::Pause if is_up => {
                self.redis[from].is_paused = mistake != Mistake::NoPause;
                Reply::Done
            }
            Command::Wait if is_up => {
                let linked = (0..3).filter(|redis| self.redis[*redis].of == Some(Some(from)));
                Reply::Count(u32::try_from(linked.filter(|redis| self.is_linked(*redis)).count()).unwrap())
            }
            Command::Promote => match self.fail_over() {
                true => Reply::Done,
                false => Reply::Failed,
            },
            Command::AskMaster => match self.named.filter(|_| self.has_sentinels) {
                Some(named) => Reply::Master(pod(named)),
                None => Reply::Failed,
            },
            Command::Demote(master) if is_up => {
                self.redis[from].of = Some(Some(index(&master)));
                self.to_demote = self.to_demote.filter(|old| *old != from);
                Reply::Done
            }
            Command::Unpause if is_up => {
                self.redis[from].is_paused = false;
                Reply::Done
            }
            _ => Reply::Failed,
        };
        self.handover = Some((handover.answer(reply), from));
    }

    /// Sentinels promote the replica of the master they name that has most.
    fn fail_over(&mut self) -> bool {
        let Some(named) = self.named.filter(|_| self.has_sentinels && self.to_demote.is_none()) else {
            return false;
        };
        let able = (0..3).filter(|redis| {
            self.redis[*redis].is_up && self.redis[*redis].of == Some(Some(named)) && *redis != named
        });
        let Some(heir) = able.max_by_key(|redis| self.redis[*redis].data) else { return false };
        self.redis[heir].of = None;
        self.named = Some(heir);
        self.to_demote = Some(named);
        for redis in 0..3 {
            if redis != heir && redis != named && self.redis[redis].is_up {
                self.redis[redis].of = Some(Some(heir));
            }
        }
        true
    }

    /// What `redis.sh` does.
    fn start(&mut self, redis: usize, is_stale: bool, mistake: Mistake) {
        let record = if is_stale { self.old_record } else { self.record };
        let master = self.named.filter(|_| self.has_sentinels).or(record);
        let has_data = self.redis[redis].data != 0 || mistake == Mistake::NoGuard;
        let of = match master {
            Some(master) if master == redis && has_data => None,
            Some(master) if master == redis => Some(None),
            master => Some(master),
        };
        self.redis[redis] = Redis { is_up: true, of, is_paused: false, ..self.redis[redis].clone() };
    }
}

impl Model for World0 {
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
            due: None,
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
        } else if world.step.is_some_and(|(_, is_due)| is_due) {
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
                (world.step, world.due, world.handover) = (None, None, None);
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
    let checked = World0 { mistake, faults, has_data }.checker().threads(2).spawn_bfs().join();
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
