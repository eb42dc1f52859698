//! The status of a resource, from the facts of this reconcile. Pure.
//!
//! Input: what is desired, decided and observed, and the last status. Output: the new status. Nothing is claimed that
//! was not observed; what could not be observed is `Unknown`. Must not know: the cluster.

mod monitoring;
mod store;
mod transitions;

use super::decide::Decision;
use super::hold::Held;
use super::observe::claims::Claim;
use super::observe::{Observed, Workload};
use super::quantity::thousandths;
use super::validate::{Desired, DesiredDatabase, InvalidSpec};
use super::waiting::{self, Fields, Waiting};
use crate::crd::{AdaptiveExamDeploymentStatus, Adoption, AuthMode, Endpoints, Request};
use crate::names::Component;
use contract::State;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
pub use monitoring::{MONITORING_READY, is_monitored};
use monitoring::{known_monitoring, monitoring};
use store::{redis_status, store_ready};
pub use transitions::is_turning;
use transitions::{Running, cause};

/// All of it runs as wanted.
pub const READY: &str = "Ready";
/// The exam API has a pod that serves.
pub const SERVICE_AVAILABLE: &str = "ServiceAvailable";
/// The store that is wanted answers.
pub const STORE_READY: &str = "StoreReady";
/// The store is rolled back to memory; absent otherwise.
pub const ROLLED_BACK: &str = "RolledBack";
/// Pods are still to be replaced by changed ones, and something has to come first; absent otherwise.
pub const UPDATE_WAITING: &str = "UpdateWaiting";
/// Something is on its way; absent otherwise.
pub const RECONCILING: &str = "Reconciling";
/// Nothing will happen before somebody acts; absent otherwise.
pub const STALLED: &str = "Stalled";

/// A verdict on one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn of(status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// The status of a resource that could be validated.
pub fn status(
    desired: &Desired,
    decision: &Decision,
    held: Option<&Held>,
    revision: &str,
    observed: &Observed,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> AdaptiveExamDeploymentStatus {
    let state = observed.state(revision).and_then(|state| state.as_ref().ok());
    let service = service_available(desired, observed.service.as_ref());
    let store = store_ready(desired, decision, observed, state);
    let ready = ready(decision, revision, &service, &store, observed);
    let mut verdicts = vec![(READY, ready.clone()), (SERVICE_AVAILABLE, service), (STORE_READY, store)];
    if desired.rollback == Some(Request::Memory) {
        let wanted = desired.mode.as_str();
        let message =
            format!("spec.rollback.request is Memory; redis.mode, which is {wanted}, waits for Return");
        verdicts.push((ROLLED_BACK, Verdict::of("True", "RolledBackManually", message)));
    }
    if let Some(Held { reason, message }) = held {
        verdicts.push((UPDATE_WAITING, Verdict::of("True", reason, message.as_str())));
    }
    if let Some(monitoring) = monitoring(decision.monitoring) {
        verdicts.push((MONITORING_READY, monitoring));
    }
    if desired.paused {
        verdicts.push((STALLED, Verdict::of("True", "Paused", "spec.paused is true: nothing is written")));
    } else if !ready.is_true() {
        verdicts.push((RECONCILING, Verdict::of("True", ready.reason, ready.message)));
    } else if let Some(growing) = growing(observed) {
        verdicts.push((RECONCILING, growing));
    }
    let token_secret = (desired.auth.mode == AuthMode::Token).then(|| desired.names.auth());
    let mode = state.map(|state| running_mode(state, decision, revision, before));
    let adoption = adoption(observed, revision);
    let running = Running {
        before: before.and_then(|before| before.mode.as_deref()),
        now: mode.as_deref(),
        wanted: decision.mode.as_str(),
        is_adopted: adoption.pods > 0 && adoption.adopted == adoption.pods,
        cause: cause(desired, mode.as_deref()),
        open: observed.open_exams.as_ref(),
    };
    let list = before.map(|before| before.transitions.clone()).unwrap_or_default();
    AdaptiveExamDeploymentStatus {
        observed_generation: Some(desired.generation),
        transitions: if desired.paused { list } else { transitions::record(list, running, now) },
        mode,
        replicas: observed.service.as_ref().map_or(0, |service| service.total),
        selector: Some(desired.names.selected(Component::Service)),
        redis: decision.redis.as_ref().map(|redis| redis_status(redis, &observed.redis_facts)),
        settings_revision: state.map(|state| state.settings_revision.clone()),
        durability: state.map(|state| state.durability.clone()),
        adoption,
        endpoints: Endpoints { service: Some(desired.names.service_url()), token_secret },
        conditions: conditions(verdicts, desired.generation, before, now),
    }
}

/// The status of a resource whose spec cannot be run: nothing was applied, what ran still runs.
pub fn invalid(
    invalid: &InvalidSpec,
    generation: i64,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> AdaptiveExamDeploymentStatus {
    let verdict = |status| Verdict::of(status, "InvalidSpec", invalid.to_string());
    stalled(generation, before, now, &verdict)
}

/// The mode by the name that the spec has for it, which the service does not know.
fn running_mode(
    state: &State,
    decision: &Decision,
    revision: &str,
    before: Option<&AdaptiveExamDeploymentStatus>,
) -> String {
    if state.settings_revision == revision {
        return decision.mode.as_str().to_owned();
    }
    let known = before.filter(|before| before.settings_revision.as_ref() == Some(&state.settings_revision));
    known.and_then(|before| before.mode.clone()).unwrap_or_else(|| state.mode.clone())
}

/// The status of a resource that names a Secret which cannot be used: nothing was applied, what ran still runs.
pub fn unusable(
    reason: &'static str,
    message: &str,
    desired: &Desired,
    observed: &Observed,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> AdaptiveExamDeploymentStatus {
    let service = service_available(desired, observed.service.as_ref());
    let status = stalled(desired.generation, before, now, &|status| Verdict::of(status, reason, message));
    let told = conditions(vec![(SERVICE_AVAILABLE, service)], desired.generation, before, now);
    let mut others = status.conditions;
    others.retain(|known| known.type_ != SERVICE_AVAILABLE);
    // What somebody else makes comes by itself.
    if reason.starts_with("WaitingFor") {
        let stalled = others.iter_mut().filter(|known| known.type_ == STALLED);
        stalled.for_each(|known| RECONCILING.clone_into(&mut known.type_));
    }
    AdaptiveExamDeploymentStatus {
        replicas: observed.service.as_ref().map_or(0, |service| service.total),
        conditions: others.into_iter().chain(told).collect(),
        ..status
    }
}

/// The status of a resource of which nothing else is known: it cannot be read, or what has its names
/// is somebody else's.
pub fn blocked(
    reason: &'static str,
    message: &str,
    generation: i64,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> AdaptiveExamDeploymentStatus {
    stalled(generation, before, now, &|status| Verdict::of(status, reason, message))
}

/// The same status, but a write failed. If it fails until somebody acts, the resource is stalled; if
/// it may succeed the next time, whether all is as wanted is not known.
pub fn failed(
    reason: &'static str,
    message: &str,
    is_lasting: bool,
    status: AdaptiveExamDeploymentStatus,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> AdaptiveExamDeploymentStatus {
    let generation = status.observed_generation.unwrap_or_default();
    let (ready, kind) = if is_lasting { ("False", STALLED) } else { ("Unknown", RECONCILING) };
    let verdicts =
        vec![(READY, Verdict::of(ready, reason, message)), (kind, Verdict::of("True", reason, message))];
    let mut told = conditions(verdicts, generation, before, now);
    let seen = [SERVICE_AVAILABLE, STORE_READY, MONITORING_READY];
    let kept = known_monitoring(before).filter(|_| !is_monitored(&status));
    told.extend(status.conditions.into_iter().filter(|known| seen.contains(&known.type_.as_str())));
    told.extend(kept);
    AdaptiveExamDeploymentStatus { conditions: told, ..status }
}

fn stalled(
    generation: i64,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
    verdict: &dyn Fn(&'static str) -> Verdict,
) -> AdaptiveExamDeploymentStatus {
    let unknown = |reason| Verdict::of("Unknown", reason, "not looked at: the resource is stalled");
    let verdicts = vec![
        (READY, verdict("False")),
        (SERVICE_AVAILABLE, unknown("Stalled")),
        (STORE_READY, unknown("Stalled")),
        (STALLED, verdict("True")),
    ];
    let mut told = conditions(verdicts, generation, before, now);
    told.extend(known_monitoring(before));
    AdaptiveExamDeploymentStatus {
        observed_generation: Some(generation),
        conditions: told,
        ..before.cloned().unwrap_or_default()
    }
}

/// The volume that is not yet as large as its claim asks for.
fn growing(observed: &Observed) -> Option<Verdict> {
    let is_less = |held: &str, asked: &str| Some(thousandths(held)? < thousandths(asked)?);
    observed.claims.iter().find_map(|Claim { name, asked, held }| {
        let held = held.as_deref().filter(|held| is_less(held, asked) == Some(true))?;
        Some(Verdict::of("True", "VolumeGrowing", format!("volume claim {name} has {held} of {asked}")))
    })
}

/// How many of the pods that are ready run these Settings.
fn adoption(observed: &Observed, revision: &str) -> Adoption {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let adopted = observed.pods.iter().filter(|pod| pod.has_adopted(revision)).count();
    Adoption { adopted: count(adopted), pods: count(observed.pods.len()) }
}

fn service_available(desired: &Desired, service: Option<&Workload>) -> Verdict {
    match service {
        None => Verdict::of("False", "WaitingForPods", "the Deployment is not there yet"),
        Some(workload) if workload.is_rolled_out() => {
            Verdict::of("True", "PodsReady", format!("{} of {} pods serve", workload.ready, workload.wanted))
        }
        Some(workload) => {
            let Workload { ready, wanted, .. } = workload;
            let fields = Fields {
                image: "spec.image",
                resources: "spec.service.resources",
                storage: "spec.database.storage",
                wanted: match &desired.database {
                    DesiredDatabase::Embedded(storage) => Some(storage),
                    DesiredDatabase::Postgres { .. } => None,
                },
            };
            let progress = format!("{ready} of {wanted} pods serve");
            waiting_verdict("WaitingForPods", &progress, workload, fields)
        }
    }
}

/// Why a workload is not rolled out, if the cluster says it; otherwise only how far it is.
fn waiting_verdict(reason: &'static str, progress: &str, workload: &Workload, fields: Fields<'_>) -> Verdict {
    match waiting::why(&workload.evidence, workload.refused.as_deref(), fields) {
        Some(Waiting { reason, message }) => Verdict::of("False", reason, format!("{progress}: {message}")),
        None => Verdict::of("False", reason, progress),
    }
}

fn ready(
    decision: &Decision,
    revision: &str,
    service: &Verdict,
    store: &Verdict,
    observed: &Observed,
) -> Verdict {
    if !service.is_true() {
        return Verdict { status: "False", ..service.clone() };
    }
    match observed.state(revision) {
        Some(Ok(state)) if state.settings_rejected.as_deref() == Some(revision) => {
            let faults = state.settings_faults.as_deref().unwrap_or("it does not say why");
            Verdict::of(
                "False",
                "SettingsRejected",
                format!("the service goes on with {}: {faults}", state.settings_revision),
            )
        }
        Some(Ok(state)) if state.settings_revision != revision || state.mode != decision.store.mode() => {
            let State { mode, settings_revision, .. } = state;
            let wanted = decision.mode.as_str();
            let Adoption { adopted, pods } = adoption(observed, revision);
            let message = format!(
                "{adopted} of {pods} pods have adopted {wanted} ({revision}); one still runs {mode} ({settings_revision})"
            );
            Verdict::of("False", "WaitingForPods", message)
        }
        Some(Ok(state)) if state.database.as_deref() == Some("down") => Verdict::of(
            "False",
            "DatabaseUnreachable",
            "the service does not reach its database, and answers are refused until it does",
        ),
        Some(Ok(_)) if store.is_true() => Verdict::of(
            "True",
            "AllChecksPassed",
            format!("exams are served in mode {}", decision.mode.as_str()),
        ),
        Some(Ok(_)) => store.clone(),
        Some(Err(reason)) => Verdict::of("Unknown", "ServiceSilent", reason.clone()),
        None => Verdict::of("Unknown", "ServiceSilent", "the service has not told its state"),
    }
}

fn conditions(
    verdicts: Vec<(&'static str, Verdict)>,
    generation: i64,
    before: Option<&AdaptiveExamDeploymentStatus>,
    now: &Time,
) -> Vec<Condition> {
    let since = |type_: &str, status: &str| {
        let known = before?.conditions.iter().find(|known| known.type_ == type_)?;
        (known.status == status).then(|| known.last_transition_time.clone())
    };
    let condition = |(type_, verdict): (&'static str, Verdict)| Condition {
        last_transition_time: since(type_, verdict.status).unwrap_or_else(|| now.clone()),
        type_: type_.to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason.to_owned(),
        message: verdict.message,
        observed_generation: Some(generation),
    };
    verdicts.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests;
