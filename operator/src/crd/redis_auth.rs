//! The passwords of a provisioned Redis in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: users, commands.

use super::reference::SecretKey;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The passwords of a Redis that the operator provisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.rotation) || !has(self.secretRef)")
    .message("rotation has a generated password made anew; with secretRef, change the password in that Secret"))]
pub struct RedisAuth {
    /// Where the password of the service's user, `app`, is; absent: it is generated. Another one is taken up within a
    /// minute, in two passes, without a restart. Key, if absent: `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKey>,
    /// Any text. Another text has all passwords generated anew and taken up in two passes, without a restart. Default: none.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
}
