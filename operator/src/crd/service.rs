//! The service's pods in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: objects.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The service's pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Number of pods, not counting those of an update in progress. Default: 1.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "one")]
    pub replicas: i32,
    /// The number of pods follows their load, and `replicas` is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Requests and limits of each pod; absent: 50m and 64Mi, at most 512Mi of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// How much a drain may take at a time, on PostgreSQL.
    #[serde(default)]
    pub disruption: Disruption,
    /// What is merged into the template of the pods: `metadata` and `spec` as a pod has them, as in
    /// `{spec: {nodeSelector: {disk: fast}}}`. Lists of containers, volumes and the like are merged by name, others are replaced.
    /// A field that a pod does not have is refused.
    #[schemars(schema_with = "super::free::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_patch: Option<Map<String, Value>>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            replicas: one(),
            autoscaling: None,
            resources: None,
            disruption: Disruption::default(),
            pod_patch: None,
        }
    }
}

/// How much a drain may take at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// Pods that may be away at once. Default: 1.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "one")]
    pub max_unavailable: i32,
}

impl Default for Disruption {
    fn default() -> Self {
        Self { max_unavailable: one() }
    }
}

fn one() -> i32 {
    1
}

/// Bounds of the number of pods, and when there are more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.min <= self.max").message("min must not be above max"))]
pub struct Autoscaling {
    /// Fewest pods.
    #[schemars(range(min = 1, max = 100))]
    pub min: i32,
    /// Most pods.
    #[schemars(range(min = 1, max = 100))]
    pub max: i32,
    /// Use of processors, in percent of what pods request, at which there are enough of them. Default: 70.
    #[schemars(range(min = 10, max = 500))]
    #[serde(default = "seventy")]
    pub cpu_percent: i32,
    /// How long fewer pods have to be enough before there are fewer, in seconds. Default: 300.
    #[schemars(range(min = 0, max = 3600))]
    #[serde(default = "five_minutes")]
    pub scale_down_after_seconds: i32,
}

fn five_minutes() -> i32 {
    300
}

fn seventy() -> i32 {
    70
}
