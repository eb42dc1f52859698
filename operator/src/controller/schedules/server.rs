//! The API server of the schedules: objects with versions, and what it refuses.
//!
//! Input: writes. Output: what an operator observes. Must not know: who writes.

use crate::controller::build::Planned;
use crate::controller::credentials::Credential;
use crate::controller::decide::Growth;
use crate::controller::given::Given;
use crate::controller::observe::claims::Claim;
use crate::controller::observe::{
    Generated, Observed, Workload, entries, workload_of_deployment, workload_of_stateful_set,
};
use crate::controller::redis::auth::RedisAuth;
use crate::controller::redis::users::User;
use crate::names::TOKEN_KEY;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Kind and name.
pub type Key = (String, String);

/// A write that is on its way.
#[derive(Clone, Debug)]
pub enum Write {
    Create(Planned),
    Restore(Planned),
    Apply(Planned),
    Grow(Growth),
    Remove(Key),
}

/// What the API server holds.
#[derive(Default)]
pub struct Server {
    objects: BTreeMap<Key, (u64, Value)>,
    version: u64,
    /// Every spec that was written.
    pub specs: Vec<Value>,
    /// The master that the status records.
    pub master: Option<String>,
    /// The passwords of the service that each content of the Secret of Redis had as valid.
    pub valid: Vec<BTreeSet<String>>,
}

impl Server {
    fn put(&mut self, key: Key, body: Value) -> bool {
        if self.objects.get(&key).is_some_and(|(_, live)| *live == body) {
            return false;
        }
        self.version += 1;
        self.objects.insert(key, (self.version, body));
        if let Some(auth) = self.redis_auth().value {
            self.valid.push(auth.valid(User::App).map(|password| password.0.clone()).collect());
        }
        true
    }

    /// Carries a write out; gives whether it changed anything, or why it was refused.
    pub fn write(&mut self, write: Write) -> Result<bool, &'static str> {
        match write {
            Write::Create(Planned { api, name, body }) => {
                let key = (api.kind, name);
                if self.objects.contains_key(&key) { Err("it exists") } else { Ok(self.put(key, body)) }
            }
            Write::Restore(Planned { api, name, mut body }) => {
                let key = (api.kind, name);
                let live = self.objects.get(&key).map(|(version, _)| version.to_string());
                let read =
                    body["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
                match read.as_ref().and_then(Value::as_str) {
                    Some(read) if live.as_deref() != Some(read) => Err("it was changed since it was read"),
                    _ => Ok(self.put(key, body)),
                }
            }
            Write::Apply(Planned { api, name, body }) => {
                let key = (api.kind, name);
                let made_with = |body: &Value| body["spec"]["volumeClaimTemplates"].clone();
                if self.objects.get(&key).is_some_and(|(_, live)| made_with(live) != made_with(&body)) {
                    return Err("updates to statefulset spec for that field are forbidden");
                }
                self.make_claims(&key, &body);
                Ok(self.put(key, body))
            }
            Write::Grow(Growth { claim, size }) => {
                let key = ("PersistentVolumeClaim".to_owned(), claim);
                let Some((_, mut body)) = self.objects.get(&key).cloned() else { return Ok(false) };
                body["spec"]["resources"]["requests"]["storage"] = json!(size);
                Ok(self.put(key, body))
            }
            Write::Remove(key) => Ok(self.objects.remove(&key).is_some()),
        }
    }

    /// What the controller of StatefulSets makes.
    fn make_claims(&mut self, (kind, name): &Key, body: &Value) {
        let template = &body["spec"]["volumeClaimTemplates"][0];
        for number in 0..body["spec"]["replicas"]
            .as_u64()
            .filter(|_| kind == "StatefulSet" && template.is_object())
            .unwrap_or(0)
        {
            let claim = ("PersistentVolumeClaim".to_owned(), format!("data-{name}-{number}"));
            if !self.objects.contains_key(&claim) {
                let mut body = template.clone();
                body["metadata"]["name"] = json!(claim.1);
                self.put(claim, body);
            }
        }
    }

    pub fn secret(&self, name: &str) -> (Option<String>, BTreeMap<String, Credential>) {
        let Some((version, body)) = self.objects.get(&("Secret".to_owned(), name.to_owned())) else {
            return (None, BTreeMap::new());
        };
        let secret: Secret = serde_json::from_value(body.clone()).unwrap();
        (Some(version.to_string()), entries(secret))
    }

    pub fn redis_auth(&self) -> Generated<RedisAuth> {
        let (version, held) = self.secret("midterm-redis-auth");
        Generated { version, value: RedisAuth::read(&held) }
    }

    pub fn body<K: serde::de::DeserializeOwned>(&self, kind: &str, name: &str) -> Option<K> {
        let (_, body) = self.objects.get(&(kind.to_owned(), name.to_owned()))?;
        Some(serde_json::from_value(body.clone()).unwrap())
    }

    /// All that an operator reads, at one moment. Every pod is always as its workload wants it.
    pub fn observe(&self) -> Observed {
        let (version, held) = self.secret("midterm-auth");
        let token = held.get(TOKEN_KEY).cloned();
        let (_, redis_held) = self.secret("midterm-redis-auth");
        let redis_auth = self.redis_auth();
        let url = Credential("postgres://exam:word@db/exams".to_owned());
        let rolled_out = |workload: Workload| {
            let wanted = workload.wanted;
            Workload { is_current: true, updated: wanted, ready: wanted, total: wanted, ..workload }
        };
        let stateful = |name| self.body("StatefulSet", name).map(workload_of_stateful_set).map(rolled_out);
        let claims = self.objects.iter().filter(|((kind, _), _)| kind == "PersistentVolumeClaim");
        let redis = stateful("midterm-redis");
        Observed {
            auth: Generated { version, value: token },
            has_redis_config: redis_auth.value.as_ref().is_some_and(|auth| auth.has_config_in(&redis_held)),
            redis_auth,
            given: Given(BTreeMap::from([(
                "exam-db".to_owned(),
                Some(BTreeMap::from([("url".to_owned(), url)])),
            )])),
            is_made_with_tls: redis.is_some().then_some(false),
            claims: claims
                .filter_map(|(_, (_, body))| Claim::of(&serde_json::from_value(body.clone()).unwrap()))
                .collect(),
            service: self.body("Deployment", "midterm").map(workload_of_deployment).map(rolled_out),
            sentinel: stateful("midterm-redis-sentinel"),
            redis,
            master: self.master.clone(),
            ..Observed::default()
        }
    }

    pub fn lose(&mut self, at: usize, is_emptied: bool) {
        let of_operator = |(kind, _): &&Key| kind != "PersistentVolumeClaim";
        let keys: Vec<Key> = self.objects.keys().filter(of_operator).cloned().collect();
        let Some(key) = keys.get(at % keys.len().max(1)) else { return };
        match self.objects.get(key).cloned() {
            Some((_, mut body)) if is_emptied && key.0 == "Secret" => {
                body["data"] = json!({});
                self.put(key.clone(), body);
            }
            _ => drop(self.objects.remove(key)),
        }
    }
}
