//! What is said of the store: of a provisioned Redis, of one outside, and whether the service reaches it. Pure.
//!
//! Input: what is desired, decided and observed. Output: a verdict, and a part of the status. Must not know: the rest of it.

use super::{Verdict, waiting_verdict};
use crate::controller::decide::{Decision, Provisioned};
use crate::controller::observe::Observed;
use crate::controller::redis::facts::Facts;
use crate::controller::redis::plan::{Step, Unsettled};
use crate::controller::redis::rotation;
use crate::controller::validate::Desired;
use crate::controller::waiting::Fields;
use crate::crd::{Mode, RedisStatus, Rotation};
use contract::State;

/// What the status says of a provisioned Redis.
pub(super) fn redis_status(Provisioned { plan, auth, .. }: &Provisioned, facts: &Facts) -> RedisStatus {
    let master = match &plan.step {
        // It is recorded before it is made the master.
        Some(Step::Choose(pod)) if plan.is_due => Some(pod.clone()),
        _ => plan.master.clone(),
    };
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let name = master.as_deref().unwrap_or_default();
    let words = facts.sentinels.iter().filter_map(|sentinel| sentinel.word.as_ref());
    RedisStatus {
        replicas_in_sync: count(facts.nodes.iter().filter(|node| node.follows(name)).count()),
        sentinels_agree: count(words.filter(|word| word.master.as_deref() == Some(name)).count()),
        master,
        rotation: rotation::running(auth, facts).map(|pass| Rotation {
            pass: pass.name().to_owned(),
            waits_for: rotation::pending(auth, facts).into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// Whether the store that is wanted answers.
pub(super) fn store_ready(
    desired: &Desired,
    decision: &Decision,
    observed: &Observed,
    state: Option<&State>,
) -> Verdict {
    if decision.mode == Mode::Memory {
        return Verdict::of("True", "InMemory", "snapshots are in the service's memory");
    }
    if decision.mode == Mode::External {
        return external_store(state);
    }
    match (&observed.redis, state) {
        (None, _) => Verdict::of("False", "WaitingForRedis", "the StatefulSet is not there yet"),
        (Some(redis), _) if !redis.is_rolled_out() => {
            let fields = Fields {
                image: "spec.redis.image",
                resources: "spec.redis.resources",
                storage: "spec.redis.storage",
                wanted: Some(&desired.redis.storage),
            };
            let progress = format!("{} of {} Redis pods are ready", redis.ready, redis.wanted);
            waiting_verdict("WaitingForRedis", &progress, redis, fields)
        }
        _ if let Some(verdict) = unsettled(decision, observed) => verdict,
        (Some(_), Some(state)) if state.store == "up" => {
            Verdict::of("True", "RedisAnswers", "the service reaches Redis")
        }
        (Some(_), Some(state)) => Verdict::of(
            "False",
            "StoreUnreachable",
            match &state.store_problem {
                Some(problem) => {
                    format!("Redis is ready, but the service says: {problem}; exams go on from the log")
                }
                None => format!(
                    "Redis is ready, but the service finds it {}; exams go on from the log",
                    state.store
                ),
            },
        ),
        (Some(_), None) => Verdict::of(
            "Unknown",
            "ServiceSilent",
            "Redis is ready; the service has not said whether it reaches it",
        ),
    }
}

/// What a provisioned Redis still lacks, although its pods are there.
fn unsettled(decision: &Decision, observed: &Observed) -> Option<Verdict> {
    let Provisioned { wanted, plan, .. } = decision.redis.as_ref()?;
    if let Some(Unsettled { reason, message }) = &plan.unsettled {
        return Some(Verdict::of("False", reason, message));
    }
    let ready = observed.sentinel.as_ref().map_or(0, |sentinel| sentinel.ready);
    let is_short = wanted.sentinels > 0 && i64::from(ready) < i64::from(wanted.sentinels);
    is_short.then(|| {
        let message = format!("{ready} of {} Sentinels are ready", wanted.sentinels);
        Verdict::of("False", "BootstrappingSentinels", message)
    })
}

/// Whether the service reaches a Redis outside, in its own words.
fn external_store(state: Option<&State>) -> Verdict {
    match state {
        Some(state) if state.store == "up" => {
            Verdict::of("True", "RedisAnswers", "the service reaches the external Redis")
        }
        Some(state) => {
            let problem = state.store_problem.as_deref().unwrap_or("it does not answer");
            let message = format!("the external Redis: {problem}; exams go on from the log");
            Verdict::of("False", "StoreUnreachable", message)
        }
        None => Verdict::of("Unknown", "ServiceSilent", "the service has not said whether it reaches Redis"),
    }
}
