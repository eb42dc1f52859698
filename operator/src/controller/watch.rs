//! What triggers a reconcile: resources, the objects that are theirs, and their pods.
//!
//! Input: a client. Output: calls of `reconcile`, until SIGTERM. Must not know: what a reconcile does.

use super::{Context, Watched, after_failure, reconcile};
use crate::names::{FIELD_MANAGER, INSTANCE, MANAGED_BY};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Config, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client};
use std::sync::Arc;
use std::time::Duration;

/// Watch events within this time lead to one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Watches are renewed before load balancers close idle connections.
const WATCH_SECONDS: u32 = 190;

/// Watches and reconciles until SIGTERM, in one namespace or in all.
pub async fn run(client: Client, namespace: Option<&str>, context: Arc<Context>) {
    let config = || watcher::Config::default().timeout(WATCH_SECONDS);
    let managed = || config().labels(&format!("{MANAGED_BY}={FIELD_MANAGER}"));
    let forgetting = context.clone();
    Controller::new(api::<Watched>(&client, namespace), config())
        .owns(api::<Deployment>(&client, namespace), managed())
        .owns(api::<StatefulSet>(&client, namespace), managed())
        .owns(api::<Service>(&client, namespace), managed())
        .owns(api::<ConfigMap>(&client, namespace), managed())
        .owns(api::<ServiceAccount>(&client, namespace), managed())
        // Pods belong to their workloads; a label says whose they are.
        .watches(api::<PartialObjectMeta<Pod>>(&client, namespace), managed(), |pod| owner(&pod))
        // Claims belong to nobody, so that they are kept.
        .watches(api::<PartialObjectMeta<PersistentVolumeClaim>>(&client, namespace), managed(), |claim| {
            owner(&claim)
        })
        .owns(api::<PodDisruptionBudget>(&client, namespace), managed())
        .owns(api::<HorizontalPodAutoscaler>(&client, namespace), managed())
        .owns(api::<NetworkPolicy>(&client, namespace), managed())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(8))
        .shutdown_on_signal()
        .run(
            move |resource, context| {
                let client = client.clone();
                async move { reconcile(&client, &resource, &context).await }
            },
            after_failure,
            context,
        )
        // Failures are logged where they are handled, in `after_failure`.
        .for_each(|outcome| {
            if let Err(controller::Error::ObjectNotFound(gone)) = outcome {
                forgetting.forget(gone.namespace.as_deref().unwrap_or_default(), &gone.name);
            }
            futures::future::ready(())
        })
        .await;
}

/// The resource that a pod or a claim is of.
fn owner<K>(part: &PartialObjectMeta<K>) -> Option<ObjectRef<Watched>> {
    let name = part.metadata.labels.as_ref()?.get(INSTANCE)?;
    Some(ObjectRef::new(name).within(part.metadata.namespace.as_deref()?))
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
