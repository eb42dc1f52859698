//! The database of record in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: volume claims.

use super::reference::SecretKey;
use super::storage::{Storage, one_gibibyte};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The database of record: answers are durable in it. A PostgreSQL where a Secret has its URL; otherwise an embedded
/// SQLite file on a volume, which one pod holds for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.caSecretRef) || has(self.urlSecretRef)")
    .message("caSecretRef is for PostgreSQL: set urlSecretRef too"))]
pub struct Database {
    /// Where the URL of a PostgreSQL is, as in `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Key, if absent: `url`. A new
    /// password in it is used without a restart; another host, port or database restarts pods one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_secret_ref: Option<SecretKey>,
    /// Where the certificates of its authority are (PEM): connections are encrypted then, and the server needs a
    /// certificate for its host by this authority. Key, if absent: `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
    /// The volume of the embedded file. It survives the deletion of the resource. Default: 1Gi.
    #[serde(default = "one_gibibyte")]
    pub storage: Storage,
}

impl Default for Database {
    fn default() -> Self {
        Self { url_secret_ref: None, ca_secret_ref: None, storage: one_gibibyte() }
    }
}
