//! Volume claims. The claim of the database is a create-only object without an owner.
//!
//! Input: names and sizes. Output: claims. Must not know: who mounts them.

use super::pod;
use crate::crd::Storage;
use crate::names::{Component, Names};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};

/// The claim of the database. It has no owner, so the answers survive the deletion of the resource.
pub fn data(names: &Names, storage: &Storage) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: names.without_owner(names.data(), Component::Service),
        spec: Some(spec(storage)),
        ..PersistentVolumeClaim::default()
    }
}

/// The spec of a claim for a volume that one node writes.
pub fn spec(storage: &Storage) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
        storage_class_name: storage.class_name.clone(),
        resources: Some(VolumeResourceRequirements {
            requests: Some(pod::quantities(&[("storage", &storage.size)])),
            limits: None,
        }),
        ..PersistentVolumeClaimSpec::default()
    }
}
