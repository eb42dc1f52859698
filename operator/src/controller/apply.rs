//! The writes: create-only objects, applied objects, and the status. No other module writes, but `events` tells.
//!
//! Input: planned objects. Output: what was changed. Server-side apply with one field manager. Objects of other
//! owners are never written. An apply is skipped while the planned object and the live object are those of the last
//! apply, so at rest nothing is written. Must not know: why the objects are as they are.

mod direct;

pub use direct::{grow, label, replace, tell};

use super::build::{Planned, Resources};
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::names::{FIELD_MANAGER, Names};
use direct::{leave_replicas, remove};
use futures::future::try_join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// The last apply of each object.
#[derive(Debug, Default)]
pub struct Applied {
    // Never held across an await.
    last: Mutex<HashMap<Key, Last>>,
}

/// An object of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: String,
    resource: String,
    kind: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Last {
    wanted: u64,
    live: String,
}

/// Objects that were made or changed, by kind and name: what was observed of them before is over.
pub type Changed = BTreeSet<(String, String)>;

/// A write that failed or was not attempted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused it.
    #[error("{kind} {name} could not be written: {}", message(.source))]
    Write {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The error of the API server.
        source: Box<kube::Error>,
    },
    /// The object exists and has another owner.
    #[error(
        "{kind} {name} belongs to {holder}; nothing was written: give this resource another name, or remove that object"
    )]
    Taken {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// Its owner.
        holder: String,
    },
}

/// The message of an API server error, without details.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    fn write(kind: &str, name: &str, source: kube::Error) -> Self {
        Self::Write { kind: kind.to_owned(), name: name.to_owned(), source: Box::new(source) }
    }

    /// The static reason, for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        let source = match self {
            Self::Taken { .. } => return "NameTaken",
            Self::Write { source, .. } => source.as_ref(),
        };
        match source {
            kube::Error::Api(status) if matches!(status.code, 403 | 422) && self.is_of_a_claim() => {
                "VolumeNotGrown"
            }
            kube::Error::Api(status) if status.code == 403 => "Forbidden",
            kube::Error::Api(status) if status.code == 409 => "Conflict",
            kube::Error::Api(status) if status.code == 422 && is_immutable_field(&status.message) => {
                "ImmutableChange"
            }
            kube::Error::Api(status) if matches!(status.code, 400 | 422) => "Refused",
            _ => "ApplyFailed",
        }
    }

    /// Claims are written only to grow them.
    fn is_of_a_claim(&self) -> bool {
        matches!(self, Self::Write { kind, .. } if kind == "PersistentVolumeClaim")
    }

    /// Whether the failure lasts until a person acts.
    pub fn is_lasting(&self) -> bool {
        matches!(self.reason(), "NameTaken" | "Forbidden" | "ImmutableChange" | "Refused" | "VolumeNotGrown")
    }
}

/// Whether an immutable field was refused, rather than an invalid value.
fn is_immutable_field(message: &str) -> bool {
    ["immutable", "updates to statefulset spec", "may not change"].iter().any(|word| message.contains(word))
}

/// Creates and applies everything, in order; adds what was changed to `changed`. A failure ends it; the next reconcile
/// continues.
///
/// # Errors
/// An object has another owner, and nothing was written; or the first failed write.
pub async fn apply(
    client: &Client,
    names: &Names,
    resources: &Resources,
    applied: &Applied,
    changed: &mut Changed,
) -> Result<(), Error> {
    let live =
        try_join_all(resources.objects.iter().map(|planned| read_live(client, names, planned))).await?;
    for (kind, name) in &resources.absent {
        remove(client, names, kind, name).await?;
    }
    if let Some(deployment) = &resources.scaled {
        leave_replicas(client, names, deployment).await?;
    }
    for planned in &resources.create_only {
        create(client, names, planned).await?;
    }
    for planned in &resources.restore {
        restore(client, names, planned).await?;
    }
    for (planned, live) in resources.objects.iter().zip(live) {
        if apply_one(client, names, planned, live, applied).await? {
            changed.insert((planned.api.kind.clone(), planned.name.clone()));
        }
    }
    Ok(())
}

/// Applies one object without the others.
///
/// # Errors
/// It has another owner, or the write failed.
pub async fn apply_alone(
    client: &Client,
    names: &Names,
    planned: &Planned,
    applied: &Applied,
) -> Result<bool, Error> {
    let live = read_live(client, names, planned).await?;
    apply_one(client, names, planned, live, applied).await
}

fn api(client: &Client, names: &Names, planned: &Planned) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &names.namespace, &planned.api)
}

/// Reads the metadata of the live object and checks its owner.
async fn read_live(client: &Client, names: &Names, planned: &Planned) -> Result<Option<ObjectMeta>, Error> {
    let Planned { api: resource, name, .. } = planned;
    let found = api(client, names, planned).get_metadata_opt(name).await;
    let found = found.map_err(|source| Error::write(&resource.kind, name, source))?;
    match found.as_ref().and_then(|found| names.taken(&found.metadata)) {
        Some(holder) => Err(Error::Taken { kind: resource.kind.clone(), name: name.clone(), holder }),
        None => Ok(found.map(|found| found.metadata)),
    }
}

/// Creates an object. One that exists already is kept, and ends the reconcile: what was planned does not know it.
async fn create(client: &Client, names: &Names, planned: &Planned) -> Result<(), Error> {
    let Planned { api: resource, name, body } = planned;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let object: DynamicObject =
        serde_json::from_value(body.clone()).expect("a built object should be an object");
    match api(client, names, planned).create(&params, &object).await {
        Ok(_) => {
            tracing::info!(kind = resource.kind, name, namespace = names.namespace, "created");
            Ok(())
        }
        Err(source) => Err(Error::write(&resource.kind, name, source)),
    }
}

/// Writes the content of a Secret, unless it was changed since it was read.
async fn restore(client: &Client, names: &Names, planned: &Planned) -> Result<(), Error> {
    let Planned { api: resource, name, body } = planned;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let restored = api(client, names, planned).patch(name, &params, &Patch::Apply(body)).await;
    restored.map_err(|source| Error::write(&resource.kind, name, source))?;
    tracing::info!(kind = resource.kind, name, namespace = names.namespace, "restored");
    Ok(())
}

async fn apply_one(
    client: &Client,
    names: &Names,
    planned: &Planned,
    live: Option<ObjectMeta>,
    applied: &Applied,
) -> Result<bool, Error> {
    let Planned { api: resource, name, body } = planned;
    let key = Key {
        namespace: names.namespace.clone(),
        resource: names.name.clone(),
        kind: resource.kind.clone(),
        name: name.clone(),
    };
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    let wanted = hasher.finish();
    let before = live.and_then(|live| live.resource_version);
    let last = applied.last.lock().expect("no holder of the map should panic").get(&key).cloned();
    if let (Some(last), Some(before)) = (&last, &before)
        && last.wanted == wanted
        && &last.live == before
    {
        return Ok(false);
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let after = api(client, names, planned).patch(name, &params, &Patch::Apply(body)).await;
    let after = after.map_err(|source| Error::write(&resource.kind, name, source))?;
    let live = after.resource_version().unwrap_or_default();
    let changed = before.as_ref() != Some(&live);
    if changed {
        let what = if before.is_some() { "changed" } else { "made" };
        tracing::info!(kind = resource.kind, name, namespace = names.namespace, "{what}");
    }
    applied.last.lock().expect("no holder of the map should panic").insert(key, Last { wanted, live });
    Ok(changed)
}

/// Publishes a status unless it is published already; gives whether it was written. It is written only on the resource as
/// it was looked at: one that was changed since, or made anew under the same name, is looked at again.
///
/// # Errors
/// The write failed.
pub async fn publish(
    client: &Client,
    resource: &ObjectMeta,
    before: Option<&AdaptiveExamDeploymentStatus>,
    status: &AdaptiveExamDeploymentStatus,
) -> Result<bool, Error> {
    if before == Some(status) {
        return Ok(false);
    }
    let name = resource.name.as_deref().unwrap_or_default();
    let namespace = resource.namespace.as_deref().unwrap_or_default();
    // Unstructured: a resource that cannot be read has a status too.
    let kind = ApiResource::erase::<AdaptiveExamDeployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    // One manager has all of it, so what is no longer said goes.
    let patch = serde_json::json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"resourceVersion": resource.resource_version},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(name, &params, &Patch::Apply(patch)).await {
        Ok(_) => Ok(true),
        // It was deleted or changed meanwhile; a change is an event, and the next look says what is true then.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(source) => Err(Error::write("status of", name, source)),
    }
}

impl Applied {
    /// Forgets what was applied for a resource that is gone.
    pub fn forget(&self, namespace: &str, resource: &str) {
        let mut last = self.last.lock().expect("no holder of the map should panic");
        last.retain(|key, _| key.namespace != namespace || key.resource != resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refused(code: u16, message: &str) -> Error {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        Error::write("StatefulSet", "midterm-redis", kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn a_failure_has_a_word_and_a_sentence() {
        let statefulset =
            "StatefulSet.apps is invalid: spec: Forbidden: updates to statefulset spec for fields other than";
        let table = [
            (refused(403, "no"), "Forbidden", true),
            (refused(409, "no"), "Conflict", false),
            (refused(422, "spec.selector: Invalid value: field is immutable"), "ImmutableChange", true),
            (refused(422, statefulset), "ImmutableChange", true),
            (refused(422, "must be less than or equal to memory limit"), "Refused", true),
            (refused(400, "no"), "Refused", true),
            (refused(500, "no"), "ApplyFailed", false),
        ];
        for (error, reason, is_lasting) in table {
            assert_eq!((error.reason(), error.is_lasting()), (reason, is_lasting), "{error}");
        }
        let claim = Status { code: 403, message: "does not support resize".to_owned(), ..Status::default() };
        let claim = kube::Error::Api(Box::new(claim));
        assert_eq!(Error::write("PersistentVolumeClaim", "midterm-data", claim).reason(), "VolumeNotGrown");
        assert_eq!(
            refused(500, "etcd is away").to_string(),
            "StatefulSet midterm-redis could not be written: etcd is away"
        );
    }

    #[test]
    fn what_is_gone_is_forgotten_and_its_neighbours_are_not() {
        let applied = Applied::default();
        let key = |resource: &str| Key {
            namespace: "school".to_owned(),
            resource: resource.to_owned(),
            kind: "Service".to_owned(),
            name: resource.to_owned(),
        };
        for resource in ["mid", "mid-term"] {
            let last = Last { wanted: 1, live: "1".to_owned() };
            applied.last.lock().unwrap().insert(key(resource), last);
        }
        applied.forget("school", "mid");
        assert_eq!(applied.last.lock().unwrap().keys().cloned().collect::<Vec<_>>(), [key("mid-term")]);
    }
}
