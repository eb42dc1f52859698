//! A Redis that is there already, in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: what reads the Secrets.

use super::reference::SecretKey;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Redis that is there already, as a managed service: one server, Sentinels, or a cluster, as its URL says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.url) != has(self.urlSecretRef)").message("set url or urlSecretRef, and one of them only"),
    validation = Rule::new("!has(self.username) || has(self.passwordSecretRef)").message("username needs passwordSecretRef"),
    validation = Rule::new("!has(self.sentinelUsername) || has(self.sentinelPasswordSecretRef)")
        .message("sentinelUsername needs sentinelPasswordSecretRef")
)]
pub struct External {
    /// Its URL, without a password: `redis://HOST:PORT/0`, `redis+sentinel://HOST:PORT,HOST:PORT/MASTER/0` or
    /// `redis+cluster://HOST:PORT,HOST:PORT`; with `rediss` in place of `redis`: by TLS.
    #[x_kube(validation = Rule::new("self.matches('^rediss?([+](sentinel|cluster))?://[^@ ]+$')")
        .message("must be redis://HOST:PORT/0, redis+sentinel://HOST:PORT,HOST:PORT/MASTER/0 or redis+cluster://HOST:PORT,HOST:PORT (rediss: TLS), without a password, which belongs into passwordSecretRef"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where its URL is; it may hold user and password. Key, if absent: `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_secret_ref: Option<SecretKey>,
    /// The ACL user; absent: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Where its password is; absent: it wants none. A new one is used within a minute, without a restart. Key, if absent:
    /// `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKey>,
    /// The ACL user of the Sentinels; absent: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinel_username: Option<String>,
    /// Where the password of the Sentinels is; absent: they want none. Key, if absent: `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinel_password_secret_ref: Option<SecretKey>,
    /// Where the certificates of its authority are (PEM), for TLS; absent: those of the system. Key, if absent: `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
    /// The Secret with the client's certificate, `tls.crt`, and its key, `tls.key`, if Redis asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_secret_ref: Option<SecretName>,
}

/// A Secret in the namespace of the resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
