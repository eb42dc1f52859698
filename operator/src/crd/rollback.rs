//! The rollback of the store in the spec.
//!
//! Input: none. Output: data. Must not know: how it is done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rollback of the store to the service's memory, by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollback {
    /// `Memory`: snapshots are in the service's memory, whatever `redis.mode` says; Redis stays as it is. `Return`, or
    /// absent: they are where `redis.mode` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Request {
    /// Into memory.
    Memory,
    /// Back to the mode of the spec.
    Return,
}
