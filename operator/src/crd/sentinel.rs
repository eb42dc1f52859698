//! Sentinels in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: objects, Redis commands.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A Redis with replicas, whose master Sentinels replace when it is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.sentinels % 2 == 1").message("sentinels must be odd: 3, 5 or 7, so that one half never equals the other"),
    validation = Rule::new("!has(self.quorum) || (self.quorum * 2 > self.sentinels && self.quorum <= self.sentinels)")
        .message("quorum must be more than half of sentinels, and no more than all of them")
)]
pub struct Sentinel {
    /// Pods of Redis, the master among them. Default: 3.
    #[schemars(range(min = 2, max = 7))]
    #[serde(default = "three")]
    pub data_replicas: i32,
    /// Pods of Sentinel. Default: 3.
    #[schemars(range(min = 3, max = 7))]
    #[serde(default = "three")]
    pub sentinels: i32,
    /// Sentinels that have to agree that the master is down. Default: more than half of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<i32>,
    /// After how long without an answer a Redis is taken for down, in milliseconds. Default: 2000.
    #[schemars(range(min = 1000, max = 60_000))]
    #[serde(default = "two_seconds")]
    pub down_after_milliseconds: i32,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self {
            data_replicas: three(),
            sentinels: three(),
            quorum: None,
            down_after_milliseconds: two_seconds(),
        }
    }
}

fn three() -> i32 {
    3
}

fn two_seconds() -> i32 {
    2000
}
