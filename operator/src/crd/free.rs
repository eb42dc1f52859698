//! Parts of the spec whose fields the definition does not know.
//!
//! Input: none. Output: a schema. Must not know: what they hold.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object that is kept with all that is in it. Beside `additionalProperties` the API server would drop what is nested.
pub(super) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
