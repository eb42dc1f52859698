//! Names, labels and places that several stages share, and whose an object is. A leaf: it imports no stage.

use crate::crd::AdaptiveExamDeployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;

/// The one field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "exam-operator";
/// Label by which the operator finds what it made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label that names the resource an object was made for.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
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
            (INSTANCE.to_owned(), self.name.clone()),
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

    /// Who else controls an object, should somebody.
    pub fn holder(&self, object: &ObjectMeta) -> Option<String> {
        let owners = object.owner_references.as_deref().unwrap_or_default();
        let other =
            owners.iter().find(|owner| owner.controller == Some(true) && owner.uid != self.owner.uid)?;
        Some(match other.name == self.owner.name && other.kind == self.owner.kind {
            // Deleted and made again: the garbage collector has not come to it yet.
            true => format!("an earlier {} {}, and goes with it", other.kind, other.name),
            false => format!("{} {}", other.kind, other.name),
        })
    }

    /// Why an object that is there must not be written: it is somebody else's.
    pub fn taken(&self, object: &ObjectMeta) -> Option<String> {
        if let Some(holder) = self.holder(object) {
            return Some(holder);
        }
        let is_ours = object.owner_references.iter().flatten().any(|owner| owner.uid == self.owner.uid);
        let labels = object.labels.as_ref();
        let label = |name: &str| labels.and_then(|labels| labels.get(name)).map(String::as_str);
        let is_made = label(MANAGED_BY) == Some(FIELD_MANAGER) && label(INSTANCE) == Some(self.name.as_str());
        (!is_ours && !is_made).then(|| "somebody who is not this operator".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{desired, named};

    fn owner(kind: &str, name: &str, uid: &str) -> OwnerReference {
        let (kind, name, uid) = (kind.to_owned(), name.to_owned(), uid.to_owned());
        OwnerReference { kind, name, uid, controller: Some(true), ..OwnerReference::default() }
    }

    #[test]
    fn only_what_is_ours_is_written() {
        let names = desired(&named("midterm")).names;
        let made = names.kept("midterm".to_owned(), Component::Service);
        let held = |by: OwnerReference| ObjectMeta { owner_references: Some(vec![by]), ..made.clone() };
        assert_eq!(names.taken(&names.owned("midterm".to_owned(), Component::Service)), None, "ours");
        assert_eq!(names.taken(&made), None, "ours, without its owner: an orphan is taken back");
        let stripped = ObjectMeta { labels: None, ..names.owned("midterm".to_owned(), Component::Service) };
        assert_eq!(names.taken(&stripped), None, "ours, without its labels");
        let kind = "AdaptiveExamDeployment";
        let table = [
            (ObjectMeta::default(), "somebody who is not this operator"),
            (desired(&named("final")).names.kept("midterm".to_owned(), Component::Service), "somebody"),
            (held(owner(kind, "mid", "77")), "AdaptiveExamDeployment mid"),
            (held(owner("ReplicaSet", "web", "77")), "ReplicaSet web"),
            (held(owner(kind, "midterm", "77")), "an earlier AdaptiveExamDeployment midterm"),
        ];
        for (object, holder) in table {
            let said = names.taken(&object).unwrap();
            assert!(said.starts_with(holder), "{said}");
        }
        assert_eq!(names.holder(&ObjectMeta::default()), None, "a Secret that a person made may be used");
    }
}
