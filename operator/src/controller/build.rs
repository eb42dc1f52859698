//! Builds every object of a decision. Infallible and pure: the same input gives the same bytes.
//!
//! Input: what is desired and what was decided. Output: [`Planned`] objects, in the order of their application. A new
//! object is one function in the file of its family and one line here. Must not know: what exists.

mod availability;
pub mod certificate;
mod claims;
mod config;
mod exporter;
mod monitoring;
mod network;
mod pod;
mod policies;
mod redis;
mod secrets;
mod sentinel;
mod service;

use super::credentials::Credential;
use super::decide::{Decision, Growth, Provisioned, SecretWrite, Watch};
use super::validate::{Desired, DesiredDatabase};
use crate::names::Component;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Resource;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;

/// An object to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its API.
    pub api: ApiResource,
    /// Its name.
    pub name: String,
    /// The complete object.
    pub body: Value,
}

impl Planned {
    fn of<K>(object: &K) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize,
    {
        let api = ApiResource::erase::<K>(&());
        let name = object.meta().name.clone().expect("a built object should have a name");
        let mut body = serde_json::to_value(object).expect("a built object should have a JSON form");
        body["apiVersion"] = api.api_version.clone().into();
        body["kind"] = api.kind.clone().into();
        Self { api, name, body }
    }
}

/// All objects of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Revision of the Settings.
    pub revision: String,
    /// Create-only objects, Secrets and volume claims: they are never updated, because a claim may have been expanded by
    /// hand, and a password must not change under its users.
    pub create_only: Vec<Planned>,
    /// Secrets that have lost their content and get it again, or whose rotation goes on: they are written over the version
    /// that was read, and over no other.
    pub restore: Vec<Planned>,
    /// All other objects, in order.
    pub objects: Vec<Planned>,
    /// Objects that are not wanted: they are deleted where they are there and ours.
    pub absent: Vec<(ApiResource, String)>,
    /// The Deployment whose number of pods is left to its autoscaler.
    pub scaled: Option<String>,
    /// Volume claims that are to ask for more.
    pub grow: Vec<Growth>,
}

/// Builds everything: configuration before the pods that read it, Redis before the service that uses it.
/// The API token is passed in, because building is pure.
pub fn build(desired: &Desired, decision: &Decision, token: &Credential) -> Resources {
    let names = &desired.names;
    let settings = desired.settings(decision.store.clone()).to_text();
    let revision = contract::settings::revision(&settings);
    let (mut create_only, mut restore) = (Vec::new(), Vec::new());
    let mut secrets = vec![(&decision.auth, secrets::api_token(names, token))];
    if let Some(Provisioned { auth, .. }) = &decision.redis {
        secrets.push((&decision.redis_auth, secrets::redis_auth(names, auth)));
    }
    for (write, secret) in secrets {
        match write {
            SecretWrite::Keep => {}
            SecretWrite::Create => create_only.push(Planned::of(&secret)),
            SecretWrite::Restore(read) | SecretWrite::Update(read) => {
                let mut planned = Planned::of(&secret);
                // Whoever was frozen meanwhile must not write old passwords over new ones.
                planned.body["metadata"]["resourceVersion"] = read.as_str().into();
                restore.push(planned);
            }
        }
    }
    if let (true, DesiredDatabase::Embedded(storage)) = (decision.make_data, &desired.database) {
        create_only.push(Planned::of(&claims::data(names, storage)));
    }
    let mut objects = Vec::new();
    if !decision.store_files.is_empty() {
        objects.push(Planned::of(&secrets::store(names, &decision.store_files)));
    }
    if let Some(provisioned) = &decision.redis {
        let budget =
            |name, component| Planned::of(&availability::disruption_budget(names, name, component, 1));
        objects.extend(certificate::request(desired));
        objects.push(Planned::of(&config::redis(desired, provisioned)));
        objects.push(Planned::of(&network::redis(names)));
        objects.push(Planned::of(&network::redis_nodes(names)));
        objects.push(Planned::of(&redis::stateful_set(desired, provisioned)));
        objects.push(budget(names.redis(), Component::Redis));
        if provisioned.wanted.sentinels > 0 || decision.has_sentinels {
            objects.push(Planned::of(&network::sentinels(names)));
            objects.push(Planned::of(&sentinel::stateful_set(desired, provisioned)));
            objects.push(budget(names.sentinel(), Component::Sentinel));
        }
    }
    objects.push(Planned::of(&config::settings(names, &settings)));
    objects.push(Planned::of(&service::account(names)));
    objects.push(Planned::of(&network::api(names)));
    objects.push(Planned::of(&network::ops(names)));
    objects.push(Planned::of(&service::deployment(desired, decision)));
    let mut absent = Vec::new();
    objects.extend(availability::of_service(desired).as_ref().map(Planned::of));
    match availability::autoscaler(desired) {
        Some(autoscaler) => objects.push(Planned::of(&autoscaler)),
        None => absent.push((ApiResource::erase::<HorizontalPodAutoscaler>(&()), names.name.clone())),
    }
    let kind = ApiResource::erase::<NetworkPolicy>(&());
    if desired.network_policy.enabled {
        objects.push(Planned::of(&policies::service(desired)));
        if decision.redis.is_some() {
            objects.push(Planned::of(&policies::redis(desired)));
            objects.push(Planned::of(&policies::sentinels(desired)));
        }
    } else {
        let all = [names.name.clone(), names.redis(), names.sentinel()];
        absent.extend(all.map(|name| (kind.clone(), name)));
    }
    let is_watched = decision.monitoring == Watch::Keep;
    let of_redis = decision.redis.as_ref().filter(|_| is_watched && desired.monitoring.has_exporter);
    if is_watched {
        objects.push(monitoring::of_service(desired));
        objects.extend(desired.monitoring.rules.then(|| monitoring::rules(desired)));
    }
    if let Some(provisioned) = of_redis {
        objects.push(Planned::of(&exporter::deployment(desired, provisioned)));
        objects.push(Planned::of(&exporter::service(desired)));
        objects.push(monitoring::of_redis(desired, provisioned));
        objects.extend(desired.network_policy.enabled.then(|| Planned::of(&exporter::policy(desired))));
    }
    if matches!(decision.monitoring, Watch::Keep | Watch::Remove) {
        absent.extend(monitoring::absent(desired, is_watched, of_redis.is_some()));
    }
    let scaled = desired.autoscaling.is_some().then(|| names.name.clone());
    Resources { revision, create_only, restore, objects, absent, scaled, grow: decision.grow.clone() }
}

#[cfg(test)]
mod tests;
