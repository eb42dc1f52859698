//! Container images in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: what runs from the image.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A container image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry, repository, and a tag or digest: `registry.example/exam-service:0.1.0`.
    #[x_kube(validation = Rule::new("self.matches('^[^ ]+(:[^/ ]+|@sha256:[0-9a-f]{64})$')")
        .message("name a tag or a digest, as in registry.example/exam-service:0.1.0"))]
    pub reference: String,
    /// When the node pulls the image. Default: IfNotPresent.
    #[serde(default)]
    pub pull_policy: PullPolicy,
    /// Names of the Secrets with credentials for the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
}

/// When a node pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At each start of a container.
    Always,
    /// When the node does not have the image.
    #[default]
    IfNotPresent,
    /// Never: the node must have the image.
    Never,
}
