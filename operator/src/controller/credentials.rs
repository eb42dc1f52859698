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

/// What a Secret had, and whether it still has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<T> {
    /// The Secret has it.
    Live(T),
    /// The Secret had it when it was read last.
    Remembered(T),
    /// No content of the Secret is known.
    Unknown,
}

impl<T> Source<T> {
    /// What is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Live(known) | Self::Remembered(known) => Some(known),
            Self::Unknown => None,
        }
    }
}

/// What Secrets hold, by their namespace and name.
#[derive(Debug)]
pub struct Credentials<T> {
    // Never held across an await.
    seen: Mutex<HashMap<(String, String), T>>,
}

impl<T> Default for Credentials<T> {
    fn default() -> Self {
        Self { seen: Mutex::default() }
    }
}

impl<T: Clone> Credentials<T> {
    /// What a Secret has, or had.
    pub fn recall(&self, namespace: &str, secret: &str, live: Option<&T>) -> Source<T> {
        let mut seen = self.seen.lock().expect("no holder of the map should panic");
        let key = (namespace.to_owned(), secret.to_owned());
        match (live, seen.get(&key)) {
            (Some(live), _) => {
                seen.insert(key, live.clone());
                Source::Live(live.clone())
            }
            (None, Some(before)) => Source::Remembered(before.clone()),
            (None, None) => Source::Unknown,
        }
    }

    /// Forgets a Secret that is gone with its resource.
    pub fn forget(&self, namespace: &str, secret: &str) {
        let mut seen = self.seen.lock().expect("no holder of the map should panic");
        seen.remove(&(namespace.to_owned(), secret.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_comes_back_as_it_was() {
        let credentials = Credentials::<Credential>::default();
        let one = Credential("one".to_owned());
        assert!(matches!(credentials.recall("school", "auth", None), Source::Unknown));
        assert_eq!(credentials.recall("school", "auth", Some(&one)), Source::Live(one.clone()));
        assert_eq!(credentials.recall("school", "auth", None), Source::Remembered(one.clone()));
        assert!(matches!(credentials.recall("other", "auth", None), Source::Unknown));
        let rotated = Credential("two".to_owned());
        credentials.recall("school", "auth", Some(&rotated));
        assert_eq!(credentials.recall("school", "auth", None), Source::Remembered(rotated));
        credentials.forget("school", "auth");
        assert!(matches!(credentials.recall("school", "auth", None), Source::Unknown));
        assert!(!format!("{one:?}").contains("one"));
        assert_ne!(Credential::random(), Credential::random());
    }
}
