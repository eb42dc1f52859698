//! Authentication of callers in the spec.
//!
//! Input: none. Output: data. Must not know: Secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Authentication of callers of the exam API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// `token`: callers send the token in the Secret NAME-auth, which the operator creates. `none`: everyone who
    /// can reach the Service.
    pub mode: AuthMode,
}

/// Authentication mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// By a token.
    #[default]
    Token,
    /// No authentication.
    None,
}
