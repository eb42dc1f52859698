//! From spec to [`Desired`]: every default is resolved here, and an invalid spec is refused.
//!
//! Input: a resource, and the operator's defaults. Output: values from which every object can be built, or every
//! fault. Must not know: the state of the cluster.

mod patch;
mod settings;
mod store;

use super::given::Reference;
use super::quantity::bytes;
use super::redis::plan::Wanted;
use crate::crd::{self, AdaptiveExamDeployment, Mode, PullPolicy};
use crate::names::{self, Names};
use contract::settings::{Api, Database, DatabaseUrl, ExamType, Listener, Log, LogFormat, Store, Trace};
use contract::{API_PORT, Fault, OPS_PORT, Settings};
use k8s_openapi::api::core::v1::{PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Defaults of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Image of the service.
    pub service_image: String,
    /// Image of Redis.
    pub redis_image: String,
    /// Image of the exporter of Redis metrics.
    pub exporter_image: String,
    /// Where the runbooks are, which alerts name.
    pub runbooks: String,
    /// The namespace of the operator; absent: it runs outside of the cluster.
    pub operator_namespace: Option<String>,
}

/// A validated resource with all defaults resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Names of all objects.
    pub names: Names,
    /// Generation of the spec.
    pub generation: i64,
    /// Whether writes are paused.
    pub paused: bool,
    /// The wanted store mode.
    pub mode: Mode,
    /// What is asked of the rollback.
    pub rollback: Option<crd::Request>,
    /// Image of the service.
    pub service_image: crd::Image,
    /// Number of the service's pods; absent: it follows their load.
    pub replicas: Option<i32>,
    /// How it follows.
    pub autoscaling: Option<crd::Autoscaling>,
    /// Requests and limits of the service.
    pub resources: ResourceRequirements,
    /// How many of its pods a drain may take at once.
    pub max_unavailable: i32,
    /// What is merged into the template of its pods.
    pub pod_patch: Option<PodTemplateSpec>,
    /// Authentication of callers.
    pub auth: crd::Auth,
    /// How often one of them may call.
    pub limits: Option<crd::Limits>,
    /// Origins whose pages may call.
    pub allowed_origins: Vec<String>,
    /// Where traces go.
    pub traces: Option<String>,
    /// Exam types.
    pub exam_types: BTreeMap<String, ExamType>,
    /// Item banks.
    pub banks: Vec<crd::Bank>,
    /// The database of record.
    pub database: DesiredDatabase,
    /// The Redis of mode `external`.
    pub external: Option<crd::External>,
    /// Redis, if it runs.
    pub redis: DesiredRedis,
    /// Who may reach the pods.
    pub network_policy: crd::NetworkPolicy,
    /// The namespace of the operator, which may.
    pub operator_namespace: Option<String>,
    /// What watches over it.
    pub monitoring: DesiredMonitoring,
}

/// What watches over a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredMonitoring {
    /// Whether anything does.
    pub is_enabled: bool,
    /// How often metrics are read.
    pub interval: String,
    /// Labels of its objects.
    pub labels: BTreeMap<String, String>,
    /// Whether there are rules.
    pub rules: bool,
    /// Whether there is an exporter of Redis metrics.
    pub has_exporter: bool,
    /// Its image.
    pub exporter_image: crd::Image,
    /// Where the runbooks are.
    pub runbooks: String,
}

/// The database of record.
#[derive(Clone, Debug, PartialEq)]
pub enum DesiredDatabase {
    /// A file on this volume, for one pod.
    Embedded(crd::Storage),
    /// A PostgreSQL, for any number of pods.
    Postgres {
        /// Where its URL is.
        url: Reference,
        /// Where the certificates of its authority are.
        ca: Option<Reference>,
    },
}

/// Redis, should it run.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredRedis {
    /// Its image.
    pub image: crd::Image,
    /// Its volume.
    pub storage: crd::Storage,
    /// Where its passwords come from.
    pub auth: crd::RedisAuth,
    /// Its TLS, if it has any.
    pub tls: Option<crd::RedisTls>,
    /// What is wanted where Sentinels lead it.
    pub sentinel: Wanted,
    /// Its `maxmemory`, in bytes.
    pub max_memory_bytes: u64,
    /// Requests and limits in addition to those that follow from it.
    pub resources: ResourceRequirements,
}

/// A spec that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spec cannot be run: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidSpec(pub Vec<Fault>);

/// Resolves a resource.
///
/// # Errors
/// Every fault of the spec that CEL rules cannot find.
pub fn validate(resource: &AdaptiveExamDeployment, defaults: &Defaults) -> Result<Desired, InvalidSpec> {
    let fault = |field: &str, message: &str| Fault { field: field.to_owned(), message: message.to_owned() };
    let names = Names::of(resource)
        .ok_or_else(|| InvalidSpec(vec![fault("metadata", "must have name, namespace and uid")]))?;
    let spec = &resource.spec;
    let mut faults = Vec::new();
    let max_memory_bytes = bytes(&spec.redis.max_memory).unwrap_or_else(|| {
        faults.push(fault("spec.redis.maxMemory", "must be a size, as in 128Mi"));
        0
    });
    let types =
        spec.exam.types.iter().map(|(name, exam_type)| (name.clone(), settings::exam_type(exam_type)));
    let exam_types: BTreeMap<String, ExamType> = types.collect();
    let image = |image: &Option<crd::Image>, default: &str| {
        image.clone().unwrap_or_else(|| crd::Image {
            reference: default.to_owned(),
            pull_policy: PullPolicy::default(),
            pull_secrets: Vec::new(),
        })
    };
    let pod_patch = spec
        .service
        .pod_patch
        .as_ref()
        .and_then(|patch| patch::parse(patch).map_err(|found| faults.extend(found)).ok());
    let desired = Desired {
        names,
        generation: resource.metadata.generation.unwrap_or_default(),
        paused: spec.paused,
        mode: spec.redis.mode,
        rollback: spec.rollback.request,
        service_image: image(&spec.image, &defaults.service_image),
        resources: spec.service.resources.clone().unwrap_or_else(small),
        replicas: spec.service.autoscaling.is_none().then_some(spec.service.replicas),
        autoscaling: spec.service.autoscaling.clone(),
        max_unavailable: spec.service.disruption.max_unavailable,
        pod_patch,
        auth: spec.auth.clone(),
        limits: spec.limits.clone(),
        allowed_origins: spec.allowed_origins.clone(),
        traces: spec.traces.endpoint.clone(),
        banks: spec.exam.banks.clone(),
        exam_types: if exam_types.is_empty() { Settings::default().exam_types } else { exam_types },
        database: database(&spec.database),
        external: spec.redis.external.clone(),
        network_policy: spec.network_policy.clone(),
        operator_namespace: defaults.operator_namespace.clone(),
        monitoring: DesiredMonitoring {
            is_enabled: spec.monitoring.enabled,
            interval: spec.monitoring.interval.clone(),
            labels: spec.monitoring.labels.clone(),
            rules: spec.monitoring.rules,
            has_exporter: spec.monitoring.redis_exporter.enabled,
            exporter_image: image(&spec.monitoring.redis_exporter.image, &defaults.exporter_image),
            runbooks: defaults.runbooks.clone(),
        },
        redis: DesiredRedis {
            image: image(&spec.redis.image, &defaults.redis_image),
            storage: spec.redis.storage.clone(),
            auth: spec.redis.auth.clone(),
            tls: spec.redis.tls.clone(),
            sentinel: sentinel(&spec.redis.sentinel, max_memory_bytes),
            max_memory_bytes,
            resources: spec.redis.resources.clone().unwrap_or_default(),
        },
    };
    // The Settings parser of the service has the last word.
    if let Err(found) = Settings::parse(&desired.settings(in_memory()).to_text()) {
        faults.extend(found);
    }
    if faults.is_empty() { Ok(desired) } else { Err(InvalidSpec(faults)) }
}

impl Desired {
    /// The store mode that is to run: the wanted one, unless it is rolled back.
    pub fn running(&self) -> Mode {
        match self.rollback {
            Some(crd::Request::Memory) => Mode::Memory,
            Some(crd::Request::Return) | None => self.mode,
        }
    }

    /// What people give in Secrets of their own, as far as the wanted mode needs it.
    pub fn references(&self) -> Vec<Reference> {
        let mut references = Vec::new();
        if let DesiredDatabase::Postgres { url, ca } = &self.database {
            references.extend([url.clone()].into_iter().chain(ca.clone()));
        }
        references.extend(self.jwt_keys());
        if let (Mode::External, Some(external)) = (self.running(), &self.external) {
            references.extend(external.references());
        }
        references.extend(self.redis_password());
        references
    }

    /// Where what verifies signed tokens is.
    pub fn jwt_keys(&self) -> Option<Reference> {
        let jwt = self.auth.jwt.as_ref()?;
        Some(Reference::of("spec.auth.jwt.keySecretRef", &jwt.key_secret_ref, "keys.json"))
    }

    /// What is wanted of a provisioned Redis in this mode; `None`: it stays as it is.
    pub fn wanted(&self) -> Option<Wanted> {
        match self.mode {
            Mode::Sentinel => Some(self.redis.sentinel),
            Mode::Basic => Some(Wanted { nodes: 1, sentinels: 0, ..self.redis.sentinel }),
            Mode::Memory | Mode::External => None,
        }
    }

    /// The Settings of the service with this store.
    pub fn settings(&self, store: Store) -> Settings {
        let every = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Settings {
            limits: self.limits.as_ref().map(settings::limits),
            api: Api { bind: every(API_PORT), allow_origins: self.allowed_origins.clone() },
            ops: Listener { bind: every(OPS_PORT) },
            auth: settings::auth(&self.auth),
            trace: Trace { endpoint: self.traces.clone() },
            database: match &self.database {
                DesiredDatabase::Embedded(_) => {
                    Database::at(format!("sqlite:{}/exams.db", names::DATA_FOLDER))
                }
                DesiredDatabase::Postgres { ca, .. } => {
                    let file = |name| format!("{}/{name}", names::DATABASE_FOLDER);
                    Database {
                        url: DatabaseUrl::UrlFile(file(names::DATABASE_URL)),
                        password_file: None,
                        ca_file: ca.as_ref().map(|_| file(names::DATABASE_CA)),
                    }
                }
            },
            store,
            log: Log { format: LogFormat::Json },
            banks: self.banks.iter().map(settings::bank).collect(),
            exam_types: self.exam_types.clone(),
            ..Settings::default()
        }
    }
}

fn sentinel(given: &crd::Sentinel, max_memory: u64) -> Wanted {
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    let sentinels = count(given.sentinels);
    Wanted {
        nodes: count(given.data_replicas),
        sentinels,
        quorum: given.quorum.map_or(sentinels / 2 + 1, count),
        down_after: count(given.down_after_milliseconds),
        max_memory,
    }
}

/// A store in the service's memory.
pub fn in_memory() -> Store {
    Store::Memory { ttl_seconds: contract::SNAPSHOT_TTL_SECONDS }
}

fn database(given: &crd::Database) -> DesiredDatabase {
    match &given.url_secret_ref {
        None => DesiredDatabase::Embedded(given.storage.clone()),
        Some(url) => DesiredDatabase::Postgres {
            url: Reference::of("spec.database.urlSecretRef", url, "url"),
            ca: given
                .ca_secret_ref
                .as_ref()
                .map(|ca| Reference::of("spec.database.caSecretRef", ca, "ca.crt")),
        },
    }
}

fn small() -> ResourceRequirements {
    let of = |cpu: &str, memory: &str| {
        let pairs = [("cpu", cpu), ("memory", memory)];
        pairs.map(|(name, value)| (name.to_owned(), Quantity(value.to_owned()))).into_iter().collect()
    };
    let limits = BTreeMap::from([("memory".to_owned(), Quantity("512Mi".to_owned()))]);
    ResourceRequirements { requests: Some(of("50m", "64Mi")), limits: Some(limits), claims: None }
}
