//! The Redis that the operator provisions, as the service sees it, and what people give for it.
//!
//! Input: what is desired. Output: the store of the Settings, and references. Must not know: the state of the cluster.

use super::Desired;
use crate::controller::given::Reference;
use crate::controller::redis::users::User;
use crate::crd::Mode;
use crate::names;
use contract::settings::{Redis, Store};

impl Desired {
    /// Where the service's password at a provisioned Redis is, if a person gives it and the mode needs it.
    pub fn redis_password(&self) -> Option<Reference> {
        let named = self.redis.auth.secret_ref.as_ref().filter(|_| self.wanted().is_some())?;
        Some(Reference::of("spec.redis.auth.secretRef", named, "password"))
    }

    /// Where the certificate of a provisioned Redis is, its key, and its authority.
    pub fn redis_certificate(&self) -> Option<[Reference; 3]> {
        let tls = self.redis.tls.as_ref()?;
        let (secret, field) = match &tls.secret_ref {
            Some(named) => (named.name.clone(), "spec.redis.tls.secretRef"),
            None => (self.names.redis_tls(), "spec.redis.tls.issuerRef"),
        };
        let key = |key: &str| Reference { secret: secret.clone(), key: key.to_owned(), field };
        Some(["tls.crt", "tls.key", "ca.crt"].map(key))
    }

    /// Hosts that its certificate has to name: those of the first pods stand for all.
    pub fn redis_hosts(&self) -> Vec<String> {
        let pod = format!("{}{}", self.names.redis_pod(0), self.names.redis_domain());
        let sentinels = if self.mode == Mode::Sentinel { self.redis.sentinel.sentinels } else { 0 };
        let pods = if self.mode == Mode::Sentinel { self.redis.sentinel.nodes } else { 1 };
        let pods = (1..pods).map(|at| format!("{}{}", self.names.redis_pod(at), self.names.redis_domain()));
        [pod].into_iter().chain(pods).chain(self.names.sentinel_hosts(sentinels)).collect()
    }

    /// The one Redis that the operator provisions, as a store; `password_file`: the service's.
    pub fn basic(&self, password_file: String) -> Store {
        let (pod, domain) = (self.names.redis_pod(0), self.names.redis_domain());
        let url = format!("{}://{pod}{domain}:{}/0", self.scheme(), names::REDIS_PORT);
        Store::Basic(Redis {
            username: Some(User::App.name().to_owned()),
            ca_file: self.redis.tls.as_ref().map(|_| authority_file()),
            ..Redis::at(url, Some(password_file))
        })
    }

    /// The Redis that Sentinels lead, as a store. Both know the service by the same password.
    pub fn by_sentinels(&self, password_file: String) -> Store {
        let hosts = self.names.sentinel_hosts(self.redis.sentinel.sentinels);
        let hosts: Vec<String> =
            hosts.into_iter().map(|host| format!("{host}:{}", names::SENTINEL_PORT)).collect();
        let url = format!("{}+sentinel://{}/{}/0", self.scheme(), hosts.join(","), names::SENTINEL_MASTER);
        Store::Sentinel(Redis {
            username: Some(User::App.name().to_owned()),
            sentinel_username: Some(User::App.name().to_owned()),
            ca_file: self.redis.tls.as_ref().map(|_| authority_file()),
            sentinel_password_file: Some(password_file.clone()),
            ..Redis::at(url, Some(password_file))
        })
    }

    fn scheme(&self) -> &'static str {
        if self.redis.tls.is_some() { "rediss" } else { "redis" }
    }
}

fn authority_file() -> String {
    format!("{}/{}", names::STORE_FOLDER, names::REDIS_AUTHORITY)
}
