//! Names, labels and paths that several stages share, and ownership of objects. Imports no stage.
//!
//! Input: a resource. Output: names and metadata. Must not know: what the objects are.

mod kinds;

pub use kinds::{certificate_kind, prometheus_rule_kind, service_monitor_kind};

use crate::crd::AdaptiveExamDeployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;

/// The field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "exam-operator";
/// Label of all objects the operator manages.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label with the name of the resource that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Annotation of a pod of the service: the revision of the Settings that it was told of. A change of it has the kubelet
/// bring the pod's files up to date at once.
pub const REVISION: &str = "exam.dreamseed.ai/settings-revision";
/// The same of what people gave in Secrets of their own.
pub const SECRETS_REVISION: &str = "exam.dreamseed.ai/secrets-revision";
/// Annotation of a pod of Redis: the revision of its passwords that it was told of.
pub const AUTH_REVISION: &str = "exam.dreamseed.ai/auth-revision";
/// Annotation of the pods of Sentinels: the hash of their certificate, which they read at their start only.
pub const TLS_REVISION: &str = "exam.dreamseed.ai/tls-revision";

/// Folder of the certificate in the pods of Redis and Sentinels.
pub const TLS_FOLDER: &str = "/etc/redis-tls";
/// Folder of the Settings.
pub const SETTINGS_FOLDER: &str = "/etc/exam-service";
/// Folder of the tokens.
pub const TOKEN_FOLDER: &str = "/etc/exam-service-auth";
/// Folder of what the service presents to its store, and of the certificates that it trusts.
pub const STORE_FOLDER: &str = "/etc/exam-service-store";
/// File in it of the certificates of the authority of a provisioned Redis.
pub const REDIS_AUTHORITY: &str = "redis-ca.crt";
/// Folder of the URL of the database, and of the certificates of its authority.
pub const DATABASE_FOLDER: &str = "/etc/exam-service-database";
/// File of that URL.
pub const DATABASE_URL: &str = "url";
/// File of those certificates.
pub const DATABASE_CA: &str = "ca.crt";
/// Annotation of the service's pods: the hash of where the database is, so that another place restarts them.
pub const DATABASE_REVISION: &str = "exam.dreamseed.ai/database-revision";
/// Folder of what verifies signed tokens.
pub const JWT_FOLDER: &str = "/etc/exam-service-jwt";
/// File of that.
pub const JWT_KEYS: &str = "keys";
/// Folder of the files of item banks.
pub const BANKS_FOLDER: &str = "/etc/exam-service-banks";
/// Folder of the database.
pub const DATA_FOLDER: &str = "/data";
/// Key of the tokens in their Secret.
pub const TOKEN_KEY: &str = "token";
/// Label of a pod of Redis: `master` or `replica`.
pub const ROLE: &str = "exam.dreamseed.ai/redis-role";
/// Name by which Sentinels know the master.
pub const SENTINEL_MASTER: &str = "exams";
/// Port of a Sentinel.
pub const SENTINEL_PORT: i32 = 26379;
/// Port of Redis.
pub const REDIS_PORT: i32 = 6379;
/// Annotation of a workload: the hash of the template of its pods, as it was planned.
pub const TEMPLATE: &str = "exam.dreamseed.ai/template";
/// Annotation of a workload: the hash of the part of the spec that its template was made from.
pub const MADE_FROM: &str = "exam.dreamseed.ai/made-from";
/// Annotation of a resource: the update that a person approved.
pub const APPROVE_UPDATE: &str = "exam.dreamseed.ai/approve-update";
/// Label of pods of any kind that may reach the Redis of the resource that it names.
pub const REDIS_ACCESS: &str = "exam.dreamseed.ai/redis-access";
/// Label of the program that runs in a pod.
pub const APP: &str = "app.kubernetes.io/name";
/// Its value for operators.
pub const OPERATOR_APP: &str = "adaptive-exam-operator";

/// A component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The exam service.
    Service,
    /// Redis.
    Redis,
    /// The Sentinels of Redis.
    Sentinel,
    /// The exporter of Redis metrics.
    Exporter,
}

impl Component {
    fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Redis => "redis",
            Self::Sentinel => "redis-sentinel",
            Self::Exporter => "redis-metrics",
        }
    }
}

/// The names of all objects of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// Name of the resource.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    owner: OwnerReference,
}

impl Names {
    /// The names for a resource; `None` for one that is not stored in the API server.
    pub fn of(resource: &AdaptiveExamDeployment) -> Option<Self> {
        let owner = resource.controller_owner_ref(&())?;
        Some(Self { name: resource.name_any(), namespace: resource.namespace()?, owner })
    }

    /// Deployment or StatefulSet of a component.
    pub fn workload(&self, component: Component) -> String {
        match component {
            Component::Service => self.name.clone(),
            Component::Redis => self.redis(),
            Component::Sentinel => self.sentinel(),
            Component::Exporter => self.redis_metrics(),
        }
    }

    /// Service of probes and metrics.
    pub fn ops(&self) -> String {
        format!("{}-ops", self.name)
    }

    /// Secret of the API tokens.
    pub fn auth(&self) -> String {
        let [auth, _] = Self::secrets(&self.name);
        auth
    }

    /// The Secrets of a resource of this name: of the API tokens, and of Redis.
    pub fn secrets(name: &str) -> [String; 2] {
        [format!("{name}-auth"), format!("{name}-redis-auth")]
    }

    /// Secret of what the service presents to its store, and of the certificates that it trusts.
    pub fn store(&self) -> String {
        format!("{}-store", self.name)
    }

    /// Volume claim of the database.
    pub fn data(&self) -> String {
        format!("{}-data", self.name)
    }

    /// StatefulSet, ConfigMap and client Service of Redis.
    pub fn redis(&self) -> String {
        format!("{}-redis", self.name)
    }

    /// Volume claim of Redis's first pod.
    pub fn redis_data(&self) -> String {
        format!("data-{}-redis-0", self.name)
    }

    /// A pod of Redis.
    pub fn redis_pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.redis())
    }

    /// The part of the host names of Redis's pods after the pod's own. It needs no name of the cluster's domain.
    pub fn redis_domain(&self) -> String {
        format!(".{}.{}.svc", self.redis_nodes(), self.namespace)
    }

    /// StatefulSet and headless Service of the Sentinels.
    pub fn sentinel(&self) -> String {
        format!("{}-redis-sentinel", self.name)
    }

    /// The hosts of so many Sentinels.
    pub fn sentinel_hosts(&self, count: u32) -> Vec<String> {
        let (name, domain) = (self.sentinel(), self.sentinel_domain());
        (0..count).map(|ordinal| format!("{name}-{ordinal}{domain}")).collect()
    }

    /// Secret of the certificate of Redis that cert-manager makes, and the request for it.
    pub fn redis_tls(&self) -> String {
        format!("{}-redis-tls", self.name)
    }

    /// The part of the host names of the Sentinels after the pod's own.
    pub fn sentinel_domain(&self) -> String {
        format!(".{}.{}.svc", self.sentinel(), self.namespace)
    }

    /// Deployment, Service and policy of the exporter of Redis metrics, and what is scraped of it.
    pub fn redis_metrics(&self) -> String {
        format!("{}-redis-metrics", self.name)
    }

    /// Headless Service of Redis.
    pub fn redis_nodes(&self) -> String {
        format!("{}-redis-nodes", self.name)
    }

    /// Secret of Redis.
    pub fn redis_auth(&self) -> String {
        let [_, redis] = Self::secrets(&self.name);
        redis
    }

    /// The labels that select a component's pods. They never change.
    pub fn selector(&self, component: Component) -> BTreeMap<String, String> {
        BTreeMap::from([
            (APP.to_owned(), "adaptive-exam".to_owned()),
            (INSTANCE.to_owned(), self.name.clone()),
            ("app.kubernetes.io/component".to_owned(), component.as_str().to_owned()),
        ])
    }

    /// The same labels, as a list is asked for them.
    pub fn selected(&self, component: Component) -> String {
        let labels: Vec<String> =
            self.selector(component).into_iter().map(|(label, value)| format!("{label}={value}")).collect();
        labels.join(",")
    }

    /// The selector for workloads.
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

    /// Metadata of an object that is deleted with the resource.
    pub fn owned(&self, name: String, component: Component) -> ObjectMeta {
        ObjectMeta { owner_references: Some(vec![self.owner.clone()]), ..self.without_owner(name, component) }
    }

    /// Metadata of an object that survives the deletion of the resource: a volume claim.
    pub fn without_owner(&self, name: String, component: Component) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component)),
            ..ObjectMeta::default()
        }
    }

    /// The other controller of an object, if there is one.
    pub fn holder(&self, object: &ObjectMeta) -> Option<String> {
        let owners = object.owner_references.as_deref().unwrap_or_default();
        let other =
            owners.iter().find(|owner| owner.controller == Some(true) && owner.uid != self.owner.uid)?;
        Some(match other.name == self.owner.name && other.kind == self.owner.kind {
            // The resource was deleted and created again, and the garbage collector has not deleted the object yet.
            true => format!("an earlier {} {}, and goes with it", other.kind, other.name),
            false => format!("{} {}", other.kind, other.name),
        })
    }

    /// The owner of an existing object that the operator must not write.
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
        let made = names.without_owner("midterm".to_owned(), Component::Service);
        let held = |by: OwnerReference| ObjectMeta { owner_references: Some(vec![by]), ..made.clone() };
        assert_eq!(names.taken(&names.owned("midterm".to_owned(), Component::Service)), None, "ours");
        assert_eq!(names.taken(&made), None, "ours, without its owner: an orphan is taken back");
        let stripped = ObjectMeta { labels: None, ..names.owned("midterm".to_owned(), Component::Service) };
        assert_eq!(names.taken(&stripped), None, "ours, without its labels");
        let kind = "AdaptiveExamDeployment";
        let table = [
            (ObjectMeta::default(), "somebody who is not this operator"),
            (
                desired(&named("final")).names.without_owner("midterm".to_owned(), Component::Service),
                "somebody",
            ),
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
