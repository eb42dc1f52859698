//! The snapshot store in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: objects, Redis commands.

use super::external::External;
use super::image::Image;
use super::redis_auth::RedisAuth;
use super::redis_tls::RedisTls;
use super::sentinel::Sentinel;
use super::storage::{Storage, one_gibibyte};
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The store of snapshots of open exams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode != 'external' || has(self.external)")
    .message("mode external needs external, which says where that Redis is"),
    validation = Rule::new("has(self.tls) == has(oldSelf.tls) || (self.mode in ['memory', 'external'] && oldSelf.mode in ['memory', 'external'])")
        .message("tls cannot be set or removed while Redis is in use: change mode to memory before, or make a new resource"))]
pub struct Redis {
    /// `memory`: in the service. `basic`: in one Redis that the operator provisions. `sentinel`: in one with replicas and
    /// Sentinels, which it provisions, too. `external`: in a Redis that is there already. It can be changed while exams run. Default: memory.
    #[serde(default)]
    pub mode: Mode,
    /// The Redis of mode `sentinel`.
    #[serde(default)]
    pub sentinel: Sentinel,
    /// The Redis of mode `external`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The passwords of a Redis that the operator provisions.
    #[serde(default)]
    pub auth: RedisAuth,
    /// TLS of a Redis that the operator provisions; absent: none. It is set when Redis is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RedisTls>,
    /// The image of Redis; absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The volume of Redis. It survives the deletion of the resource.
    #[serde(default = "one_gibibyte")]
    pub storage: Storage,
    /// `maxmemory` of Redis: above this size it refuses writes, and exams go on from the log. An open exam of 20 answers takes
    /// about 3 KiB, with limits of exposure 4.5 KiB. Default: 128Mi.
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('1Mi'))")
        .message("must be a size above 1Mi, as in 128Mi"))]
    #[serde(default = "enough_memory")]
    pub max_memory: String,
    /// Requests and limits of each pod of Redis, added to those that follow from `maxMemory` and in place of the same ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            mode: Mode::Memory,
            sentinel: Sentinel::default(),
            external: None,
            auth: RedisAuth::default(),
            tls: None,
            image: None,
            storage: one_gibibyte(),
            max_memory: enough_memory(),
            resources: None,
        }
    }
}

/// At 3 KiB an open exam, and half as much again to spare, some 29,000 of them.
fn enough_memory() -> String {
    "128Mi".to_owned()
}

/// A store mode; named alike in the spec, in Settings, in metrics and in the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Snapshots in the service.
    #[default]
    Memory,
    /// Snapshots in one Redis.
    Basic,
    /// Snapshots in the Redis that Sentinels name as the master.
    Sentinel,
    /// Snapshots in a Redis that is there already.
    External,
}

impl Mode {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Basic => "basic",
            Self::Sentinel => "sentinel",
            Self::External => "external",
        }
    }
}
