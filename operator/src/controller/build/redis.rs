//! Redis for snapshots: its StatefulSet. One, or a master with replicas: the pods are the same.
//!
//! Input: what is desired. Output: objects. Must not know: what exists.

use super::config::{self, REDIS_AUTH_FOLDER as AUTH_FOLDER, REDIS_DATA_FOLDER as DATA_FOLDER};
use super::{availability, claims, pod};
use crate::controller::decide::Provisioned;
use crate::controller::redis::users::User;
use crate::controller::validate::{Desired, DesiredRedis};
use crate::names::{Component, REDIS_PORT, TLS_FOLDER};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, PersistentVolumeClaim, PodSpec, PodTemplateSpec, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The user that Redis runs as.
pub(super) const USER: i64 = 999;
/// Folder of configuration and scripts.
pub(super) const CONFIG_FOLDER: &str = "/etc/redis";

/// The StatefulSet with so many pods and their volumes, which survive the deletion of the resource. Which pod is replaced
/// when is not its own decision: the master is the last, and hands over first.
pub fn stateful_set(desired: &Desired, Provisioned { plan, volume, .. }: &Provisioned) -> StatefulSet {
    let names = &desired.names;
    let mut storage = desired.redis.storage.clone();
    storage.size = volume.clone().unwrap_or(storage.size);
    StatefulSet {
        metadata: names.owned(names.redis(), Component::Redis),
        spec: StatefulSetSpec {
            replicas: i32::try_from(plan.nodes).ok(),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            service_name: Some(names.redis_nodes()),
            // With `OrderedReady` a pod that never became ready, such as one with a wrong image, is never replaced.
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
                spec: Some(claims::spec(&storage)),
                ..PersistentVolumeClaim::default()
            }]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn pod(desired: &Desired) -> PodSpec {
    let names = &desired.names;
    // REDISCLI_AUTH keeps the password out of the arguments, which are visible on the node.
    let (user, options) = (User::Exporter.name(), config::cli_options(desired));
    let ping = format!(
        "REDISCLI_AUTH=\"$(cat {AUTH_FOLDER}/{user})\" redis-cli {options} -h 127.0.0.1 -p {REDIS_PORT} --user {user} ping"
    );
    let mut mounts = vec![
        pod::mount("config", CONFIG_FOLDER, true),
        pod::mount("auth", AUTH_FOLDER, true),
        pod::mount("data", DATA_FOLDER, false),
        pod::mount("tmp", "/tmp", false),
    ];
    let mut volumes = vec![
        pod::from_config_map("config", names.redis()),
        pod::from_secret("auth", names.redis_auth()),
        pod::scratch("tmp"),
    ];
    if let Some([certificate, ..]) = desired.redis_certificate() {
        mounts.push(pod::mount("tls", TLS_FOLDER, true));
        volumes.push(pod::from_secret("tls", certificate.secret));
    }
    let container = Container {
        name: "redis".to_owned(),
        image: Some(desired.redis.image.reference.clone()),
        image_pull_policy: Some(pod::pull_policy(&desired.redis.image)),
        command: Some(vec!["sh".to_owned(), format!("{CONFIG_FOLDER}/redis.sh")]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: REDIS_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // It is asked until its file is loaded, however long that takes, and seldom after: a process each time costs more
        // than an idle Redis does.
        startup_probe: Some(pod::shell_probe(&format!("{ping} | grep -q PONG"), 1, 1800)),
        liveness_probe: Some(pod::shell_probe(
            // One that wants another password is alive, too: the file may be a minute behind.
            &format!("{ping} | grep -qE 'PONG|LOADING|MASTERDOWN|NOAUTH'"),
            30,
            3,
        )),
        readiness_probe: Some(pod::tcp_probe("redis", 5, 2)),
        resources: Some(resources(&desired.redis)),
        termination_message_policy: Some(pod::LAST_WORDS.to_owned()),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: Some(volumes),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(USER)),
        // Redis saves its data at SIGTERM.
        termination_grace_period_seconds: Some(30),
        image_pull_secrets: pod::pull_secrets(&desired.redis.image),
        affinity: Some(availability::apart(names, Component::Redis)),
        topology_spread_constraints: Some(availability::spread(names, Component::Redis)),
        ..PodSpec::default()
    }
}

/// Twice the data: while the append-only file is rewritten, changed pages are copied. What the spec says comes first.
fn resources(redis: &DesiredRedis) -> ResourceRequirements {
    let DesiredRedis { max_memory_bytes, resources: said, .. } = redis;
    let memory = Quantity((2 * max_memory_bytes + (64 << 20)).to_string());
    let mut requests = pod::quantities(&[("cpu", "50m"), ("memory", "64Mi")]);
    requests.insert("memory".to_owned(), Quantity((max_memory_bytes + (32 << 20)).to_string()));
    let mut limits = BTreeMap::from([("memory".to_owned(), memory)]);
    requests.extend(said.requests.clone().unwrap_or_default());
    limits.extend(said.limits.clone().unwrap_or_default());
    ResourceRequirements { requests: Some(requests), limits: Some(limits), claims: said.claims.clone() }
}
