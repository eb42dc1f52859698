//! One Redis for snapshots: its configuration, password, Services and StatefulSet.

use super::pod;
use super::service::claim;
use crate::controller::validate::Desired;
use crate::names::{self, Component, Names, REDIS_PORT};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, PersistentVolumeClaim, PodSpec, PodTemplateSpec,
    ResourceRequirements, Secret, Service, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The user that Redis runs as.
const USER: i64 = 999;
const CONFIG_FOLDER: &str = "/etc/redis";
const AUTH_FOLDER: &str = "/etc/redis-auth";
const DATA_FOLDER: &str = "/data";

/// The password of Redis, for clients and as the piece of configuration that Redis includes; made
/// once. It is in no argument and no environment.
pub fn auth_secret(names: &Names, password: &str) -> Secret {
    let pairs = [
        (names::PASSWORD_KEY.to_owned(), password.to_owned()),
        (names::REDIS_AUTH_KEY.to_owned(), format!("requirepass {password}\n")),
    ];
    Secret {
        metadata: names.owned(names.redis_auth(), Component::Redis),
        string_data: Some(BTreeMap::from(pairs)),
        ..Secret::default()
    }
}

/// The configuration. Nothing is evicted: a store that is full says so, and exams go on from the log.
pub fn config(desired: &Desired) -> ConfigMap {
    let names = &desired.names;
    let text = format!(
        "bind * -::*\n\
         port {REDIS_PORT}\n\
         dir {DATA_FOLDER}\n\
         appendonly yes\n\
         appendfsync everysec\n\
         maxmemory {}\n\
         maxmemory-policy noeviction\n\
         include {AUTH_FOLDER}/{}\n",
        desired.redis.max_memory_bytes,
        names::REDIS_AUTH_KEY,
    );
    ConfigMap {
        metadata: names.owned(names.redis(), Component::Redis),
        data: Some(BTreeMap::from([("redis.conf".to_owned(), text)])),
        ..ConfigMap::default()
    }
}

/// Where clients reach Redis.
pub fn client_service(names: &Names) -> Service {
    service(names, names.redis(), None)
}

/// The names of the pods.
pub fn nodes_service(names: &Names) -> Service {
    service(names, names.redis_nodes(), Some("None".to_owned()))
}

fn service(names: &Names, name: String, cluster_ip: Option<String>) -> Service {
    let headless = cluster_ip.is_some();
    Service {
        metadata: names.owned(name, Component::Redis),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip,
            publish_not_ready_addresses: headless.then_some(true),
            selector: Some(names.selector(Component::Redis)),
            ports: Some(vec![pod::service_port("redis", REDIS_PORT)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Redis's one pod and its volume, which stays when the resource goes.
pub fn stateful_set(desired: &Desired) -> StatefulSet {
    let names = &desired.names;
    StatefulSet {
        metadata: names.owned(names.redis(), Component::Redis),
        spec: StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(names.redis_nodes()),
            // With the other policy a pod that never became ready (a wrong image) is never replaced.
            pod_management_policy: Some("Parallel".to_owned()),
            selector: names.label_selector(Component::Redis),
            revision_history_limit: Some(3),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(names.labels(Component::Redis)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(desired)),
            },
            volume_claim_templates: Some(vec![PersistentVolumeClaim {
                metadata: ObjectMeta {
                    name: Some("data".to_owned()),
                    labels: Some(names.labels(Component::Redis)),
                    ..ObjectMeta::default()
                },
                spec: Some(claim(&desired.redis.storage)),
                ..PersistentVolumeClaim::default()
            }]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn pod(desired: &Desired) -> PodSpec {
    let names = &desired.names;
    // REDISCLI_AUTH keeps the password out of the arguments, which others on the node can see.
    let ping = format!(
        "REDISCLI_AUTH=\"$(cat {AUTH_FOLDER}/{})\" redis-cli -h 127.0.0.1 -p {REDIS_PORT} ping",
        names::PASSWORD_KEY
    );
    let container = Container {
        name: "redis".to_owned(),
        image: Some(desired.redis.image.reference.clone()),
        image_pull_policy: Some(pod::pull_policy(&desired.redis.image)),
        command: Some(vec!["redis-server".to_owned(), format!("{CONFIG_FOLDER}/redis.conf")]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: REDIS_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // A Redis that loads its file answers, so it is alive; only one that serves is ready.
        startup_probe: Some(pod::shell_probe(&format!("{ping} | grep -qE 'PONG|LOADING'"), 1, 120)),
        liveness_probe: Some(pod::shell_probe(&format!("{ping} | grep -qE 'PONG|LOADING'"), 10, 3)),
        readiness_probe: Some(pod::shell_probe(&format!("{ping} | grep -q PONG"), 2, 2)),
        resources: Some(resources(desired.redis.max_memory_bytes)),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![
            pod::mount("config", CONFIG_FOLDER, true),
            pod::mount("auth", AUTH_FOLDER, true),
            pod::mount("data", DATA_FOLDER, false),
            pod::mount("tmp", "/tmp", false),
        ]),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: Some(vec![
            pod::from_config_map("config", names.redis()),
            pod::from_secret("auth", names.redis_auth()),
            pod::scratch("tmp"),
        ]),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(USER)),
        // Redis saves at SIGTERM; a little patience keeps what it had.
        termination_grace_period_seconds: Some(30),
        image_pull_secrets: pod::pull_secrets(&desired.redis.image),
        ..PodSpec::default()
    }
}

/// Twice the data: a rewrite of the append-only file copies what changes meanwhile.
fn resources(max_memory_bytes: u64) -> ResourceRequirements {
    let memory = Quantity((2 * max_memory_bytes + (64 << 20)).to_string());
    let mut requests = pod::quantities(&[("cpu", "50m"), ("memory", "64Mi")]);
    requests.insert("memory".to_owned(), Quantity((max_memory_bytes + (32 << 20)).to_string()));
    ResourceRequirements {
        requests: Some(requests),
        limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
        claims: None,
    }
}
