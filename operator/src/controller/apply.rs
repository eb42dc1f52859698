//! The writes: made Secrets, applied objects, published status. Nothing else in this crate writes.
//!
//! Comes in: planned objects. Goes out: how many were written. Server-side apply by one field
//! manager. An apply is skipped while the wanted object and the live object are those of the last
//! apply, so that at rest nothing is written. Must not know: why the objects are what they are.

use super::build::{Planned, Resources};
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::names::{FIELD_MANAGER, Names};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// What was applied last, by kind, namespace and name.
#[derive(Debug, Default)]
pub struct Applied {
    // Held for an instant, never across an await.
    last: Mutex<HashMap<Key, Last>>,
}

type Key = (String, String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Last {
    wanted: u64,
    live: String,
}

/// A write that failed.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name} could not be written: {source}")]
pub struct Error {
    kind: String,
    name: String,
    source: Box<kube::Error>,
}

impl Error {
    /// The static word for it, in conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self.source.as_ref() {
            kube::Error::Api(status) if status.code == 403 => "Forbidden",
            kube::Error::Api(status) if status.code == 409 => "Conflict",
            kube::Error::Api(status) if status.code == 422 => "ImmutableChange",
            _ => "ApplyFailed",
        }
    }
}

/// Makes and applies everything, in order; a failure ends it, and the next reconcile goes on.
///
/// # Errors
/// The first write that failed.
pub async fn apply(
    client: &Client,
    names: &Names,
    resources: &Resources,
    applied: &Applied,
) -> Result<usize, Error> {
    let mut written = 0;
    for secret in &resources.secrets {
        make(client, names, secret).await?;
        written += 1;
    }
    for planned in &resources.objects {
        if apply_one(client, names, planned, applied).await? {
            written += 1;
        }
    }
    Ok(written)
}

/// Makes a Secret that is not there. If it is there after all, the one that is there stands.
async fn make(client: &Client, names: &Names, secret: &Secret) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &names.namespace);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, secret).await {
        Ok(_) => {
            tracing::info!(kind = "Secret", name = secret.name_any(), namespace = names.namespace, "made");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(source) => Err(Error { kind: "Secret".into(), name: secret.name_any(), source: source.into() }),
    }
}

async fn apply_one(
    client: &Client,
    names: &Names,
    planned: &Planned,
    applied: &Applied,
) -> Result<bool, Error> {
    let kind = planned.api.kind.clone();
    let failed = |source| Error { kind: kind.clone(), name: planned.name.clone(), source: Box::new(source) };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &names.namespace, &planned.api);
    let key = (planned.api.kind.clone(), names.namespace.clone(), planned.name.clone());
    let mut hasher = DefaultHasher::new();
    planned.body.to_string().hash(&mut hasher);
    let wanted = hasher.finish();
    let version = |live: &DynamicObject| live.resource_version().unwrap_or_default();
    let live = api.get_metadata_opt(&planned.name).await.map_err(failed)?;
    let before = live.and_then(|live| live.resource_version());
    let last = applied.last.lock().expect("no holder of the map should panic").get(&key).cloned();
    if let (Some(last), Some(before)) = (&last, &before)
        && last.wanted == wanted
        && &last.live == before
    {
        return Ok(false);
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let after = api.patch(&planned.name, &params, &Patch::Apply(&planned.body)).await.map_err(failed)?;
    let live = version(&after);
    let changed = before.as_ref() != Some(&live);
    if changed {
        let what = if before.is_some() { "changed" } else { "made" };
        tracing::info!(kind, name = planned.name, namespace = names.namespace, "{what}");
    }
    applied.last.lock().expect("no holder of the map should panic").insert(key, Last { wanted, live });
    Ok(changed)
}

/// Publishes a status unless it is published already.
///
/// # Errors
/// The write failed.
pub async fn publish(
    client: &Client,
    resource: &AdaptiveExamDeployment,
    status: &AdaptiveExamDeploymentStatus,
) -> Result<bool, Error> {
    if resource.status.as_ref() == Some(status) {
        return Ok(false);
    }
    let namespace = resource.namespace().unwrap_or_default();
    let api: Api<AdaptiveExamDeployment> = Api::namespaced(client.clone(), &namespace);
    // Conditions that are gone must go: the whole status is replaced, null where nothing is said.
    let patch = serde_json::json!({
        "apiVersion": "exam.dreamseed.ai/v1alpha1",
        "kind": "AdaptiveExamDeployment",
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let name = resource.name_any();
    match api.patch_status(&name, &params, &Patch::Apply(patch)).await {
        Ok(_) => Ok(true),
        // It was deleted meanwhile; nobody reads its status any more.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(source) => Err(Error { kind: "status of".into(), name, source: source.into() }),
    }
}

impl Applied {
    /// Forgets what was applied for a resource that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        let mut last = self.last.lock().expect("no holder of the map should panic");
        last.retain(|(_, of, object), _| {
            of != namespace || !(object == name || object.starts_with(&format!("{name}-")))
        });
    }
}
