//! Builds every object of a decision. Infallible and pure: the same input gives the same bytes.
//!
//! Input: what is desired and what was decided. Output: [`Planned`] objects, in the order of their application. A new
//! object is one function in the file of its family and one line here. Must not know: what exists.

mod claims;
mod config;
mod pod;
mod redis;
mod secrets;
mod service;

use super::credentials::Credential;
use super::decide::{Decision, SecretWrite};
use super::validate::Desired;
use k8s_openapi::NamespaceResourceScope;
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
    /// Create-only objects, Secrets and volume claims: they are never updated, because a password must not change under
    /// its users, and a claim may have been expanded by hand.
    pub create_only: Vec<Planned>,
    /// Secrets that have lost their content, and get it again.
    pub restore: Vec<Planned>,
    /// All other objects, in order.
    pub objects: Vec<Planned>,
}

/// The credentials, as their Secrets have them or are to have them. They are passed in, because building is pure.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// The API token.
    pub token: &'a Credential,
    /// The password of Redis.
    pub password: &'a Credential,
}

/// Builds everything: configuration before the pods that read it, Redis before the service that uses it.
pub fn build(desired: &Desired, decision: &Decision, Secrets { token, password }: Secrets<'_>) -> Resources {
    let names = &desired.names;
    let settings = desired.settings(decision.mode).to_text();
    let revision = contract::settings::revision(&settings);
    let (mut create_only, mut restore) = (Vec::new(), Vec::new());
    let secrets = [
        (decision.auth, secrets::api_token(names, token)),
        (decision.redis_auth, secrets::redis_password(names, password)),
    ];
    for (write, secret) in secrets {
        match write {
            SecretWrite::Keep => {}
            SecretWrite::Create => create_only.push(Planned::of(&secret)),
            SecretWrite::Restore => restore.push(Planned::of(&secret)),
        }
    }
    if decision.make_data {
        create_only.push(Planned::of(&claims::data(desired)));
    }
    let mut objects = Vec::new();
    if decision.redis {
        objects.push(Planned::of(&config::redis(desired)));
        objects.push(Planned::of(&redis::client_service(names)));
        objects.push(Planned::of(&redis::nodes_service(names)));
        objects.push(Planned::of(&redis::stateful_set(desired, password)));
    }
    objects.push(Planned::of(&config::settings(names, &settings)));
    objects.push(Planned::of(&service::account(names)));
    objects.push(Planned::of(&service::api_service(names)));
    objects.push(Planned::of(&service::ops_service(names)));
    objects.push(Planned::of(&service::deployment(desired)));
    Resources { revision, create_only, restore, objects }
}

#[cfg(test)]
mod tests;
