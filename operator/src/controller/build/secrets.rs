//! Secrets that the operator makes. Generated ones are created once, and written again only when they lost their content.
//!
//! Input: names and credentials. Output: Secrets. Must not know: who reads them.

use crate::controller::credentials::Credential;
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

/// The Secret of the Redis password: the password for clients, and the fragment of configuration that Redis includes.
/// It appears in no argument and no environment variable.
pub fn redis_password(names: &Names, password: &Credential) -> Secret {
    let pairs = [
        (names::PASSWORD_KEY.to_owned(), bytes(&password.0)),
        (names::REDIS_AUTH_KEY.to_owned(), bytes(&password.redis_config())),
    ];
    Secret {
        metadata: names.owned(names.redis_auth(), Component::Redis),
        data: Some(BTreeMap::from(pairs)),
        ..Secret::default()
    }
}

/// The Secret of what people gave for the store in Secrets of their own. A copy under one name: the pods have it mounted
/// whichever Secret the spec names, so another one restarts nothing.
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
