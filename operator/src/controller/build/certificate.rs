//! The request for a certificate of Redis, to cert-manager.
//!
//! Input: what is desired. Output: an object of cert-manager. Must not know: whether cert-manager is there.

use super::Planned;
use crate::controller::validate::Desired;
use crate::crd::IssuerKind;
use crate::names::{self, Component};
use serde_json::json;

/// A certificate for every pod of Redis and Sentinels, however many there are; `None`: somebody else makes it.
pub fn request(desired: &Desired) -> Option<Planned> {
    let issuer = desired.redis.tls.as_ref()?.issuer_ref.as_ref()?;
    let (names, api) = (&desired.names, names::certificate_kind());
    let name = names.redis_tls();
    let body = json!({
        "apiVersion": api.api_version,
        "kind": api.kind,
        "metadata": names.owned(name.clone(), Component::Redis),
        "spec": {
            "secretName": name,
            "dnsNames": [
                format!("*{}", names.redis_domain()),
                format!("*{}", names.sentinel_domain()),
                format!("{}.{}.svc", names.redis(), names.namespace),
            ],
            "usages": ["digital signature", "key encipherment", "server auth", "client auth"],
            "issuerRef": {
                "group": api.group,
                "kind": match issuer.kind {
                    IssuerKind::Issuer => "Issuer",
                    IssuerKind::ClusterIssuer => "ClusterIssuer",
                },
                "name": issuer.name,
            },
        },
    });
    Some(Planned { api, name, body })
}
