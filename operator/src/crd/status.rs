//! The status of the resource.
//!
//! Input: none. Output: data. Must not know: how it is derived; that is `controller/status.rs`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status, derived from what the operator observed last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdaptiveExamDeploymentStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The running store mode, as the service reports it; the wanted mode is `spec.redis.mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Revision of the running Settings, as the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_revision: Option<String>,
    /// How many of the service's pods have adopted the Settings that are wanted.
    #[serde(default)]
    pub adoption: Adoption,
    /// Number of the service's pods.
    #[serde(default)]
    pub replicas: i32,
    /// The labels of the service's pods, as a list is asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The Redis that the operator provisioned, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisStatus>,
    /// Durability of a committed answer, as the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Endpoints for callers.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// The last ten changes of the mode, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Ready, ServiceAvailable, StoreReady; RolledBack, Reconciling and Stalled only while they are true.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A change of the mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// The mode that ran.
    pub from: String,
    /// The mode that was wanted.
    pub to: String,
    /// Why: `SpecChanged`, `RollbackRequested` or `ReturnRequested`.
    pub cause: String,
    /// When it began.
    pub at: Time,
    /// After how many seconds every pod had adopted it; absent: it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Number of open exams.
    #[serde(default)]
    pub open_exams: OpenExams,
    /// How far they were: the same digest means the same exams with the same answers.
    #[serde(default)]
    pub digest: Digests,
}

/// Numbers of open exams around a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenExams {
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// When it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// Digests of open exams and their answers around a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digests {
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// When it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A provisioned Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisStatus {
    /// The pod that is the master, or is about to be made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Replicas that have all that the master has.
    #[serde(default)]
    pub replicas_in_sync: i32,
    /// Sentinels that name this master.
    #[serde(default)]
    pub sentinels_agree: i32,
    /// The rotation of its passwords; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// A rotation of passwords that is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// `AddNew`: new passwords are accepted beside those in use. `SwitchClients`: they are used. `DropOld`: the old ones are
    /// accepted no more.
    pub pass: String,
    /// The pods that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
}

/// How far the wanted Settings are adopted. Pods adopt them while they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// Pods that run the wanted Settings.
    #[serde(default)]
    pub adopted: i32,
    /// Pods that are ready.
    #[serde(default)]
    pub pods: i32,
}

/// Where callers reach what was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Base URL of the exam API inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Name of the Secret whose key `token` holds the API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<String>,
}
