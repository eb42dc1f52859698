//! Sentinels: their StatefulSet.
//!
//! Input: what is desired, and how many. Output: objects. Must not know: what exists.

use super::{availability, pod, redis};
use crate::controller::credentials::Credential;
use crate::controller::validate::Desired;
use crate::names::{self, Component, SENTINEL_PORT};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The StatefulSet. They come one after another, and are replaced one after another.
pub fn stateful_set(desired: &Desired, count: u32, Credential(password): &Credential) -> StatefulSet {
    let names = &desired.names;
    let revision = contract::settings::revision(password);
    StatefulSet {
        metadata: names.owned(names.sentinel(), Component::Sentinel),
        spec: StatefulSetSpec {
            replicas: i32::try_from(count).ok(),
            service_name: Some(names.sentinel()),
            selector: names.label_selector(Component::Sentinel),
            revision_history_limit: Some(3),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(names.labels(Component::Sentinel)),
                    annotations: Some(BTreeMap::from([(names::PASSWORD_REVISION.to_owned(), revision)])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(desired)),
            },
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn pod(desired: &Desired) -> PodSpec {
    let names = &desired.names;
    let container = Container {
        name: "sentinel".to_owned(),
        image: Some(desired.redis.image.reference.clone()),
        image_pull_policy: Some(pod::pull_policy(&desired.redis.image)),
        command: Some(vec!["sh".to_owned(), format!("{}/sentinel.sh", redis::CONFIG_FOLDER)]),
        ports: Some(vec![ContainerPort {
            name: Some("sentinel".to_owned()),
            container_port: SENTINEL_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        startup_probe: Some(pod::tcp_probe("sentinel", 1, 120)),
        readiness_probe: Some(pod::tcp_probe("sentinel", 5, 2)),
        liveness_probe: Some(pod::tcp_probe("sentinel", 20, 3)),
        // No limit of its processor time: a Sentinel that was held up for two seconds trusts itself no more for thirty.
        resources: Some(ResourceRequirements {
            requests: Some(pod::quantities(&[("cpu", "10m"), ("memory", "32Mi")])),
            limits: Some(pod::quantities(&[("memory", "64Mi")])),
            claims: None,
        }),
        termination_message_policy: Some(pod::LAST_WORDS.to_owned()),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![
            pod::mount("config", redis::CONFIG_FOLDER, true),
            pod::mount("auth", super::config::REDIS_AUTH_FOLDER, true),
            pod::mount("data", super::config::REDIS_DATA_FOLDER, false),
        ]),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: Some(vec![
            pod::from_config_map("config", names.redis()),
            pod::from_secret("auth", names.redis_auth()),
            pod::scratch("data"),
        ]),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(redis::USER)),
        termination_grace_period_seconds: Some(5),
        image_pull_secrets: pod::pull_secrets(&desired.redis.image),
        affinity: Some(availability::apart(names, Component::Sentinel)),
        topology_spread_constraints: Some(availability::spread(names, Component::Sentinel)),
        ..PodSpec::default()
    }
}
