//! The facts: reads only, all at once, before anything is decided.
//!
//! Input: names and references, and a client. Output: [`Observed`], a value. What cannot be learnt is unknown, never guessed.
//! Must not know: what follows from it.

pub mod claims;
pub mod evidence;
mod pods;

use super::credentials::Credential;
use super::given::Given;
use super::hold::Live;
use super::redis::facts::Facts;
use super::redis::link::Access;
use super::validate::Desired;
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::names::{self, Component, Names};
use claims::Claim;
use contract::{OpenExams, State};
use evidence::Evidence;
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodTemplateSpec, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::{Api, Client};
pub use pods::open_exams;
use pods::{redis_pods, service_pods};
use std::collections::{BTreeMap, BTreeSet};

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The Secret of the API tokens.
    pub auth: Generated,
    /// The Secret of Redis.
    pub redis_auth: Generated,
    /// What people give in Secrets of their own.
    pub given: Given,
    /// Whether the volume claim of the database exists.
    pub has_data: bool,
    /// The volume claims of the database and of Redis, by name.
    pub claims: Vec<Claim>,
    /// Of these three the first that another owner holds: its kind, its name, and whose it is.
    pub taken: Option<(&'static str, String, String)>,
    /// The service's workload.
    pub service: Option<Workload>,
    /// Redis's workload.
    pub redis: Option<Workload>,
    /// The Sentinels' workload.
    pub sentinel: Option<Workload>,
    /// What Redis and Sentinels say.
    pub redis_facts: Facts,
    /// Where they are.
    pub redis_access: Option<Access>,
    /// The master that the status records.
    pub master: Option<String>,
    /// The pods of the service that are ready, by name.
    pub pods: Vec<ServicePod>,
    /// How far open exams are; it is asked for around a change of the mode only.
    pub open_exams: Option<OpenExams>,
}

/// A pod of the service that is ready.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePod {
    /// Its name.
    pub name: String,
    /// The base URL of its ops port.
    pub ops: String,
    /// The revision of the Settings that it was told of last.
    pub told: Option<String>,
    /// The revision of what people gave in Secrets that it was told of last.
    pub told_of_secrets: Option<String>,
    /// Its own word, or why there is none.
    pub state: Result<State, String>,
}

impl ServicePod {
    /// Whether it runs these Settings.
    pub fn has_adopted(&self, revision: &str) -> bool {
        self.state.as_ref().is_ok_and(|state| state.settings_revision == revision)
    }
}

impl Observed {
    /// Pods that run other Settings and were not told of these, or were not told of what people gave in Secrets.
    pub fn untold(&self, revision: &str, given: Option<&str>) -> Vec<&str> {
        let untold = |pod: &&ServicePod| {
            (!pod.has_adopted(revision) && pod.told.as_deref() != Some(revision))
                || (given.is_some() && pod.told_of_secrets.as_deref() != given)
        };
        self.pods.iter().filter(untold).map(|pod| pod.name.as_str()).collect()
    }

    /// Takes note of workloads that were changed after they were observed, by kind and name.
    pub fn outdate(&mut self, names: &Names, changed: &BTreeSet<(String, String)>) {
        let workloads = [
            (&mut self.service, "Deployment", names.name.clone()),
            (&mut self.redis, "StatefulSet", names.redis()),
            (&mut self.sentinel, "StatefulSet", names.sentinel()),
        ];
        for (workload, kind, name) in workloads {
            let is_changed = changed.contains(&(kind.to_owned(), name));
            if let Some(workload) = workload.as_mut().filter(|_| is_changed) {
                workload.is_current = false;
            }
        }
    }

    /// Data pods and Sentinels that run, as their StatefulSets say.
    pub fn redis_size(&self) -> (u32, u32) {
        let size = |workload: &Option<Workload>| {
            workload.as_ref().map_or(0, |workload| u32::try_from(workload.wanted).unwrap_or_default())
        };
        (size(&self.redis), size(&self.sentinel))
    }

    /// Whether a pod that is ready is still to adopt these Settings, and has not rejected them.
    pub fn is_adopting(&self, revision: &str) -> bool {
        self.pods.iter().filter_map(|pod| pod.state.as_ref().ok()).any(|state| {
            state.settings_revision != revision && state.settings_rejected.as_deref() != Some(revision)
        })
    }

    /// The word of the pod that is farthest from what is wanted: one that is silent, runs other Settings, or lacks its
    /// database or its store.
    pub fn state(&self, revision: &str) -> Option<&Result<State, String>> {
        let distance = |pod: &&ServicePod| match &pod.state {
            Err(_) => 4,
            Ok(state) if state.settings_revision != revision => 3,
            Ok(state) if state.database.as_deref() == Some("down") => 2,
            Ok(state) if state.store == "down" => 1,
            Ok(_) => 0,
        };
        // Of several the first, so that the same facts give the same words.
        self.pods.iter().rev().max_by_key(distance).map(|pod| &pod.state)
    }
}

/// A Secret that the operator generates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Whether there is such a Secret.
    pub exists: bool,
    /// Its credential, if the Secret is whole.
    pub value: Option<Credential>,
}

/// What was said last of a resource that itself cannot be read.
///
/// # Errors
/// The API server's.
pub async fn last_status(
    client: &Client,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<AdaptiveExamDeploymentStatus>> {
    let resource = ApiResource::erase::<AdaptiveExamDeployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let found = api.get_opt(name).await?;
    Ok(found.and_then(|mut found| serde_json::from_value(found.data["status"].take()).ok()))
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
    pub template: Live,
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

/// Reads all facts that a reconcile needs.
///
/// # Errors
/// Errors of the API server; nothing was written.
pub async fn observe(client: &Client, http: &reqwest::Client, desired: &Desired) -> kube::Result<Observed> {
    let names = &desired.names;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &names.namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &names.namespace);
    let stateful_sets: Api<StatefulSet> = Api::namespaced(client.clone(), &names.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &names.namespace);
    let (auth_name, redis_auth_name, redis_name) = (names.auth(), names.redis_auth(), names.redis());
    let data_name = names.data();
    let references = desired.references();
    let named: BTreeSet<&str> = references.iter().map(|reference| reference.secret.as_str()).collect();
    let of_people = try_join_all(named.into_iter().map(async |name| {
        let held = secrets.get_opt(name).await?.map(entries);
        kube::Result::Ok((name.to_owned(), held))
    }));
    let sentinel_name = names.sentinel();
    let (given, auth, redis_auth, data, deployment, stateful_set, sentinel_set) = tokio::try_join!(
        of_people,
        secrets.get_opt(&auth_name),
        secrets.get_opt(&redis_auth_name),
        claims.get_opt(&data_name),
        deployments.get_opt(&names.name),
        stateful_sets.get_opt(&redis_name),
        stateful_sets.get_opt(&sentinel_name),
    )?;
    let (redis_facts, redis_access) = match (&stateful_set, redis_auth.as_ref().and_then(password)) {
        (Some(set), Some(password)) => {
            let revision = set.status.as_ref().and_then(|status| status.update_revision.as_deref());
            let (nodes, sentinels, access) = redis_pods(client, names, revision, password).await?;
            (access.look(nodes, sentinels).await, Some(access))
        }
        _ => (Facts::default(), None),
    };
    let of_redis = match &stateful_set {
        Some(_) => claims::of_redis(client, names).await?,
        None => Vec::new(),
    };
    let mut sentinel = sentinel_set.map(workload_of_stateful_set);
    let mut service = deployment.map(workload_of_deployment);
    let mut redis = stateful_set.map(workload_of_stateful_set);
    let parts = [
        (&mut service, Component::Service, names.data()),
        (&mut redis, Component::Redis, names.redis_data()),
        (&mut sentinel, Component::Sentinel, String::new()),
    ];
    for (workload, component, claim) in parts {
        if let Some(workload) = workload.as_mut().filter(|workload| !workload.is_rolled_out()) {
            // What explains a trouble must not add to it: without the evidence the rest goes on.
            workload.evidence =
                evidence::read(client, names, component, &claim).await.unwrap_or_else(|error| {
                    tracing::warn!(
                        name = names.name,
                        namespace = names.namespace,
                        "why pods wait cannot be read: {error}"
                    );
                    Evidence::default()
                });
        }
    }
    let pods = match &service {
        Some(workload) if workload.ready > 0 => service_pods(client, http, names).await?,
        _ => Vec::new(),
    };
    let of = |found: &Option<Secret>| found.as_ref().map(|found| found.metadata.clone());
    let taken = other_owner("Secret", of(&auth), names)
        .or_else(|| other_owner("Secret", of(&redis_auth), names))
        .or_else(|| {
            other_owner("PersistentVolumeClaim", data.as_ref().map(|found| found.metadata.clone()), names)
        });
    Ok(Observed {
        auth: generated(auth.as_ref(), token),
        redis_auth: generated(redis_auth.as_ref(), password),
        given: Given(given.into_iter().collect()),
        has_data: data.is_some(),
        claims: data.as_ref().and_then(Claim::of).into_iter().chain(of_redis).collect(),
        taken,
        service,
        redis,
        sentinel,
        redis_facts,
        redis_access,
        master: None,
        pods,
        open_exams: None,
    })
}

/// The other owner of an object, if there is one.
fn other_owner(
    kind: &'static str,
    found: Option<ObjectMeta>,
    names: &Names,
) -> Option<(&'static str, String, String)> {
    let metadata = found?;
    let holder = names.holder(&metadata)?;
    Some((kind, metadata.name.unwrap_or_default(), holder))
}

/// All that a Secret holds as text.
fn entries(secret: Secret) -> BTreeMap<String, Credential> {
    let data = secret.data.unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().filter(|text| !text.trim().is_empty());
    data.into_iter().filter_map(|(key, bytes)| Some((key, Credential(text(bytes.0)?)))).collect()
}

/// What a Secret holds under a key, as text; `None` where that is nothing.
fn entry(secret: &Secret, key: &str) -> Option<String> {
    let bytes = &secret.data.as_ref()?.get(key)?.0;
    String::from_utf8(bytes.clone()).ok().filter(|text| !text.trim().is_empty())
}

fn token(secret: &Secret) -> Option<String> {
    entry(secret, names::TOKEN_KEY)
}

/// The password, if the configuration of Redis has the same.
fn password(secret: &Secret) -> Option<String> {
    let password = entry(secret, names::PASSWORD_KEY)?;
    let config = entry(secret, names::REDIS_AUTH_KEY)?;
    (config == Credential(password.trim().to_owned()).redis_config()).then_some(password)
}

fn generated(secret: Option<&Secret>, value: fn(&Secret) -> Option<String>) -> Generated {
    Generated { exists: secret.is_some(), value: secret.and_then(value).map(Credential) }
}

/// The template of a live workload.
fn template(kind: &'static str, metadata: &ObjectMeta, template: &PodTemplateSpec) -> Live {
    let annotation = |name| metadata.annotations.as_ref().and_then(|found| found.get(name)).cloned();
    Live {
        workload: (kind, metadata.name.clone().unwrap_or_default()),
        template: serde_json::to_value(template).expect("a template should have a JSON form"),
        hash: annotation(names::TEMPLATE),
        made_from: annotation(names::MADE_FROM),
    }
}

fn workload_of_deployment(deployment: Deployment) -> Workload {
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

fn workload_of_stateful_set(stateful_set: StatefulSet) -> Workload {
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
