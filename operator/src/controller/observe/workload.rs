//! Workloads: how far Kubernetes is with them.
//!
//! Input: Deployments and StatefulSets. Output: [`Workload`]. Must not know: what they run.

use super::claims::Claim;
use super::evidence::Evidence;
use crate::names;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// The template of a workload's pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// Kind of the workload.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What pods are made of, as the API server has it, with its defaults.
    pub pods: Value,
    /// The hash of that as it was planned; `None`: it was planned before there were hashes.
    pub hash: Option<String>,
    /// The hash of the part of the spec that it was made from.
    pub made_from: Option<String>,
}

/// How far a workload is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Whether its controller has observed the latest spec.
    pub is_current: bool,
    /// Desired number of pods.
    pub wanted: i32,
    /// Pods of the latest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// All pods, including old ones.
    pub total: i32,
    /// Why its controller cannot create its pods, in the controller's words.
    pub refused: Option<String>,
    /// The template of its pods.
    pub template: Template,
    /// The size of the volumes that it was made with, which cannot be changed in it.
    pub volume: Option<String>,
    /// What the cluster says of its pods; empty while all is as it should be.
    pub evidence: Evidence,
}

impl Workload {
    /// Whether all desired pods run and no old pod is left.
    pub fn is_rolled_out(&self) -> bool {
        let Self { wanted, updated, ready, total, .. } = *self;
        self.is_current && updated == wanted && ready == wanted && total == wanted
    }
}

/// Whether the pods of a Redis have a certificate.
pub(super) fn has_tls(set: &StatefulSet) -> bool {
    let spec = set.spec.template.spec.as_ref();
    let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().any(|volume| volume.name == "tls")
}

/// The template of a live workload.
fn template(kind: &'static str, metadata: &ObjectMeta, template: &PodTemplateSpec) -> Template {
    let annotation = |name| metadata.annotations.as_ref().and_then(|found| found.get(name)).cloned();
    Template {
        kind,
        name: metadata.name.clone().unwrap_or_default(),
        pods: serde_json::to_value(template).expect("a template should have a JSON form"),
        hash: annotation(names::TEMPLATE),
        made_from: annotation(names::MADE_FROM),
    }
}

/// How far a Deployment is.
pub fn workload_of_deployment(deployment: Deployment) -> Workload {
    let template = template("Deployment", &deployment.metadata, &deployment.spec.template);
    let spec = deployment.spec;
    let status = deployment.status.unwrap_or_default();
    Workload {
        is_current: status.observed_generation >= deployment.metadata.generation,
        wanted: spec.replicas.unwrap_or(1),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        total: status.replicas.unwrap_or(0),
        template,
        volume: None,
        evidence: Evidence::default(),
        refused: status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .find(|known| {
                known.type_.as_deref() == Some("ReplicaFailure") && known.status.as_deref() == Some("True")
            })
            .and_then(|known| known.message),
    }
}

/// How far a StatefulSet is.
pub fn workload_of_stateful_set(stateful_set: StatefulSet) -> Workload {
    let template = template("StatefulSet", &stateful_set.metadata, &stateful_set.spec.template);
    let spec = stateful_set.spec;
    let status = stateful_set.status.unwrap_or_default();
    let made_with = spec.volume_claim_templates.iter().flatten().find_map(Claim::of);
    Workload {
        template,
        volume: made_with.map(|claim| claim.asked),
        is_current: status.observed_generation >= stateful_set.metadata.generation,
        wanted: spec.replicas.unwrap_or(1),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        total: status.replicas,
        // A StatefulSet reports failures only as Kubernetes events.
        refused: None,
        evidence: Evidence::default(),
    }
}
