//! What people give in Secrets of their own: which keys the spec names, and what was found there.
//!
//! Input: fields of the spec, and what the Secrets hold. Output: values, or one sentence for whoever has to act. Pure.
//! Must not know: how Secrets are read.

use super::credentials::Credential;
use crate::crd::{SecretKey, SecretName};
use std::collections::BTreeMap;

/// A key of a Secret that a field of the spec names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Name of the Secret.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// The field.
    pub field: &'static str,
}

impl Reference {
    /// What a field names; `key`: what is meant where it names no key.
    pub fn of(field: &'static str, named: &SecretKey, key: &str) -> Self {
        let key = named.key.clone().unwrap_or_else(|| key.to_owned());
        Self { secret: named.name.clone(), key, field }
    }

    /// The certificate and the key of a `kubernetes.io/tls` Secret.
    pub fn certificate(field: &'static str, SecretName { name }: &SecretName) -> [Self; 2] {
        ["tls.crt", "tls.key"].map(|key| Self { secret: name.clone(), key: key.to_owned(), field })
    }
}

/// What the Secrets hold, by name and key; `None`: there is no such Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given(pub BTreeMap<String, Option<BTreeMap<String, Credential>>>);

/// Something of a person's Secret that cannot be used. Nothing is changed until it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// The static reason, for conditions and events.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Given {
    /// The text under a key.
    ///
    /// # Errors
    /// The Secret is not there, or has nothing under the key.
    pub fn text(&self, Reference { secret, key, field }: &Reference) -> Result<&Credential, Unusable> {
        let missing = |message| Unusable { reason: "SecretMissing", message };
        let Some(held) = self.0.get(secret).and_then(Option::as_ref) else {
            return Err(missing(format!("Secret {secret}, which {field} names, is not there: create it")));
        };
        held.get(key).ok_or_else(|| {
            let keys: Vec<&str> = held.keys().map(String::as_str).collect();
            let has = if keys.is_empty() {
                "it is empty".to_owned()
            } else {
                format!("it has {}", keys.join(", "))
            };
            missing(format!("Secret {secret}, which {field} names, has no text under the key {key}; {has}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let word = |text: &str| Credential(text.to_owned());
        let given = Given(BTreeMap::from([
            ("db".to_owned(), Some(BTreeMap::from([("uri".to_owned(), word("postgres://db/exams"))]))),
            ("gone".to_owned(), None),
        ]));
        let find = |secret: &str, key: Option<&str>| {
            let named = SecretKey { name: secret.to_owned(), key: key.map(str::to_owned) };
            given.text(&Reference::of("spec.database.urlSecretRef", &named, "url"))
        };
        assert_eq!(find("db", Some("uri")), Ok(&word("postgres://db/exams")));
        let said = find("db", None).unwrap_err().message;
        assert_eq!(
            said,
            "Secret db, which spec.database.urlSecretRef names, has no text under the key url; it has uri"
        );
        for secret in ["gone", "never-asked-for"] {
            assert!(find(secret, None).unwrap_err().message.contains("is not there"), "{secret}");
        }
    }
}
