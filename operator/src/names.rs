//! Names, labels and places that several stages share. A leaf: it imports no stage.

use crate::crd::AdaptiveExamDeployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;

/// The one field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "exam-operator";
/// Label by which the operator finds what it made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation of a pod template: the Settings it was rolled out with.
pub const REVISION: &str = "exam.dreamseed.ai/settings-revision";

/// Where the service reads its Settings.
pub const SETTINGS_FOLDER: &str = "/etc/exam-service";
/// Where the service reads its tokens.
pub const TOKEN_FOLDER: &str = "/etc/exam-service-auth";
/// Where the service reads the password of Redis.
pub const PASSWORD_FOLDER: &str = "/etc/exam-service-redis";
/// Where the service keeps its database.
pub const DATA_FOLDER: &str = "/data";
/// Key of the tokens in their Secret.
pub const TOKEN_KEY: &str = "token";
/// Key of the password in the Secret of Redis.
pub const PASSWORD_KEY: &str = "password";
/// Key of the piece of Redis configuration that holds the password.
pub const REDIS_AUTH_KEY: &str = "auth.conf";
/// Port of Redis.
pub const REDIS_PORT: i32 = 6379;

/// One of the two things the operator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The exam service.
    Service,
    /// Redis.
    Redis,
}

impl Component {
    fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Redis => "redis",
        }
    }
}

/// The names of everything that one resource stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// Name of the resource.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    owner: OwnerReference,
}

impl Names {
    /// The names of a resource that the API server has; `None` for one that it does not have.
    pub fn of(resource: &AdaptiveExamDeployment) -> Option<Self> {
        let owner = resource.controller_owner_ref(&())?;
        Some(Self { name: resource.name_any(), namespace: resource.namespace()?, owner })
    }

    /// Service of probes and metrics.
    pub fn ops(&self) -> String {
        format!("{}-ops", self.name)
    }

    /// Secret of the API tokens.
    pub fn auth(&self) -> String {
        format!("{}-auth", self.name)
    }

    /// Volume claim of the database.
    pub fn data(&self) -> String {
        format!("{}-data", self.name)
    }

    /// StatefulSet, ConfigMap and client Service of Redis.
    pub fn redis(&self) -> String {
        format!("{}-redis", self.name)
    }

    /// Headless Service of Redis.
    pub fn redis_nodes(&self) -> String {
        format!("{}-redis-nodes", self.name)
    }

    /// Secret of Redis.
    pub fn redis_auth(&self) -> String {
        format!("{}-redis-auth", self.name)
    }

    /// The labels that select a component's pods: few, and never changed.
    pub fn selector(&self, component: Component) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), "adaptive-exam".to_owned()),
            ("app.kubernetes.io/instance".to_owned(), self.name.clone()),
            ("app.kubernetes.io/component".to_owned(), component.as_str().to_owned()),
        ])
    }

    /// The selector as workloads want it.
    pub fn label_selector(&self, component: Component) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector(component)), match_expressions: None }
    }

    /// All labels of a component's objects.
    pub fn labels(&self, component: Component) -> BTreeMap<String, String> {
        let mut labels = self.selector(component);
        labels.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        labels.insert("app.kubernetes.io/part-of".to_owned(), "adaptive-exam".to_owned());
        labels
    }

    /// Metadata of an object that goes when the resource goes.
    pub fn owned(&self, name: String, component: Component) -> ObjectMeta {
        ObjectMeta { owner_references: Some(vec![self.owner.clone()]), ..self.kept(name, component) }
    }

    /// Metadata of an object that stays when the resource goes: a volume claim.
    pub fn kept(&self, name: String, component: Component) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component)),
            ..ObjectMeta::default()
        }
    }

    /// Base URL of the exam API inside the cluster.
    pub fn service_url(&self) -> String {
        format!("http://{}.{}.svc:{}", self.name, self.namespace, contract::API_PORT)
    }

    /// URL at which the service says what it runs.
    pub fn state_url(&self) -> String {
        let (ops, namespace) = (self.ops(), &self.namespace);
        format!("http://{ops}.{namespace}.svc:{}{}", contract::OPS_PORT, contract::STATE_PATH)
    }
}
