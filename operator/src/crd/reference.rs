//! References to Secrets and ConfigMaps in the spec.
//!
//! Input: none. Output: data. Must not know: what they hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key of a Secret, or of a ConfigMap, in the namespace of the resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret or ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it; absent: what the field's own text says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
