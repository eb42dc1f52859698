//! Sentinels: their StatefulSet.
//!
//! Input: what is desired, and how many. Output: objects. Must not know: what exists.

use super::{availability, pod, redis};
use crate::controller::decide::Provisioned;
use crate::controller::validate::Desired;
use crate::names::{self, Component, SENTINEL_PORT};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The StatefulSet. They come one after another, and are replaced one after another.
pub fn stateful_set(desired: &Desired, Provisioned { plan, certificate, .. }: &Provisioned) -> StatefulSet {
    let names = &desired.names;
    StatefulSet {
        metadata: names.owned(names.sentinel(), Component::Sentinel),
        spec: StatefulSetSpec {
            replicas: i32::try_from(plan.sentinels).ok(),
            service_name: Some(names.sentinel()),
            selector: names.label_selector(Component::Sentinel),
            revision_history_limit: Some(3),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(names.labels(Component::Sentinel)),
                    // A Sentinel reads its certificate at its start only, so another one is another pod.
                    annotations: certificate.as_ref().map(|certificate| {
                        BTreeMap::from([(names::TLS_REVISION.to_owned(), certificate.id.clone())])
                    }),
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
    let mut mounts = vec![
        pod::mount("config", redis::CONFIG_FOLDER, true),
        pod::mount("auth", super::config::REDIS_AUTH_FOLDER, true),
        pod::mount("data", super::config::REDIS_DATA_FOLDER, false),
    ];
    let mut volumes = vec![
        pod::from_config_map("config", names.redis()),
        pod::from_secret("auth", names.redis_auth()),
        pod::scratch("data"),
    ];
    if let Some([certificate, ..]) = desired.redis_certificate() {
        mounts.push(pod::mount("tls", names::TLS_FOLDER, true));
        volumes.push(pod::from_secret("tls", certificate.secret));
    }
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
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: Some(volumes),
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
