//! Kinds of other projects, which may not be in the cluster.
//!
//! Input: none. Output: what the API server calls them. Must not know: whether they are there.

use kube::core::ApiResource;

/// The kind of a request for a certificate, to cert-manager.
pub fn certificate_kind() -> ApiResource {
    ApiResource {
        group: "cert-manager.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "cert-manager.io/v1".to_owned(),
        kind: "Certificate".to_owned(),
        plural: "certificates".to_owned(),
    }
}

/// The kind of what Prometheus scrapes, of the Prometheus Operator.
pub fn service_monitor_kind() -> ApiResource {
    monitoring_kind("ServiceMonitor", "servicemonitors")
}

/// The kind of rules of Prometheus, of the Prometheus Operator.
pub fn prometheus_rule_kind() -> ApiResource {
    monitoring_kind("PrometheusRule", "prometheusrules")
}

fn monitoring_kind(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "monitoring.coreos.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "monitoring.coreos.com/v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
