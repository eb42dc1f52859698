//! What the cluster says of the pods of a workload that is not as it should be.
//!
//! Input: a client, and the names of a component. Output: its pods, their volume claims, and the warnings about them.
//! Must not know: what any of it means.

use crate::names::{Component, Names};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use std::collections::BTreeSet;

/// What is known of the pods of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Its pods.
    pub pods: Vec<Pod>,
    /// The volume claims that its pods use, or would use.
    pub claims: Vec<PersistentVolumeClaim>,
    /// Warnings about the workload, its pods and its claims, the latest last.
    pub warnings: Vec<Warning>,
}

/// A warning that some controller of the cluster gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warning {
    /// Kind of the object it is about.
    pub kind: String,
    /// Name of that object.
    pub name: String,
    /// Its reason, as in `FailedCreate`.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// Reads it all.
///
/// # Errors
/// The API server's.
pub async fn read(
    client: &Client,
    names: &Names,
    component: Component,
    claim: &str,
) -> kube::Result<Evidence> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &names.namespace);
    let pods = pods.list(&ListParams::default().labels(&names.selected(component))).await?.items;
    let claims: Vec<PersistentVolumeClaim> = match claim {
        "" => Vec::new(),
        claim => claims.get_opt(claim).await?.into_iter().collect(),
    };
    let about: BTreeSet<String> = pods
        .iter()
        .map(ResourceExt::name_any)
        .chain(claims.iter().map(ResourceExt::name_any))
        .chain([names.workload(component)])
        .collect();
    let of = |name: String| warnings(client, &names.namespace, name);
    let mut warnings: Vec<(Option<k8s_openapi::jiff::Timestamp>, Warning)> =
        try_join_all(about.into_iter().map(of)).await?.into_iter().flatten().collect();
    warnings.sort_by_key(|(at, _)| *at);
    Ok(Evidence { pods, claims, warnings: warnings.into_iter().map(|(_, warning)| warning).collect() })
}

async fn warnings(
    client: &Client,
    namespace: &str,
    name: String,
) -> kube::Result<Vec<(Option<k8s_openapi::jiff::Timestamp>, Warning)>> {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let about = ListParams::default().fields(&format!("involvedObject.name={name},type=Warning"));
    let warning = |event: Event| {
        let at = event
            .last_timestamp
            .map(|time| time.0)
            .or(event.event_time.map(|time| time.0))
            .or(event.first_timestamp.map(|time| time.0));
        let warning = Warning {
            kind: event.involved_object.kind.unwrap_or_default(),
            name: event.involved_object.name.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        };
        (at, warning)
    };
    Ok(events.list(&about).await?.into_iter().map(warning).collect())
}
