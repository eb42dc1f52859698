//! The custom resource `AdaptiveExamDeployment`: its spec and its status.
//!
//! Input: none. Output: data and CEL rules, one file per part of the spec. The API server enforces every rule, with a
//! message that says what to do; what only the Settings parser can judge is judged in `validate`. Must not know: objects.

mod auth;
mod database;
mod exam;
mod external;
mod free;
mod image;
mod monitoring;
mod network;
mod redis;
mod redis_auth;
mod redis_tls;
mod reference;
mod rollback;
mod sentinel;
mod service;
mod status;
mod storage;
mod update;

pub use auth::{Algorithm, Auth, AuthMode, Jwt, Limits, Traces};
pub use database::Database;
pub use exam::{Bank, BankFormat, Exam, ExamType, Shown};
pub use external::{External, SecretName};
pub use image::{Image, PullPolicy};
pub use monitoring::{Monitoring, RedisExporter};
pub use network::NetworkPolicy;
pub use redis::{Mode, Redis};
pub use redis_auth::RedisAuth;
pub use redis_tls::{IssuerKind, IssuerRef, RedisTls};
pub use reference::SecretKey;
pub use rollback::{Request, Rollback};
pub use sentinel::Sentinel;
pub use service::{Autoscaling, Disruption, Service};
pub use status::{
    AdaptiveExamDeploymentStatus, Adoption, Digests, Endpoints, OpenExams, RedisStatus, Rotation, Transition,
};
pub use storage::Storage;
pub use update::{Day, Strategy, Update, Window};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// An adaptive exam service with its database and snapshot store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "exam.dreamseed.ai",
    version = "v1alpha1",
    kind = "AdaptiveExamDeployment",
    plural = "adaptiveexamdeployments",
    shortname = "aed",
    category = "exam",
    namespaced,
    status = "AdaptiveExamDeploymentStatus",
    scale(
        spec_replicas_path = ".spec.service.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    derive = "PartialEq",
    doc = "An adaptive exam service with its database and snapshot store.",
    printcolumn(name = "Wanted", type_ = "string", json_path = ".spec.redis.mode"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name becomes part of Service names: use at most 40 lower-case letters, digits and hyphens, starting with a letter"),
    validation = Rule::new("!self.metadata.name.matches('-(ops|redis|redis-nodes|redis-sentinel|redis-metrics)$')")
        .message("metadata.name must not end in -ops, -redis, -redis-nodes, -redis-sentinel or -redis-metrics: what is made for another resource has such names; choose another ending")
)]
#[serde(rename_all = "camelCase")]
#[kube(cel)]
#[x_kube(
    validation = Rule::new("(self.service.replicas == 1 && !has(self.service.autoscaling)) || has(self.database.urlSecretRef)")
        .message("more than one pod of the service needs database.urlSecretRef: an embedded SQLite file is held by one pod"),
    validation = Rule::new("has(self.database.urlSecretRef) == has(oldSelf.database.urlSecretRef)")
        .message("the exams do not move from one database to another: make a new resource")
)]
pub struct AdaptiveExamDeploymentSpec {
    /// Pause the operator: it changes nothing and only reports. Default: false.
    #[serde(default)]
    pub paused: bool,
    /// The service's image; absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The service's pods.
    #[serde(default)]
    pub service: Service,
    /// The exam types that can be started.
    #[serde(default)]
    pub exam: Exam,
    /// Authentication of callers of the exam API.
    #[serde(default)]
    pub auth: Auth,
    /// How often one caller may call the exam API; absent: as often as they like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Origins (`https://HOST[:PORT]`) whose pages a browser lets call the exam API. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Where traces go.
    #[serde(default)]
    pub traces: Traces,
    /// The database of record.
    #[serde(default)]
    pub database: Database,
    /// The store of snapshots of open exams.
    #[serde(default)]
    pub redis: Redis,
    /// The rollback of the store.
    #[serde(default)]
    pub rollback: Rollback,
    /// When pods may be replaced.
    #[serde(default)]
    pub update: Update,
    /// Who may reach the pods.
    #[serde(default)]
    pub network_policy: NetworkPolicy,
    /// What watches over it.
    #[serde(default)]
    pub monitoring: Monitoring,
}

#[cfg(test)]
mod tests;
