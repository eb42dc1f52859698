//! The custom resource: what a platform team may say, and what the operator says back.
//!
//! Data and CEL rules, no behaviour. Every rule refuses at the door, with a sentence that says what
//! to do; what only Settings can judge is judged in `validate`.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An adaptive exam service with all it needs.
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
    derive = "PartialEq",
    doc = "An adaptive exam service with all it needs: the service, its database, its snapshot store.",
    printcolumn(name = "Wanted", type_ = "string", json_path = ".spec.redis.mode"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name becomes part of Service names: use at most 40 lower-case letters, digits and hyphens, starting with a letter"),
    validation = Rule::new("!self.metadata.name.matches('-(ops|redis|redis-nodes)$')")
        .message("metadata.name must not end in -ops, -redis or -redis-nodes: what is made for another resource has such names; choose another ending")
)]
#[serde(rename_all = "camelCase")]
#[kube(cel)]
pub struct AdaptiveExamDeploymentSpec {
    /// Whether the operator leaves everything as it is and only reports.
    #[serde(default)]
    pub paused: bool,
    /// The service's image; absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The service's pods.
    #[serde(default)]
    pub service: Service,
    /// The exams that can be started.
    #[serde(default)]
    pub exam: Exam,
    /// Who may call the exam API.
    #[serde(default)]
    pub auth: Auth,
    /// The database of record: an embedded SQLite file on a volume.
    #[serde(default)]
    pub database: Database,
    /// Where snapshots of open exams live.
    #[serde(default)]
    pub redis: Redis,
}

/// A container image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry and repository, and a tag or a digest: `registry.example/exam-service:0.1.0`.
    #[x_kube(validation = Rule::new("self.matches('^[^ ]+(:[^/ ]+|@sha256:[0-9a-f]{64})$')")
        .message("name a tag or a digest, as in registry.example/exam-service:0.1.0"))]
    pub reference: String,
    /// When the node pulls it.
    #[serde(default)]
    pub pull_policy: PullPolicy,
    /// Names of the Secrets that let the node pull it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
}

/// When a node pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At each start of a pod.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Never; the node has it.
    Never,
}

/// The service's pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Number of pods.
    #[x_kube(validation = Rule::new("self == 1")
        .message("must be 1: the answers are in an embedded SQLite file, which one pod holds for itself"))]
    #[serde(default = "one")]
    pub replicas: i32,
    /// Requests and limits of each pod; absent: small ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for Service {
    fn default() -> Self {
        Self { replicas: one(), resources: None }
    }
}

fn one() -> i32 {
    1
}

/// The exams that can be started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Exam {
    /// Exam types by name; absent: placement, practice, mock, official and quiz on the sample bank.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, ExamType>,
}

/// The rules of one type of exam; what is absent has the service's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.minItems) || !has(self.maxItems) || self.minItems <= self.maxItems")
    .message("minItems must not be above maxItems"))]
pub struct ExamType {
    /// The exam ends after so many items.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<i32>,
    /// No other rule ends the exam before so many items.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<i32>,
    /// The exam ends when the standard error is at most this.
    #[x_kube(validation = Rule::new("self > 0.0 && self <= 10.0").message("must be above 0 and at most 10"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_standard_error: Option<f64>,
    /// Ability the first item is chosen for.
    #[schemars(range(min = -6.0, max = 6.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_theta: Option<f64>,
}

/// Who may call the exam API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// `token`: callers that send the token of the Secret NAME-auth, which the operator makes.
    /// `none`: everybody who reaches the Service.
    pub mode: AuthMode,
}

/// How callers are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// By a token.
    #[default]
    Token,
    /// Not at all.
    None,
}

/// The database of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Database {
    /// The volume of its file. It stays when the resource is deleted.
    pub storage: Storage,
}

impl Default for Database {
    fn default() -> Self {
        Self { storage: one_gibibyte() }
    }
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf")
    .message("a volume cannot be changed once it is made: grow its PersistentVolumeClaim itself where the StorageClass allows it, or make a new resource"))]
pub struct Storage {
    /// Its size.
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))")
        .message("must be a size above 0, as in 1Gi"))]
    pub size: String,
    /// Its StorageClass; absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
}

/// Where snapshots of open exams live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// `memory`: in the service. `basic`: in one Redis that the operator provisions.
    #[serde(default)]
    pub mode: Mode,
    /// The image of Redis; absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The volume of Redis. It stays when the resource is deleted.
    #[serde(default = "one_gibibyte")]
    pub storage: Storage,
    /// Redis refuses to grow above this.
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('1Mi'))")
        .message("must be a size above 1Mi, as in 128Mi"))]
    #[serde(default = "enough_memory")]
    pub max_memory: String,
}

impl Default for Redis {
    fn default() -> Self {
        Self { mode: Mode::Memory, image: None, storage: one_gibibyte(), max_memory: enough_memory() }
    }
}

fn one_gibibyte() -> Storage {
    Storage { size: "1Gi".to_owned(), class_name: None }
}

/// At about 2 KiB an open exam, more than 60,000 of them.
fn enough_memory() -> String {
    "128Mi".to_owned()
}

/// A store mode: one word in the spec, in Settings, in metrics and in status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Snapshots in the service.
    #[default]
    Memory,
    /// Snapshots in one Redis.
    Basic,
}

impl Mode {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Basic => "basic",
        }
    }
}

/// What the operator says back, derived from what it saw last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdaptiveExamDeploymentStatus {
    /// Generation of the spec that all of this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The store mode that runs, by the service's own word; what is wanted is `spec.redis.mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Revision of the Settings that run, by the service's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_revision: Option<String>,
    /// What a commit of an answer is worth, by the service's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Where callers reach what was made.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// Ready, ServiceAvailable, StoreReady; Reconciling and Stalled only while they are true.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where callers reach what was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Base URL of the exam API inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Name of the Secret whose key `token` opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<String>,
}

#[cfg(test)]
mod tests;
