//! The facts: reads only, all at once, before anything is decided.
//!
//! Input: names, and a client. Output: [`Observed`], a value. What cannot be learnt is unknown, never guessed. Must
//! not know: what is desired.

use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::names::{Names, REVISION};
use contract::State;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::DynamicObject;
use kube::core::{ApiResource, PartialObjectMeta};
use kube::{Api, Client, Resource};
use std::time::Duration;

/// Longest wait for a service's own word.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Whether the Secret of the API tokens exists.
    pub has_auth: bool,
    /// Whether the Secret of Redis exists.
    pub has_redis_auth: bool,
    /// Whether the volume claim of the database exists.
    pub has_data: bool,
    /// Of these three the first that another owner holds: its kind, its name, and whose it is.
    pub taken: Option<(&'static str, String, String)>,
    /// The service's workload.
    pub service: Option<Workload>,
    /// Redis's workload.
    pub redis: Option<Workload>,
    /// The service's own word, or why there is none.
    pub state: Option<Result<State, String>>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Whether its controller has observed the latest spec.
    pub is_current: bool,
    /// Settings revision of its pod template.
    pub revision: Option<String>,
    /// Desired number of pods.
    pub wanted: i32,
    /// Pods of the latest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// All pods, including old ones.
    pub total: i32,
    /// Why its controller cannot create its pods, in the controller's words.
    pub trouble: Option<String>,
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
pub async fn observe(client: &Client, http: &reqwest::Client, names: &Names) -> kube::Result<Observed> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &names.namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &names.namespace);
    let stateful_sets: Api<StatefulSet> = Api::namespaced(client.clone(), &names.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &names.namespace);
    let (auth_name, redis_auth_name, redis_name) = (names.auth(), names.redis_auth(), names.redis());
    let data_name = names.data();
    let (auth, redis_auth, data, deployment, stateful_set) = tokio::try_join!(
        secrets.get_metadata_opt(&auth_name),
        secrets.get_metadata_opt(&redis_auth_name),
        claims.get_metadata_opt(&data_name),
        deployments.get_opt(&names.name),
        stateful_sets.get_opt(&redis_name),
    )?;
    let service = deployment.map(workload_of_deployment);
    // Without a ready pod there is no endpoint, and the request would only time out.
    let state = match &service {
        Some(workload) if workload.ready > 0 => Some(fetch_state(http, &names.state_url()).await),
        _ => None,
    };
    let taken = other_owner("Secret", &auth, names)
        .or_else(|| other_owner("Secret", &redis_auth, names))
        .or_else(|| other_owner("PersistentVolumeClaim", &data, names));
    Ok(Observed {
        has_auth: auth.is_some(),
        has_redis_auth: redis_auth.is_some(),
        has_data: data.is_some(),
        taken,
        service,
        redis: stateful_set.map(workload_of_stateful_set),
        state,
    })
}

/// The other owner of an object, if there is one.
fn other_owner<K: Resource>(
    kind: &'static str,
    found: &Option<PartialObjectMeta<K>>,
    names: &Names,
) -> Option<(&'static str, String, String)> {
    let metadata = &found.as_ref()?.metadata;
    Some((kind, metadata.name.clone().unwrap_or_default(), names.holder(metadata)?))
}

async fn fetch_state(http: &reqwest::Client, url: &str) -> Result<State, String> {
    let request = async {
        let response = http.get(url).timeout(PATIENCE).send().await?.error_for_status()?;
        response.json::<State>().await
    };
    request.await.map_err(|error| format!("{url} does not tell its state: {}", error.without_url()))
}

fn workload_of_deployment(deployment: Deployment) -> Workload {
    let spec = deployment.spec;
    let status = deployment.status.unwrap_or_default();
    let annotations = spec.template.metadata.unwrap_or_default().annotations.unwrap_or_default();
    Workload {
        is_current: status.observed_generation >= deployment.metadata.generation,
        revision: annotations.get(REVISION).cloned(),
        wanted: spec.replicas.unwrap_or(1),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        total: status.replicas.unwrap_or(0),
        trouble: status
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
    let spec = stateful_set.spec;
    let status = stateful_set.status.unwrap_or_default();
    Workload {
        is_current: status.observed_generation >= stateful_set.metadata.generation,
        revision: None,
        wanted: spec.replicas.unwrap_or(1),
        updated: status.updated_replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        total: status.replicas,
        // A StatefulSet reports failures only as Kubernetes events.
        trouble: None,
    }
}
