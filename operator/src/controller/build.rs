//! Every object that a decision stands for. Infallible and pure: object in the same bytes out.
//!
//! Comes in: what is wanted and what was decided. Goes out: [`Planned`] objects, in the order in
//! which they are applied. A new object is one function and one line here.
//! Must not know: what is there.

mod pod;
mod redis;
mod service;

use super::decide::Decision;
use super::validate::Desired;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;

/// An object to be applied as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its API.
    pub api: ApiResource,
    /// Its name.
    pub name: String,
    /// All of it.
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

/// All that is to be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Revision of the Settings that the service is told.
    pub revision: String,
    /// Secrets and volume claims, which are made once and never written again: a password is not
    /// changed under its users, and a claim may have been grown by hand.
    pub made: Vec<Planned>,
    /// Everything else, in order.
    pub objects: Vec<Planned>,
}

/// Fresh random words, should a Secret be made. They come from outside: building is pure.
#[derive(Clone, Copy, Debug)]
pub struct FreshWords<'a> {
    /// For the API.
    pub token: &'a str,
    /// For Redis.
    pub password: &'a str,
}

/// Builds everything: what is read first, Redis before the service that uses it.
pub fn build(desired: &Desired, decision: &Decision, fresh: FreshWords<'_>) -> Resources {
    let names = &desired.names;
    let settings = desired.settings(decision.mode).to_text();
    let revision = contract::settings::revision(&settings);
    let mut made = Vec::new();
    if decision.make_auth {
        made.push(Planned::of(&service::auth_secret(names, fresh.token)));
    }
    if decision.make_redis_auth {
        made.push(Planned::of(&redis::auth_secret(names, fresh.password)));
    }
    if decision.make_data {
        made.push(Planned::of(&service::data_claim(desired)));
    }
    let mut objects = Vec::new();
    if decision.redis {
        objects.push(Planned::of(&redis::config(desired)));
        objects.push(Planned::of(&redis::client_service(names)));
        objects.push(Planned::of(&redis::nodes_service(names)));
        objects.push(Planned::of(&redis::stateful_set(desired)));
    }
    objects.push(Planned::of(&service::config(names, &settings)));
    objects.push(Planned::of(&service::account(names)));
    objects.push(Planned::of(&service::api_service(names)));
    objects.push(Planned::of(&service::ops_service(names)));
    objects.push(Planned::of(&service::deployment(desired, decision.mode, &revision)));
    Resources { revision, made, objects }
}

#[cfg(test)]
mod tests;
