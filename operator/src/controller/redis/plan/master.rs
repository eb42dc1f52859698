//! Who the master is, and what has to be done for it to lead. Pure.
//!
//! Input: facts, and the record. Output: the master, the step that it takes, and what is wrong until then. Must not know:
//! pods that are to be replaced, settings.

use super::{Step, Unsettled, Wanted, unsettled};
use crate::controller::redis::facts::{Facts, Node, Role};

pub(super) type Led = (Option<String>, Option<Step>, Option<Unsettled>);

/// A majority of Sentinels agrees: what they name is the master, and the operator elects nobody.
pub(super) fn led_by_sentinels(facts: &Facts, named: &str) -> Led {
    let is_led = facts.node(named).is_some_and(Node::is_master);
    let step = is_led.then(|| stray(facts, named)).flatten();
    let problem = if facts.is_failing_over() || !is_led {
        unsettled("WaitingForMaster", format!("Sentinels name {named}, which is not a master yet"))
    } else {
        None
    };
    (Some(named.to_owned()), step, problem)
}

/// Sentinels are not there, or do not agree.
pub(super) fn led_by_record(wanted: &Wanted, facts: &Facts, record: Option<&str>, now: (u32, u32)) -> Led {
    let there = u32::try_from(facts.sentinels.len()).unwrap_or(u32::MAX);
    let lost = match now.1 > 0 && wanted.sentinels > 0 {
        true if there < now.1 => {
            unsettled("BootstrappingSentinels", format!("{there} of {} Sentinels are there", now.1))
        }
        true => {
            unsettled("QuorumLost", "Sentinels do not agree on a master; they elect nobody until they do")
        }
        false => None,
    };
    let answers = |node: &&Node| node.word.as_ref().is_some_and(|word| !word.is_loading);
    let answering = facts.nodes.iter().filter(answers).count();
    let all_answer = answering >= usize::try_from(wanted.nodes.max(now.0)).unwrap_or(usize::MAX);
    let recorded = record.and_then(|record| facts.node(record));
    match (record, recorded.and_then(|node| Some((node, node.word.as_ref()?)))) {
        (Some(record), Some((node, word))) if !word.is_loading => {
            let richer = best(facts).filter(|best| best.has_data() && !node.has_data());
            if let Some(richer) = richer {
                return (
                    Some(record.to_owned()),
                    Some(Step::Choose(richer.pod.clone())),
                    lost.or_else(|| {
                        unsettled(
                            "NoMaster",
                            format!("{record} has lost its data, and {} has some", richer.pod),
                        )
                    }),
                );
            }
            match word.role {
                Role::Master => (Some(record.to_owned()), stray(facts, record), lost),
                Role::Replica { .. } => {
                    let leader = facts.nodes.iter().find(|other| other.is_master());
                    let promote = match leader {
                        // It takes over from a living master, if it has all of its writes.
                        Some(leader) if node.follows(&leader.pod) => {
                            Some(Step::Move { from: leader.pod.clone(), to: record.to_owned() })
                        }
                        // Otherwise that one stays; it came back before it was missed.
                        Some(leader) if leader.has_data() || !node.has_data() => {
                            Some(Step::Choose(leader.pod.clone()))
                        }
                        Some(leader) => {
                            Some(Step::Follow { pod: leader.pod.clone(), master: record.to_owned() })
                        }
                        None => (node.has_data() || all_answer).then(|| Step::Promote(record.to_owned())),
                    };
                    let problem = match promote {
                        Some(_) => unsettled("BootstrappingMaster", format!("{record} becomes the master")),
                        // One of those that are silent may have what it lacks.
                        None => {
                            unsettled("NoMaster", format!("{record} is empty, and not every Redis answers"))
                        }
                    };
                    (Some(record.to_owned()), promote, problem)
                }
            }
        }
        (Some(record), _) => {
            // Only one Redis: it comes back by itself, or nothing does. An empty one never stands in for it.
            let instead =
                best(facts).filter(|best| best.pod != record && wanted.nodes > 1 && best.has_data());
            let step = instead.map(|best| Step::Choose(best.pod.clone()));
            (
                Some(record.to_owned()),
                step,
                unsettled("NoMaster", format!("{record}, the master, does not answer")),
            )
        }
        (None, _) => {
            let problem = unsettled("WaitingForMaster", "no Redis was chosen as the master yet");
            let masters: Vec<&Node> = facts.nodes.iter().filter(|node| node.is_master()).collect();
            let chosen = match masters.as_slice() {
                [one] => Some(*one),
                _ => best(facts).filter(|_| all_answer),
            };
            (None, chosen.map(|node| Step::Choose(node.pod.clone())), problem)
        }
    }
}

/// The pod that knows most: one with data, then a master, then the largest offset, then the lowest ordinal.
fn best(facts: &Facts) -> Option<&Node> {
    let answering = facts.nodes.iter().filter(|node| !node.is_going);
    answering
        .filter_map(|node| Some((node, node.word.as_ref().filter(|word| !word.is_loading)?)))
        .max_by_key(|(node, word)| {
            (word.keys > 0, node.is_master(), word.offset, std::cmp::Reverse(node.ordinal))
        })
        .map(|(node, _)| node)
}

/// A pod that follows nobody or the wrong one.
fn stray(facts: &Facts, master: &str) -> Option<Step> {
    let strays = facts.nodes.iter().filter(|node| node.pod != master && !node.is_going);
    strays
        .filter_map(|node| Some((node, node.word.as_ref().filter(|word| !word.is_loading)?)))
        .find(|(_, word)| match &word.role {
            Role::Master => true,
            Role::Replica { of, .. } => of.as_deref() != Some(master),
        })
        .map(|(node, _)| Step::Follow { pod: node.pod.clone(), master: master.to_owned() })
}
