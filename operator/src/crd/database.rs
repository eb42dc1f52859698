//! The database of record in the spec.
//!
//! Input: none. Output: data. Must not know: volume claims.

use super::storage::{Storage, one_gibibyte};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The database of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Database {
    /// The volume of its file. It survives the deletion of the resource.
    pub storage: Storage,
}

impl Default for Database {
    fn default() -> Self {
        Self { storage: one_gibibyte() }
    }
}
