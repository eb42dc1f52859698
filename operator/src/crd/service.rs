//! The service's pods in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: objects.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

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
}

impl Default for Service {
    fn default() -> Self {
        Self { replicas: one(), autoscaling: None, resources: None }
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
}

fn seventy() -> i32 {
    70
}
