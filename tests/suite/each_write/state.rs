//! What a run ends with: the objects that the operator made and the status, without what differs by chance or by time.
//!
//! Input: a namespace. Output: a value that is equal for two runs that ended alike. Must not know: what is right.

use anyhow::Result;
use harness::cluster::TestNamespace;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Api, ResourceExt};
use operator::crd::AdaptiveExamDeployment;
use operator::names::{FIELD_MANAGER, MANAGED_BY};
use serde_json::{Value, json};

/// Annotations that controllers of the cluster write.
const OF_OTHERS: [&str; 3] = ["deployment.kubernetes.io/", "pv.kubernetes.io/", "volume."];

fn kinds() -> Vec<ApiResource> {
    let none = &();
    vec![
        ApiResource::erase::<ConfigMap>(none),
        ApiResource::erase::<Secret>(none),
        ApiResource::erase::<Service>(none),
        ApiResource::erase::<ServiceAccount>(none),
        ApiResource::erase::<PersistentVolumeClaim>(none),
        ApiResource::erase::<Deployment>(none),
        ApiResource::erase::<StatefulSet>(none),
        ApiResource::erase::<NetworkPolicy>(none),
        ApiResource::erase::<PodDisruptionBudget>(none),
        ApiResource::erase::<HorizontalPodAutoscaler>(none),
    ]
}

/// All objects of the operator in a namespace.
pub async fn objects(namespace: &TestNamespace) -> Result<Vec<DynamicObject>> {
    let ours = ListParams::default().labels(&format!("{MANAGED_BY}={FIELD_MANAGER}"));
    let mut all = Vec::new();
    for kind in kinds() {
        let api: Api<DynamicObject> = Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kind);
        for mut object in api.list(&ours).await?.items {
            // Items of a list do not say what they are.
            object.types =
                Some(kube::core::TypeMeta { api_version: kind.api_version.clone(), kind: kind.kind.clone() });
            all.push(object);
        }
    }
    Ok(all)
}

/// What is there now.
pub async fn look(namespace: &TestNamespace, name: &str) -> Result<Value> {
    let resource = namespace.api::<AdaptiveExamDeployment>().get(name).await?;
    let mut revisions = Revisions::default();
    let mut said = json!({"status": revisions.numbered(status(&resource)?)});
    for object in objects(namespace).await? {
        let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
        let name = format!("{kind} {}", object.name_any());
        said[name] = revisions.numbered(settled(&kind, object));
    }
    Ok(said)
}

/// Digits of a revision.
const REVISION: usize = 12;

/// The revisions of a run, in the order in which they are met. Passwords are random, and so are the revisions of all that
/// names them: which of them are the same is compared, and not what they are.
#[derive(Default)]
struct Revisions(Vec<String>);

impl Revisions {
    /// A value with its revisions replaced by their numbers.
    fn numbered(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => self.replace(&text).into(),
            Value::Array(all) => all.into_iter().map(|value| self.numbered(value)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.replace(&name), self.numbered(value))).collect()
            }
            other => other,
        }
    }

    fn replace(&mut self, text: &str) -> String {
        let is_digit = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
        let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
        let numbered = words.map(|word| {
            let (start, end) = word.split_at_checked(REVISION).unwrap_or((word, ""));
            let is_revision = start.len() == REVISION
                && start.chars().all(is_digit)
                && !end.starts_with(|letter: char| letter.is_ascii_alphanumeric());
            if !is_revision {
                return word.to_owned();
            }
            let number = self.0.iter().position(|known| known == start).unwrap_or_else(|| {
                self.0.push(start.to_owned());
                self.0.len() - 1
            });
            format!("<revision {number}>{end}")
        });
        numbered.collect()
    }
}

/// Whether this is there now.
pub async fn is_there(namespace: &TestNamespace, name: &str, expected: &Value) -> bool {
    // The status is the last to be as it should be, and costs one request to look at.
    let resource = namespace.api::<AdaptiveExamDeployment>().get(name).await;
    let is_said = resource.is_ok_and(|now| {
        status(&now).is_ok_and(|now| Revisions::default().numbered(now) == expected["status"])
    });
    is_said && look(namespace, name).await.is_ok_and(|seen| seen == *expected)
}

/// An object as the operator wanted it.
fn settled(kind: &str, object: DynamicObject) -> Value {
    let DynamicObject { metadata, mut data, .. } = object;
    data.as_object_mut().map(|fields| fields.remove("status"));
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|name, _| !OF_OTHERS.iter().any(|start| name.starts_with(start)));
    let owners: Vec<_> = metadata.owner_references.iter().flatten().map(|owner| &owner.name).collect();
    match kind {
        "Secret" => {
            let fields = data["data"].as_object_mut().into_iter().flatten();
            fields.for_each(|(_, value)| *value = value.as_str().map_or(0, str::len).into());
        }
        "Service" => {
            let spec = data["spec"].as_object_mut();
            spec.map(|spec| {
                (spec["clusterIP"] == "None").then_some(()).or_else(|| {
                    spec.remove("clusterIP");
                    spec.remove("clusterIPs").map(drop)
                })
            });
        }
        "PersistentVolumeClaim" => {
            data["spec"].as_object_mut().map(|spec| spec.remove("volumeName"));
        }
        _ => {}
    }
    let is_going = metadata.deletion_timestamp.is_some();
    json!({
        "labels": metadata.labels, "annotations": annotations, "owners": owners, "isGoing": is_going, "rest": data,
    })
}

/// The status without its times and without the changes before the last.
fn status(resource: &AdaptiveExamDeployment) -> Result<Value> {
    let mut status = serde_json::to_value(&resource.status)?;
    let generation = json!(resource.metadata.generation);
    let is_current = |seen: &mut Value| *seen = json!(*seen == generation);
    is_current(&mut status["observedGeneration"]);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = Value::Null;
        condition["message"] = condition["message"].as_str().map(without_pods).into();
        is_current(&mut condition["observedGeneration"]);
    }
    let last = status["transitions"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    status["transitions"] = json!([last["from"], last["to"], last["cause"], last["seconds"].is_number()]);
    Ok(status)
}

/// A sentence without the names of pods, which end by chance.
fn without_pods(sentence: &str) -> String {
    let mut words: Vec<&str> = sentence.split(' ').collect();
    for at in 1..words.len() {
        if words[at - 1] == "pod" {
            words[at] = "NAME";
        }
    }
    words.join(" ")
}
