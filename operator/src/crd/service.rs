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
    /// Number of pods.
    #[x_kube(validation = Rule::new("self == 1")
        .message("must be 1: the answers are in an embedded SQLite file, which one pod holds for itself"))]
    #[serde(default = "one")]
    pub replicas: i32,
    /// Requests and limits of each pod; absent: small ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for Service {
    fn default() -> Self {
        Self { replicas: one(), resources: None }
    }
}

fn one() -> i32 {
    1
}
