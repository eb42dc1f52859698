//! Who the master of a provisioned Redis is, and the next step towards what is wanted. Pure.
//!
//! Input: what is wanted, what is known, and the master that the status records. Output: a [`Plan`]. One authority at a
//! time: while a majority of Sentinels agrees, they elect and this follows; only without them it chooses a master itself,
//! never an empty one where another has data. Must not know: how a step is taken.

mod master;

use super::facts::{Facts, Node, Tuning};
use master::{led_by_record, led_by_sentinels};
use std::time::Duration;

/// The reasons of all steps.
pub const REASONS: [&str; 8] = [
    "MasterChosen",
    "MasterPromoted",
    "ReplicaRepaired",
    "RedisTuned",
    "HandedOver",
    "PodReplaced",
    "PasswordsSet",
    "CertificateReloaded",
];

/// What is wanted of a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Data pods.
    pub nodes: u32,
    /// Sentinels; 0: there is one Redis, which no one follows.
    pub sentinels: u32,
    /// Sentinels that have to agree that the master is down.
    pub quorum: u32,
    /// After how long without an answer a Sentinel takes it for down, in milliseconds.
    pub down_after: u32,
    /// `maxmemory` of each Redis, in bytes.
    pub max_memory: u64,
}

/// What to run, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The master to record. It is recorded before it is made one.
    pub master: Option<String>,
    /// Data pods to run.
    pub nodes: u32,
    /// Sentinels to run.
    pub sentinels: u32,
    /// The next step.
    pub step: Option<Step>,
    /// Whether it has been the next one for long enough, so that it is taken now.
    pub is_due: bool,
    /// Why it is not as wanted; `None`: it is.
    pub unsettled: Option<Unsettled>,
    /// Pods with the label that they should have, those that lose `master` first.
    pub labels: Vec<(String, &'static str)>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Record another master.
    Choose(String),
    /// Make a pod the master, as was recorded.
    Promote(String),
    /// Make a pod a replica of another.
    Follow {
        /// The pod.
        pod: String,
        /// Its master.
        master: String,
    },
    /// Set what can be set while it runs.
    Tune(String, Tuning),
    /// Set quorum and patience of a Sentinel.
    TuneSentinel(String),
    /// Have Sentinels promote a replica, without the loss of a write.
    HandOver(String),
    /// Make one pod the master in place of another, without Sentinels and without the loss of a write.
    Move {
        /// The master.
        from: String,
        /// The master to be.
        to: String,
    },
    /// Delete a pod, so that its StatefulSet makes it anew.
    Replace(String),
    /// Have these pods accept and present the passwords of the Secret.
    Authorize(Vec<String>),
    /// Have these pods read their certificate again.
    Reload(Vec<String>),
}

impl Step {
    /// The reason of the event that tells of it.
    pub fn reason(&self) -> &'static str {
        // Each of them is in `REASONS`, too.
        match self {
            Self::Choose(_) => "MasterChosen",
            Self::Promote(_) => "MasterPromoted",
            Self::Follow { .. } => "ReplicaRepaired",
            Self::Tune(..) | Self::TuneSentinel(_) => "RedisTuned",
            Self::HandOver(_) | Self::Move { .. } => "HandedOver",
            Self::Replace(_) => "PodReplaced",
            Self::Authorize(_) => "PasswordsSet",
            Self::Reload(_) => "CertificateReloaded",
        }
    }

    /// For how long it has to be the next step before it is taken. No step is taken at its first sight.
    pub fn patience(&self, facts: &Facts) -> Duration {
        let by_sentinels = !facts.sentinels.is_empty();
        Duration::from_secs(match self {
            // Sentinels mend this by themselves, if they can.
            Self::Follow { .. } if by_sentinels => 15,
            // Nobody else does it, and it cannot be undone.
            Self::Choose(_) if by_sentinels => 60,
            Self::Choose(_) if facts.nodes.iter().any(|node| node.word.is_none()) => 20,
            Self::Replace(pod) if facts.node(pod).is_none_or(|node| node.word.is_none()) => 10,
            _ => 0,
        })
    }
}

/// Why a Redis is not as wanted: a reason for conditions, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The reason.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
}

fn unsettled(reason: &'static str, message: impl Into<String>) -> Option<Unsettled> {
    Some(Unsettled { reason, message: message.into() })
}

/// The plan. `now`: data pods and Sentinels that run, as their StatefulSets say.
pub fn plan(wanted: &Wanted, facts: &Facts, record: Option<&str>, now: (u32, u32)) -> Plan {
    let named = facts.named(now.1).filter(|_| now.1 > 0);
    let (master, step, problem) = match named {
        Some(named) => led_by_sentinels(facts, named),
        None => led_by_record(wanted, facts, record, now),
    };
    let is_led = master.as_deref().and_then(|master| facts.node(master)).is_some_and(Node::is_master);
    let outgrown = |node: &&Node| node.ordinal >= wanted.nodes;
    // A pod that is to go has to hand over first.
    let least = match &master {
        Some(master) => facts.node(master).filter(outgrown).map_or(wanted.nodes, |node| node.ordinal + 1),
        None => wanted.nodes.max(now.0),
    };
    let mut plan = Plan {
        nodes: least,
        // Sentinels come once there is a master whom all follow, and go before another authority chooses one.
        sentinels: if wanted.sentinels > 0 && (!is_led || (now.1 == 0 && step.is_some())) {
            now.1
        } else {
            wanted.sentinels
        },
        labels: labels(facts, master.as_deref().filter(|_| is_led)),
        master: master.clone(),
        step,
        is_due: false,
        unsettled: problem,
    };
    let Some(master) = master.filter(|_| is_led) else {
        plan.step = plan.step.or_else(|| stuck(facts));
        return plan;
    };
    plan.step = plan
        .step
        .or_else(|| tune(wanted, facts, now))
        .or_else(|| roll(wanted, facts, &master, named.is_some()));
    plan.unsettled = plan.unsettled.or_else(|| progress(wanted, facts, &master, named.is_some()));
    plan
}

/// A Redis or a Sentinel that is set otherwise than wanted.
fn tune(wanted: &Wanted, facts: &Facts, now: (u32, u32)) -> Option<Step> {
    let node = facts.nodes.iter().find_map(|node| {
        let word = node.word.as_ref().filter(|word| !word.is_loading)?;
        let tuning = wanted.tuning(node.ordinal);
        (word.tuning != tuning).then(|| Step::Tune(node.pod.clone(), tuning))
    });
    let sentinel = || {
        let words = facts.sentinels.iter().filter_map(|sentinel| Some((sentinel, sentinel.word.as_ref()?)));
        words
            .filter(|_| now.1 > 0 && wanted.sentinels > 0)
            .find(|(_, word)| (word.quorum, word.down_after) != (wanted.quorum, wanted.down_after))
            .map(|(sentinel, _)| Step::TuneSentinel(sentinel.pod.clone()))
    };
    node.or_else(sentinel)
}

impl Wanted {
    /// What is set of the Redis of this ordinal. A master that no replica hears stops taking writes, where it has two
    /// replicas or more: with one alone, the loss of that one would stop it.
    pub fn tuning(&self, ordinal: u32) -> Tuning {
        Tuning {
            min_replicas: u32::from(self.sentinels > 0 && self.nodes > 2),
            max_memory: self.max_memory,
            priority: if ordinal < self.nodes { 100 } else { 0 },
        }
    }
}

/// Pods that are to be replaced or to go: replicas first, one at a time, and the master once another has taken over.
fn roll(wanted: &Wanted, facts: &Facts, master: &str, has_quorum: bool) -> Option<Step> {
    if facts.nodes.iter().any(|node| node.is_going) {
        return None;
    }
    if let Some(stuck) = stuck(facts) {
        return Some(stuck);
    }
    let settled = |but: &str| {
        let others = facts.nodes.iter().filter(|node| node.pod != but && node.pod != master);
        let count = facts.nodes.len() >= usize::try_from(wanted.nodes).unwrap_or(usize::MAX);
        count && others.clone().all(|node| node.is_ready && node.follows(master))
    };
    let outdated = facts.nodes.iter().rev().find(|node| node.is_outdated && node.pod != master);
    if let Some(outdated) = outdated {
        return settled(&outdated.pod).then(|| Step::Replace(outdated.pod.clone()));
    }
    let leader = facts.node(master)?;
    let is_alone = facts.nodes.len() == 1;
    if leader.is_outdated && is_alone {
        return Some(Step::Replace(leader.pod.clone()));
    }
    if !(leader.is_outdated || leader.ordinal >= wanted.nodes) || is_alone || !settled("") {
        return None;
    }
    // The heir stays: it has a place among those that are wanted.
    let heir = facts.nodes.iter().find(|node| node.ordinal < wanted.nodes && node.follows(master))?;
    match wanted.sentinels > 0 {
        true => (has_quorum && !facts.is_failing_over()).then(|| Step::HandOver(leader.pod.clone())),
        false => facts.sentinels.is_empty().then(|| Step::Choose(heir.pod.clone())),
    }
}

/// A pod that serves nobody: it is of an earlier template and Kubernetes does not find it ready, as with a wrong image, or it
/// knows no valid password. It waits for nobody, and nobody waits for it. One that only this operator does not reach is left
/// alone.
fn stuck(facts: &Facts) -> Option<Step> {
    let stuck = |node: &&Node| {
        let is_of_no_use = node.refuses_password || (node.is_outdated && !node.is_ready);
        node.word.is_none() && is_of_no_use && !node.is_going
    };
    let sentinel = || facts.sentinels.iter().find(|sentinel| sentinel.refuses_password);
    let node = facts.nodes.iter().find(stuck).map(|node| &node.pod);
    node.or_else(|| sentinel().map(|sentinel| &sentinel.pod)).map(|pod| Step::Replace(pod.clone()))
}

/// What is still on its way while a master leads.
fn progress(wanted: &Wanted, facts: &Facts, master: &str, has_quorum: bool) -> Option<Unsettled> {
    let replicas = facts.nodes.iter().filter(|node| node.pod != master);
    let linked = replicas.clone().filter(|node| node.follows(master)).count();
    let expected = usize::try_from(wanted.nodes.saturating_sub(1)).unwrap_or(usize::MAX);
    if wanted.sentinels > 0 && !has_quorum {
        return unsettled("BootstrappingSentinels", "Sentinels do not agree on the master yet");
    }
    if linked < expected {
        return unsettled("ReplicaOutOfSync", format!("{linked} of {expected} replicas follow {master}"));
    }
    if facts.nodes.iter().any(|node| node.is_outdated) {
        return unsettled("RollingUpdate", "pods of Redis are replaced one by one, the master last");
    }
    let count = u32::try_from(facts.nodes.len()).unwrap_or(u32::MAX);
    (count > wanted.nodes).then(|| Unsettled {
        reason: "ScalingDown",
        message: format!("{count} pods, {} are wanted", wanted.nodes),
    })
}

/// Labels that differ: whoever is no master loses that label before the master gets it.
fn labels(facts: &Facts, master: Option<&str>) -> Vec<(String, &'static str)> {
    let Some(master) = master else { return Vec::new() };
    let mut labels: Vec<(String, &'static str)> = facts
        .nodes
        .iter()
        .map(|node| (node, if node.pod == master { "master" } else { "replica" }))
        .filter(|(node, role)| node.label.as_deref() != Some(*role))
        .map(|(node, role)| (node.pod.clone(), role))
        .collect();
    labels.sort_by_key(|(_, role)| *role == "master");
    labels
}

#[cfg(test)]
mod tests;
