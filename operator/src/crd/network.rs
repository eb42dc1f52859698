//! Who may reach the pods, in the spec.
//!
//! Input: none. Output: data. Must not know: objects.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may reach the pods, where the cluster's network enforces policies. Redis and Sentinels are reached by the pods of this
/// resource, by the operator, and by pods of this namespace with the label `exam.dreamseed.ai/redis-access: NAME`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there are policies. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Who may call the exam API. Default: everybody.
    #[schemars(length(max = 100))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<NetworkPolicyPeer>,
    /// Who may read the ops port, beside the operator. Default: pods with the label `app.kubernetes.io/name: prometheus` of every
    /// namespace.
    #[schemars(length(max = 100))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrapers: Vec<NetworkPolicyPeer>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self { enabled: yes(), callers: Vec::new(), scrapers: Vec::new() }
    }
}

fn yes() -> bool {
    true
}
