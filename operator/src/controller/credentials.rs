//! The generated credentials that this operator has seen, so that a Secret that was deleted or emptied comes back as it
//! was: whoever uses it has the same password then, and nothing has to restart.
//!
//! Input: values of Secrets as they were read. Output: the same values later. They are kept in memory only: an operator
//! that has restarted meanwhile makes new ones. Must not know: how Secrets are read or written.

use rand::RngExt;
use rand::distr::Alphanumeric;
use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

/// A secret word; it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(pub String);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(not shown)")
    }
}

impl Credential {
    /// 48 random letters and digits.
    pub fn random() -> Self {
        Self(rand::rng().sample_iter(&Alphanumeric).take(48).map(char::from).collect())
    }
}

impl Credential {
    /// As the password of Redis, the fragment of its configuration: for its clients, and for itself as a replica.
    pub fn redis_config(&self) -> String {
        format!("requirepass {0}\nmasterauth {0}\n", self.0)
    }
}

/// A credential for a Secret, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The Secret has it.
    Live(Credential),
    /// The Secret had it when it was read last.
    Remembered(Credential),
    /// It is new.
    New(Credential),
}

impl Source {
    /// The credential.
    pub fn credential(&self) -> &Credential {
        match self {
            Self::Live(credential) | Self::Remembered(credential) | Self::New(credential) => credential,
        }
    }
}

/// Credentials by namespace and name of their Secrets.
#[derive(Debug, Default)]
pub struct Credentials {
    // Never held across an await.
    seen: Mutex<HashMap<(String, String), Credential>>,
}

impl Credentials {
    /// The credential of a Secret: what it has, what it had, or a new one.
    pub fn recall(&self, namespace: &str, secret: &str, live: Option<&Credential>) -> Source {
        let mut seen = self.seen.lock().expect("no holder of the map should panic");
        let key = (namespace.to_owned(), secret.to_owned());
        match (live, seen.get(&key)) {
            (Some(live), _) => {
                seen.insert(key, live.clone());
                Source::Live(live.clone())
            }
            (None, Some(before)) => Source::Remembered(before.clone()),
            (None, None) => Source::New(Credential::random()),
        }
    }

    /// Forgets the credentials of Secrets that are gone with their resource.
    pub fn forget(&self, namespace: &str, secrets: &[String]) {
        let mut seen = self.seen.lock().expect("no holder of the map should panic");
        seen.retain(|(space, name), _| space != namespace || !secrets.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_comes_back_as_it_was() {
        let credentials = Credentials::default();
        let one = Credential("one".to_owned());
        assert!(matches!(credentials.recall("school", "auth", None), Source::New(_)));
        assert_eq!(credentials.recall("school", "auth", Some(&one)), Source::Live(one.clone()));
        assert_eq!(credentials.recall("school", "auth", None), Source::Remembered(one.clone()));
        assert!(matches!(credentials.recall("other", "auth", None), Source::New(_)));
        let rotated = Credential("two".to_owned());
        credentials.recall("school", "auth", Some(&rotated));
        assert_eq!(credentials.recall("school", "auth", None), Source::Remembered(rotated));
        credentials.forget("school", &["auth".to_owned()]);
        assert!(matches!(credentials.recall("school", "auth", None), Source::New(_)));
        assert!(!format!("{one:?}").contains("one"));
        assert_ne!(Credential::random(), Credential::random());
    }
}
