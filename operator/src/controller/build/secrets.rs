//! Secrets that the operator makes. Generated ones are created once, and written again only when they lost their content.
//!
//! Input: names and credentials. Output: Secrets. Must not know: who reads them.

use crate::controller::credentials::Credential;
use crate::controller::redis::auth::RedisAuth;
use crate::names::{self, Component, Names};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;

/// The Secret of the API token.
pub fn api_token(names: &Names, Credential(token): &Credential) -> Secret {
    Secret {
        metadata: names.owned(names.auth(), Component::Service),
        data: Some(BTreeMap::from([(names::TOKEN_KEY.to_owned(), bytes(token))])),
        ..Secret::default()
    }
}

/// The Secret of Redis: the passwords of its users, and the configuration with them. They appear in no argument and no
/// environment variable.
pub fn redis_auth(names: &Names, auth: &RedisAuth) -> Secret {
    let data = auth.data().into_iter().map(|(key, Credential(text))| (key, bytes(&text)));
    Secret {
        metadata: names.owned(names.redis_auth(), Component::Redis),
        data: Some(data.collect()),
        ..Secret::default()
    }
}

/// The Secret of what the service presents to its store: what people gave in Secrets of their own, and its password at a Redis
/// that was provisioned. A copy under one name: the pods have it mounted in every mode, so another one restarts nothing.
pub fn store(names: &Names, files: &BTreeMap<String, Credential>) -> Secret {
    let data = files.iter().map(|(name, Credential(text))| (name.clone(), bytes(text)));
    Secret {
        metadata: names.owned(names.store(), Component::Service),
        data: Some(data.collect()),
        ..Secret::default()
    }
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}
