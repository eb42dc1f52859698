//! Writes that are no apply of a whole object: annotations and labels of pods, the size of a claim, a number
//! of pods that is handed over, deletions.
//!
//! Input: names. Output: the writes. Must not know: why they are wanted.

use super::Error;
use crate::controller::decide::Growth;
use crate::names::{FIELD_MANAGER, Names, ROLE};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};

/// The field manager of a number of pods that was handed over to an autoscaler.
const SCALE_MANAGER: &str = "exam-operator-scale";

/// Annotates pods, so that the kubelet brings their files up to date at once.
///
/// # Errors
/// A write failed. A pod that is gone is no failure.
pub async fn tell(client: &Client, names: &Names, pods: &[&str], annotations: &Value) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    // A merge, not an apply: that would make a pod that is gone.
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    for pod in pods {
        match api.patch(pod, &params, &patch).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(Error::write("Pod", pod, source)),
        }
    }
    Ok(())
}

/// Labels a pod of Redis with its role.
///
/// # Errors
/// The write failed. A pod that is gone is no failure.
pub async fn label(client: &Client, names: &Names, pod: &str, role: &str) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let patch = Patch::Merge(json!({"metadata": {"labels": {ROLE: role}}}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch(pod, &params, &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::write("Pod", pod, source)),
    }
}

/// Deletes a pod, so that its StatefulSet makes it anew.
///
/// # Errors
/// The write failed. A pod that is gone is no failure.
pub async fn replace(client: &Client, names: &Names, pod: &str) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    match api.delete(pod, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::write("Pod", pod, source)),
    }
}

/// Has volume claims ask for more. Their StorageClass has to allow it.
///
/// # Errors
/// A write failed. A claim that is gone is no failure.
pub async fn grow(client: &Client, names: &Names, all: &[Growth]) -> Result<(), Error> {
    for growth in all {
        grow_one(client, names, growth).await?;
    }
    Ok(())
}

async fn grow_one(client: &Client, names: &Names, Growth { claim, size }: &Growth) -> Result<(), Error> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &names.namespace);
    // A merge, not an apply: whose field it is does not change, and a claim that is gone is not made.
    let patch = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": size}}}}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch(claim, &params, &patch).await {
        Ok(_) => {
            tracing::info!(claim, size, namespace = names.namespace, "a volume is grown");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::write("PersistentVolumeClaim", claim, source)),
    }
}

/// Deletes an object that is not wanted, if it is there and ours.
pub(super) async fn remove(
    client: &Client,
    names: &Names,
    kind: &ApiResource,
    name: &str,
) -> Result<(), Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &names.namespace, kind);
    let failed = |source| Error::write(&kind.kind, name, source);
    let found = api.get_metadata_opt(name).await.map_err(failed)?;
    let Some(found) = found.filter(|found| names.taken(&found.metadata).is_none()) else { return Ok(()) };
    if found.metadata.deletion_timestamp.is_none() {
        api.delete(name, &DeleteParams::default()).await.map_err(failed)?;
        tracing::info!(kind = kind.kind, name, namespace = names.namespace, "deleted");
    }
    Ok(())
}

/// Hands the number of pods of a Deployment over to its autoscaler, once: a field that its only manager no longer
/// applies falls back to its default, which is one pod. Another manager keeps it as it is until the autoscaler writes it.
pub(super) async fn leave_replicas(client: &Client, names: &Names, deployment: &str) -> Result<(), Error> {
    let kind = ApiResource::erase::<Deployment>(&());
    let api: Api<Deployment> = Api::namespaced(client.clone(), &names.namespace);
    let failed = |source| Error::write(&kind.kind, deployment, source);
    let Some(found) = api.get_opt(deployment).await.map_err(failed)? else { return Ok(()) };
    let is_ours = found.metadata.managed_fields.iter().flatten().any(|managed| {
        let fields = managed.fields_v1.as_ref().map(|fields| &fields.0["f:spec"]["f:replicas"]);
        managed.manager.as_deref() == Some(FIELD_MANAGER) && fields.is_some_and(|fields| !fields.is_null())
    });
    if !is_ours || names.taken(&found.metadata).is_some() {
        return Ok(());
    }
    let replicas = found.spec.replicas.unwrap_or(1);
    let patch = Patch::Apply(json!({
        "apiVersion": kind.api_version, "kind": kind.kind, "spec": {"replicas": replicas},
    }));
    let params = PatchParams::apply(SCALE_MANAGER).force();
    api.patch(deployment, &params, &patch).await.map_err(failed)?;
    tracing::info!(name = deployment, namespace = names.namespace, replicas, "left to its autoscaler");
    Ok(())
}
