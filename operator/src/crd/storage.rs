//! Volumes in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: what is stored on the volume.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!isQuantity(self.size) || !isQuantity(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0")
        .message("a volume cannot be made smaller: give the size it has, or a larger one"),
    validation = Rule::new("has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)")
        .message("a volume stays in its StorageClass: make a new resource")
)]
pub struct Storage {
    /// Its size. A larger one grows it, where its StorageClass allows that.
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))")
        .message("must be a size above 0, as in 1Gi"))]
    pub size: String,
    /// Its StorageClass; absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
}

/// A volume of 1 GiB of the default StorageClass.
pub(super) fn one_gibibyte() -> Storage {
    Storage { size: "1Gi".to_owned(), class_name: None }
}
