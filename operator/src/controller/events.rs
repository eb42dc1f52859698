//! Kubernetes events of a resource: one for each transition, none at rest.
//!
//! Input: the status before and after, and what happened to its Secrets. Output: events on the resource. A failure to
//! write one is logged and changes nothing. Must not know: why something happened.

use super::decide::SecretWrite;
use super::status::READY;
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus, Transition};
use crate::names::FIELD_MANAGER;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

/// Longest note of an event, as the API server has it.
const LONGEST: usize = 1024;

/// Writes events.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events of this operator.
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells a transition of the condition `Ready`, if there is one.
    pub async fn tell_transition(
        &self,
        resource: &ObjectMeta,
        before: Option<&AdaptiveExamDeploymentStatus>,
        after: &AdaptiveExamDeploymentStatus,
    ) {
        if let Some(event) = transition(before, after) {
            self.write(resource, event).await;
        }
    }

    /// Tells that a Secret of a resource was lost.
    pub async fn tell_lost_secret(&self, resource: &ObjectMeta, secret: &str, reason: &str, note: &str) {
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: Some(secret.to_owned()),
            namespace: resource.namespace.clone(),
            ..ObjectReference::default()
        };
        let event = Event { secondary: Some(about), ..event(EventType::Warning, reason, note) };
        self.write(resource, event).await;
    }

    /// Tells of changes of the mode that are complete.
    pub async fn tell_mode(
        &self,
        resource: &ObjectMeta,
        before: Option<&AdaptiveExamDeploymentStatus>,
        after: &AdaptiveExamDeploymentStatus,
    ) {
        let Some(done) = after.transitions.last().filter(|last| last.seconds.is_some()) else { return };
        if before.is_some_and(|before| before.transitions.last() == Some(done)) {
            return;
        }
        let Transition { from, to, cause, seconds, .. } = done;
        let note = format!("from {from} to {to} in {} s: {cause}", seconds.unwrap_or_default());
        self.write(resource, event(EventType::Normal, "ModeChanged", &note)).await;
    }

    /// Tells of a step that was taken at Redis, or failed.
    pub async fn tell_step(&self, resource: &ObjectMeta, reason: &str, note: &str, is_done: bool) {
        let type_ = if is_done { EventType::Normal } else { EventType::Warning };
        self.write(resource, event(type_, reason, note)).await;
    }

    async fn write(&self, resource: &ObjectMeta, event: Event) {
        let reference = ObjectReference {
            api_version: Some(AdaptiveExamDeployment::api_version(&()).into_owned()),
            kind: Some(AdaptiveExamDeployment::kind(&()).into_owned()),
            name: resource.name.clone(),
            namespace: resource.namespace.clone(),
            uid: resource.uid.clone(),
            ..ObjectReference::default()
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(reason = event.reason, "an event could not be written: {error}");
        }
    }
}

fn event(type_: EventType, reason: &str, note: &str) -> Event {
    let end = note.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST).last();
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note[..end.unwrap_or(0)].to_owned()),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// How reasons begin that tell of progress, not of trouble.
const ON_THE_WAY: [&str; 4] = ["WaitingFor", "Bootstrapping", "RollingUpdate", "ScalingDown"];

/// The event of a status whose `Ready` has another status or reason than before.
fn transition(
    before: Option<&AdaptiveExamDeploymentStatus>,
    after: &AdaptiveExamDeploymentStatus,
) -> Option<Event> {
    let ready = |status: &AdaptiveExamDeploymentStatus| {
        status.conditions.iter().find(|known| known.type_ == READY).cloned()
    };
    let now = ready(after)?;
    let then = before.and_then(ready);
    if then.is_some_and(|then| (then.status, then.reason) == (now.status.clone(), now.reason.clone())) {
        return None;
    }
    let is_normal = now.status == "True" || ON_THE_WAY.iter().any(|start| now.reason.starts_with(start));
    let type_ = if is_normal { EventType::Normal } else { EventType::Warning };
    Some(event(type_, &now.reason, &now.message))
}

/// What is told of a Secret that was in use and had to be written again.
pub fn lost_secret(
    is_used: bool,
    write: &SecretWrite,
    name: &str,
    is_new: bool,
) -> Option<(&'static str, String)> {
    let (reason, what) = match write {
        SecretWrite::Keep | SecretWrite::Update(_) => return None,
        SecretWrite::Create => ("SecretDeleted", "was deleted"),
        SecretWrite::Restore(_) => ("SecretEmptied", "had lost its content"),
    };
    let how = match is_new {
        true => {
            "it has a new value now, because this operator had not seen the old one; whoever uses it has to read it again"
        }
        false => "it has the same value again",
    };
    is_used.then(|| (reason, format!("Secret {name} {what}; {how}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use k8s_openapi::jiff::Timestamp;

    fn status(ready: &str, reason: &str, message: &str) -> AdaptiveExamDeploymentStatus {
        let condition = Condition {
            type_: READY.to_owned(),
            status: ready.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        AdaptiveExamDeploymentStatus {
            conditions: vec![condition],
            ..AdaptiveExamDeploymentStatus::default()
        }
    }

    #[test]
    fn a_transition_is_told_once() {
        let waits = status("False", "WaitingForPods", "0 of 1");
        let pull = status("False", "ImagePull", &"ä".repeat(2000));
        let ready = status("True", "AllChecksPassed", "");
        let told = |before: Option<&AdaptiveExamDeploymentStatus>, after: &AdaptiveExamDeploymentStatus| {
            transition(before, after).map(|event| (event.type_, event.reason))
        };
        assert_eq!(told(None, &waits), Some((EventType::Normal, "WaitingForPods".to_owned())));
        assert_eq!(told(Some(&waits), &pull), Some((EventType::Warning, "ImagePull".to_owned())));
        assert_eq!(told(Some(&pull), &pull), None);
        assert_eq!(told(Some(&pull), &ready), Some((EventType::Normal, "AllChecksPassed".to_owned())));
        assert_eq!(
            transition(None, &pull).and_then(|event| event.note).map(|note| note.len()),
            Some(LONGEST)
        );
    }
}
