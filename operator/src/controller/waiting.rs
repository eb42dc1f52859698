//! Why the pods of a workload are not there or not ready, in words for whoever can do something about it.
//!
//! Input: the evidence of the cluster, and the fields of the spec that matter. Output: a reason and a sentence, the same
//! for the same trouble, so that nothing is written while nothing changes. Pure. Must not know: how it is read.

use super::observe::evidence::{Evidence, Warning};
use crate::crd::Storage;
use k8s_openapi::api::core::v1::{ContainerStatus, PersistentVolumeClaim, Pod};
use kube::ResourceExt;

/// Longest quotation of somebody else's words, in characters.
const QUOTED: usize = 400;

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// A static word, for conditions, events and metrics.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Waiting {
    fn of(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}

/// Fields of the spec that a message may name, and what they say.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The field of the image.
    pub image: &'a str,
    /// The field of requests and limits.
    pub resources: &'a str,
    /// The field of the volume.
    pub storage: &'a str,
    /// What that field says, if it is used.
    pub wanted: Option<&'a Storage>,
}

/// The first reason that explains why a workload is not ready; `None` if its pods are only on their way.
/// `refused` is what the controller of the workload itself says of pods that it cannot create.
pub fn why(evidence: &Evidence, refused: Option<&str>, fields: Fields<'_>) -> Option<Waiting> {
    let pods = || evidence.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let of_containers = pods().find_map(|pod| {
        let containers = pod.status.iter().flat_map(|status| {
            status.init_container_statuses.iter().chain(&status.container_statuses).flatten()
        });
        containers.into_iter().find_map(|container| of_container(pod, container, fields))
    });
    let of_claims = || evidence.claims.iter().find_map(|claim| of_claim(claim, evidence, fields));
    let of_schedule = || pods().find_map(|pod| unschedulable(pod, fields));
    let of_mounts = || pods().find_map(|pod| not_mounted(pod, evidence));
    of_containers
        .or_else(of_claims)
        .or_else(of_schedule)
        .or_else(of_mounts)
        .or_else(|| pods().next().is_none().then(|| refusal(evidence, refused, fields)).flatten())
}

fn of_container(pod: &Pod, container: &ContainerStatus, fields: Fields<'_>) -> Option<Waiting> {
    if container.ready {
        return None;
    }
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    let message = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => {
            // The kubelet says the same in two forms, in turns.
            let cause = message.split_once("ErrImagePull: ").map_or(message, |(_, cause)| cause);
            let cause = if cause.starts_with("Back-off") { "" } else { cause };
            let colon = if cause.is_empty() { "" } else { ": " };
            Some(Waiting::of(
                "ImagePull",
                format!(
                    "the image {} cannot be pulled{colon}{}; check {} and its pull secrets",
                    container.image,
                    quoted(cause),
                    fields.image
                ),
            ))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some(Waiting::of(
            "ContainerConfig",
            format!("the container of pod {} cannot be made: {}", pod.name_any(), quoted(message)),
        )),
        _ => crashed(pod, container),
    }
}

/// A container that ended and is started again, with its last words.
fn crashed(pod: &Pod, container: &ContainerStatus) -> Option<Waiting> {
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref().and_then(|state| state.terminated.clone())
    };
    let last = ended(&container.state).or_else(|| ended(&container.last_state))?;
    if container.restart_count == 0 && last.exit_code == 0 {
        return None;
    }
    let words = last.message.unwrap_or_default();
    let words = words.trim().lines().last().unwrap_or_default();
    let said = if words.is_empty() { String::new() } else { format!("; its last words: {}", quoted(words)) };
    let because = last.reason.filter(|reason| reason != "Error").map(|reason| format!(" ({reason})"));
    Some(Waiting::of(
        "Crashing",
        format!(
            "pod {} ended with exit code {}{}{said}",
            pod.name_any(),
            last.exit_code,
            because.unwrap_or_default()
        ),
    ))
}

/// A volume claim that is not bound, or is on its way out.
fn of_claim(claim: &PersistentVolumeClaim, evidence: &Evidence, fields: Fields<'_>) -> Option<Waiting> {
    let name = claim.name_any();
    if claim.metadata.deletion_timestamp.is_some() {
        let message = format!("the volume claim {name} is being deleted; it is made again when it is gone");
        return Some(Waiting::of("VolumePending", message));
    }
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase == Some("Bound") {
        return None;
    }
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let wanted = fields.wanted.and_then(|wanted| wanted.class_name.as_deref());
    let warned = latest(evidence, "PersistentVolumeClaim", &name, |_| true);
    let cause = warned.map(|warning| format!(": {}", quoted(&warning.message))).unwrap_or_default();
    let class_text =
        class.map_or("the default StorageClass".to_owned(), |class| format!("StorageClass {class}"));
    let advice = match wanted {
        // The default of the cluster is filled in when a claim is made, so an unset wish fits any class.
        Some(wanted) if class != Some(wanted) => format!(
            "; it is left over from an earlier resource and has {class_text}, while {}.className is {wanted}: delete the claim if nothing on it is needed",
            fields.storage
        ),
        None if warned.is_some() && class.is_some() => format!(
            "; it has {class_text}, while {}.className is not set: if it is left over from an earlier resource and nothing on it is needed, delete the claim",
            fields.storage
        ),
        _ => format!("; check {}.className", fields.storage),
    };
    // Before a pod wants it, a claim may wait in peace.
    (warned.is_some() || class != wanted && wanted.is_some()).then(|| {
        Waiting::of("VolumePending", format!("the volume claim {name} waits for a volume{cause}{advice}"))
    })
}

fn unschedulable(pod: &Pod, fields: Fields<'_>) -> Option<Waiting> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let refused = conditions
        .iter()
        .find(|known| known.type_ == "PodScheduled" && known.reason.as_deref() == Some("Unschedulable"))?;
    let message = refused.message.as_deref().unwrap_or_default();
    let advice =
        if message.contains("Insufficient") { format!("; see {}", fields.resources) } else { String::new() };
    Some(Waiting::of(
        "Unschedulable",
        format!("pod {} finds no node: {}{advice}", pod.name_any(), quoted(message)),
    ))
}

fn not_mounted(pod: &Pod, evidence: &Evidence) -> Option<Waiting> {
    let is_about =
        |reason: &str| matches!(reason, "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox");
    let name = pod.name_any();
    let is_pending = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
    let warning = latest(evidence, "Pod", &name, is_about).filter(|_| is_pending)?;
    Some(Waiting::of("VolumeNotMounted", format!("pod {name} waits: {}", quoted(&warning.message))))
}

/// Why no pod is there at all.
fn refusal(evidence: &Evidence, refused: Option<&str>, fields: Fields<'_>) -> Option<Waiting> {
    let created = evidence.warnings.iter().rev().find(|warning| warning.reason == "FailedCreate");
    let message = refused.or(created.map(|warning| warning.message.as_str()))?;
    // Only the refusal of the API server: what comes before it names a pod by chance.
    let cause = message.split_once(" is forbidden: ").map_or(message, |(_, cause)| cause);
    let cause = cause.split_once(" error: pods ").map_or(cause, |(_, cause)| cause);
    let advice = match cause.contains("quota") || cause.contains("limit") {
        true => format!("; set {} to what the namespace allows", fields.resources),
        false => String::new(),
    };
    Some(Waiting::of("PodsRefused", format!("no pod can be made: {}{advice}", quoted(cause))))
}

fn latest<'e>(
    evidence: &'e Evidence,
    kind: &str,
    name: &str,
    reason: impl Fn(&str) -> bool,
) -> Option<&'e Warning> {
    let about = |warning: &&Warning| warning.kind == kind && warning.name == name && reason(&warning.reason);
    evidence.warnings.iter().rev().find(about)
}

/// Somebody else's words, in one line and not too many.
fn quoted(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
