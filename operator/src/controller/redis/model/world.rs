//! What there is in the model, and what the operator, Sentinels and a starting pod do to it.
//!
//! Input: a state, and the code that runs: [`plan`] and [`Handover`]. Output: the next state. Must not know: in which order
//! things happen.

use crate::controller::redis::facts::{Facts, Node, Role, Sentinel, SentinelWord, Word};
use crate::controller::redis::handover::{Command, Handover, Outcome, Reply};
use crate::controller::redis::plan::{Plan, Step, Wanted, plan};

const WANTED: Wanted = Wanted { nodes: 3, sentinels: 3, quorum: 2, down_after: 2000, max_memory: 1 };
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// A handover that does not pause writes.
    NoPause,
    /// A choice that does not see which Redis has data.
    BlindChoice,
    /// A master that was lost with its data starts as the master again.
    NoGuard,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Redis {
    pub(super) is_up: bool,
    /// `None`: it is the master; `Some(None)`: a replica of nobody.
    pub(super) of: Option<Option<usize>>,
    pub(super) is_paused: bool,
    pub(super) is_outdated: bool,
    /// The writes that it has, a bit each.
    pub(super) data: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) redis: [Redis; 3],
    /// The master that Sentinels name; `None`: they were never started.
    pub(super) named: Option<usize>,
    pub(super) has_sentinels: bool,
    /// An old master that Sentinels have still to make a replica.
    pub(super) to_demote: Option<usize>,
    pub(super) acknowledged: u8,
    pub(super) written: u8,
    pub(super) record: Option<usize>,
    /// What was recorded before: a pod that starts may still read that.
    pub(super) old_record: Option<usize>,
    /// The step of the last look, and whether it was that of the look before, too.
    pub(super) step: Option<DueStep>,
    pub(super) is_due: bool,
    pub(super) handover: Option<(Handover, usize)>,
    /// What may still go wrong.
    pub(super) faults: u8,
    pub(super) has_failed: bool,
    pub(super) wrong: Option<&'static str>,
}

/// A step, as far as the world knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum DueStep {
    Choose(usize),
    Promote(usize),
    Follow(usize, usize),
    HandOver(usize),
    Move(usize),
    Replace(usize),
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
        Step::Tune(..) | Step::TuneSentinel(_) | Step::Authorize(_) | Step::Reload(_) => return None,
    })
}

impl World {
    pub(super) fn is_writable(&self, redis: usize) -> bool {
        // `min-replicas-to-write`: one that no replica hears takes none.
        let is_heard = self.redis.iter().any(|other| other.is_up && other.of == Some(Some(redis)));
        let redis = &self.redis[redis];
        redis.is_up && redis.of.is_none() && !redis.is_paused && is_heard
    }

    pub(super) fn writable(&self) -> usize {
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
            ..SentinelWord::default()
        });
        let sentinel =
            |at: usize| Sentinel { pod: format!("sentinel-{at}"), word: word.clone(), ..Sentinel::default() };
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

    pub(super) fn look(&mut self, mistake: Mistake) {
        let plan = self.plan(mistake);
        if let Some(master) = &plan.master {
            self.remember(index(master));
        }
        let step = plan.step.as_ref().and_then(due);
        self.is_due = step.is_some() && step == self.step;
        self.step = step;
        if plan.sentinels > 0 && self.named.is_none() {
            self.named = plan.master.as_deref().map(index);
            self.has_sentinels = self.named.is_some();
        }
    }

    pub(super) fn take(&mut self, mistake: Mistake) {
        self.is_due = false;
        let Some(step) = self.step.take() else { return };
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
    pub(super) fn hand_over(&mut self, mistake: Mistake) {
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
    pub(super) fn fail_over(&mut self) -> bool {
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
    pub(super) fn start(&mut self, redis: usize, is_stale: bool, mistake: Mistake) {
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
