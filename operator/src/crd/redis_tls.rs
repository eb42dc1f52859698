//! TLS of a provisioned Redis in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: objects, certificates.

use super::external::SecretName;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS between the service, Redis and Sentinels. Another certificate is taken up without a failed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.issuerRef)")
    .message("set secretRef or issuerRef, and one of them only"))]
pub struct RedisTls {
    /// The Secret with a certificate, `tls.crt`, for all hosts of Redis and Sentinels, its key, `tls.key`, and the certificates
    /// of its authority, `ca.crt` (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// The issuer of cert-manager that makes the certificate, in the Secret `NAME-redis-tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
}

/// An issuer of cert-manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its kind. Default: Issuer.
    #[serde(default)]
    pub kind: IssuerKind,
}

/// A kind of issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IssuerKind {
    /// One of the namespace.
    #[default]
    Issuer,
    /// One of the cluster.
    ClusterIssuer,
}
