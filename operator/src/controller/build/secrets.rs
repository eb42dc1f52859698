//! Secrets that the operator generates. They are create-only objects.
//!
//! Input: names and fresh random words. Output: Secrets. Must not know: who reads them.

use crate::names::{self, Component, Names};
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;

/// The Secret of the API token.
pub fn api_token(names: &Names, token: &str) -> Secret {
    Secret {
        metadata: names.owned(names.auth(), Component::Service),
        string_data: Some(BTreeMap::from([(names::TOKEN_KEY.to_owned(), token.to_owned())])),
        ..Secret::default()
    }
}

/// The Secret of the Redis password: the password for clients, and the fragment of configuration that Redis includes.
/// It appears in no argument and no environment variable.
pub fn redis_password(names: &Names, password: &str) -> Secret {
    let pairs = [
        (names::PASSWORD_KEY.to_owned(), password.to_owned()),
        (names::REDIS_AUTH_KEY.to_owned(), format!("requirepass {password}\n")),
    ];
    Secret {
        metadata: names.owned(names.redis_auth(), Component::Redis),
        string_data: Some(BTreeMap::from(pairs)),
        ..Secret::default()
    }
}
