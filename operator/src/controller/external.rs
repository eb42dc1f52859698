//! A Redis that is there already: from the spec and people's Secrets to the settings of the store.
//!
//! Input: a part of the spec, and what Secrets hold. Output: the store of the Settings, and the files that it names; or
//! what cannot be used. Pure. Must not know: objects, Redis commands.

use super::credentials::Credential;
use super::given::{Given, Reference, Unusable};
use crate::crd::External;
use crate::names::STORE_FOLDER;
use contract::settings::{RedisUrl, Store};
use std::collections::BTreeMap;

const URL: &str = "spec.redis.external.urlSecretRef";

/// An external store, and what its settings name by file.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalStore {
    /// The store in the Settings.
    pub store: Store,
    /// Files, by their names in the folder of the store's secrets.
    pub files: BTreeMap<String, Credential>,
}

impl External {
    /// The keys of Secrets that it names.
    pub fn references(&self) -> Vec<Reference> {
        let one =
            |named: &Option<_>, field, key| named.as_ref().map(|named| Reference::of(field, named, key));
        let mut references = Vec::new();
        references.extend(one(&self.url_secret_ref, URL, "url"));
        references.extend(self.password());
        references.extend(self.sentinel_password());
        references.extend(self.ca());
        references.extend(self.certificate().into_iter().flatten());
        references
    }

    fn password(&self) -> Option<Reference> {
        let named = self.password_secret_ref.as_ref()?;
        Some(Reference::of("spec.redis.external.passwordSecretRef", named, "password"))
    }

    fn sentinel_password(&self) -> Option<Reference> {
        let named = self.sentinel_password_secret_ref.as_ref()?;
        Some(Reference::of("spec.redis.external.sentinelPasswordSecretRef", named, "password"))
    }

    fn ca(&self) -> Option<Reference> {
        Some(Reference::of("spec.redis.external.caSecretRef", self.ca_secret_ref.as_ref()?, "ca.crt"))
    }

    fn certificate(&self) -> Option<[Reference; 2]> {
        let named = self.client_certificate_secret_ref.as_ref()?;
        Some(Reference::certificate("spec.redis.external.clientCertificateSecretRef", named))
    }

    /// The store that it describes.
    ///
    /// # Errors
    /// A Secret lacks what is named, or a URL is not one.
    pub fn resolve(&self, given: &Given) -> Result<ExternalStore, Unusable> {
        let (field, text) = match (&self.url, &self.url_secret_ref) {
            (Some(url), _) => ("spec.redis.external.url", url.clone()),
            (None, Some(named)) => (URL, given.text(&Reference::of(URL, named, "url"))?.0.trim().to_owned()),
            (None, None) => ("spec.redis.external.url", String::new()),
        };
        let unusable = |reason| Unusable { reason: "InvalidUrl", message: format!("{field}: {reason}") };
        let (mut url, mut files) = (RedisUrl::parse(&text).map_err(unusable)?, BTreeMap::new());
        let mut file = |name: &str, text: &Credential| {
            files.insert(name.to_owned(), text.clone());
            Some(format!("{STORE_FOLDER}/{name}"))
        };
        let (username, password) = (url.username.take(), url.password.take().map(Credential));
        let mut store = Store::from_url(&url.to_string()).map_err(unusable)?;
        let (Store::Basic(redis) | Store::Sentinel(redis) | Store::Cluster(redis)) = &mut store else {
            return Err(unusable("is of no Redis".to_owned()));
        };
        redis.username = self.username.clone().or(username);
        redis.sentinel_username.clone_from(&self.sentinel_username);
        redis.password_file = match self.password() {
            Some(reference) => file("password", given.text(&reference)?),
            None => password.and_then(|password| file("password", &password)),
        };
        if let Some(reference) = self.sentinel_password() {
            redis.sentinel_password_file = file("sentinel-password", given.text(&reference)?);
        }
        if let Some(reference) = self.ca() {
            redis.ca_file = file("ca.crt", given.text(&reference)?);
        }
        if let Some([certificate, key]) = self.certificate() {
            redis.cert_file = file("tls.crt", given.text(&certificate)?);
            redis.key_file = file("tls.key", given.text(&key)?);
        }
        Ok(ExternalStore { store, files })
    }
}
