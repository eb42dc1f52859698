//! What watches over a deployment, in the spec.
//!
//! Input: none. Output: data and rules. Must not know: objects.

use super::Image;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Objects of the Prometheus Operator for this resource: what to scrape, and alerts. Where its kinds are not in the cluster,
/// the condition `MonitoringReady` says so, and all else goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether there are such objects. Default: false.
    #[serde(default)]
    pub enabled: bool,
    /// How often metrics are read, as 30s or 1m. Default: 30s.
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,3}(s|m)$')")
        .message("must be a number of seconds or minutes, as in 30s"))]
    #[serde(default = "interval")]
    pub interval: String,
    /// Labels of the objects, by which a Prometheus finds them, as `release: prometheus`. Default: none.
    #[schemars(extend("maxProperties" = 20))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether there are recording rules and alerts. Default: true.
    #[serde(default = "yes")]
    pub rules: bool,
    /// Metrics of the Redis that the operator provisions.
    #[serde(default)]
    pub redis_exporter: RedisExporter,
}

/// The exporter of Redis metrics, a pod of its own: that there is one, or another, replaces no pod of Redis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisExporter {
    /// Whether there is one, where Redis is provisioned. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its image; absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            enabled: false,
            interval: interval(),
            labels: BTreeMap::new(),
            rules: yes(),
            redis_exporter: RedisExporter::default(),
        }
    }
}

impl Default for RedisExporter {
    fn default() -> Self {
        Self { enabled: yes(), image: None }
    }
}

fn interval() -> String {
    "30s".to_owned()
}

fn yes() -> bool {
    true
}
