//! The facts: reads only, all at once, before anything is decided.
//!
//! Input: names and references, and a client. Output: [`Observed`], a value. What cannot be learnt is unknown, never guessed.
//! Must not know: what follows from it.

pub mod claims;
pub mod evidence;
mod pods;
mod workload;

pub use workload::{Template, Workload, workload_of_deployment, workload_of_stateful_set};

use super::certificate::{self, Certificate};
use super::credentials::Credential;
use super::given::{Given, Unusable};
use super::redis::auth::RedisAuth;
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
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::{Api, Client};
pub use pods::open_exams;
use pods::{redis_pods, service_pods};
use rustls::pki_types::UnixTime;
use std::collections::{BTreeMap, BTreeSet};
use workload::has_tls;

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The Secret of the API tokens.
    pub auth: Generated<Credential>,
    /// The Secret of Redis.
    pub redis_auth: Generated<RedisAuth>,
    /// Whether that Secret holds what follows from its passwords, in the form of this operator.
    pub has_redis_config: bool,
    /// What people give in Secrets of their own.
    pub given: Given,
    /// The certificate of Redis, or what is wrong with it; absent: it has no TLS.
    pub certificate: Option<Result<Certificate, Unusable>>,
    /// Whether cert-manager's kind of certificates is there, if it is asked for one.
    pub has_issuers: bool,
    /// Whether the kinds of the Prometheus Operator are there, if they are wanted.
    pub has_monitoring_kinds: bool,
    /// Whether the status says something of monitoring: then there may be objects of it.
    pub is_monitored: bool,
    /// Whether Redis was made with TLS; absent: it was not made yet.
    pub is_made_with_tls: Option<bool>,
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

    /// The templates of the workloads that are there.
    pub fn templates(&self) -> impl Iterator<Item = &Template> + Clone {
        let all = [&self.service, &self.redis, &self.sentinel];
        all.into_iter().flatten().map(|workload| &workload.template)
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated<T> {
    /// The version of the Secret that was read; `None`: there is no such Secret.
    pub version: Option<String>,
    /// Its credentials, if the Secret is whole.
    pub value: Option<T>,
}

impl<T> Default for Generated<T> {
    fn default() -> Self {
        Self { version: None, value: None }
    }
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
    let mut references = desired.references();
    references.extend(desired.redis_certificate().into_iter().flatten());
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
    let given = Given(given.into_iter().collect());
    let certificate = desired
        .redis_certificate()
        .map(|references| certificate::read(&given, &references, &desired.redis_hosts(), UnixTime::now()));
    let has_issuers = match desired.redis.tls.as_ref().and_then(|tls| tls.issuer_ref.as_ref()) {
        Some(_) => has_kinds(client, &[names::certificate_kind()]).await?,
        None => false,
    };
    let has_monitoring_kinds = desired.monitoring.is_enabled
        && has_kinds(client, &[names::service_monitor_kind(), names::prometheus_rule_kind()]).await?;
    let held = redis_auth.clone().map(entries).unwrap_or_default();
    let passwords = RedisAuth::read(&held);
    let (redis_facts, redis_access) = match (&stateful_set, &passwords) {
        (Some(set), Some(passwords)) => {
            let revision = set.status.as_ref().and_then(|status| status.update_revision.as_deref());
            let (nodes, sentinels, access) =
                redis_pods(client, names, revision, passwords, certificate.as_ref()).await?;
            (access.look(nodes, sentinels).await, Some(access))
        }
        _ => (Facts::default(), None),
    };
    let of_redis = match &stateful_set {
        Some(_) => claims::of_redis(client, names).await?,
        None => Vec::new(),
    };
    let is_made_with_tls = stateful_set.as_ref().map(has_tls);
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
    let version =
        |found: &Option<Secret>| found.as_ref().and_then(|found| found.metadata.resource_version.clone());
    let of = |found: &Option<Secret>| found.as_ref().map(|found| found.metadata.clone());
    let taken = other_owner("Secret", of(&auth), names)
        .or_else(|| other_owner("Secret", of(&redis_auth), names))
        .or_else(|| {
            other_owner("PersistentVolumeClaim", data.as_ref().map(|found| found.metadata.clone()), names)
        });
    Ok(Observed {
        auth: Generated {
            version: version(&auth),
            value: auth.as_ref().and_then(|secret| entry(secret, names::TOKEN_KEY)).map(Credential),
        },
        has_redis_config: passwords.as_ref().is_some_and(|passwords| passwords.has_config_in(&held)),
        redis_auth: Generated { version: version(&redis_auth), value: passwords },
        given,
        certificate,
        has_issuers,
        has_monitoring_kinds,
        is_monitored: false,
        is_made_with_tls,
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

/// Whether the API server knows these kinds, all of one group and version.
async fn has_kinds(client: &Client, kinds: &[ApiResource]) -> kube::Result<bool> {
    let Some(first) = kinds.first() else { return Ok(true) };
    match client.list_api_group_resources(&first.api_version).await {
        Ok(list) => {
            let is_known = |kind: &ApiResource| list.resources.iter().any(|known| known.kind == kind.kind);
            Ok(kinds.iter().all(is_known))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
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
pub fn entries(secret: Secret) -> BTreeMap<String, Credential> {
    let data = secret.data.unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().filter(|text| !text.trim().is_empty());
    data.into_iter().filter_map(|(key, bytes)| Some((key, Credential(text(bytes.0)?)))).collect()
}

/// What a Secret holds under a key, as text; `None` where that is nothing.
fn entry(secret: &Secret, key: &str) -> Option<String> {
    let bytes = &secret.data.as_ref()?.get(key)?.0;
    String::from_utf8(bytes.clone()).ok().filter(|text| !text.trim().is_empty())
}
