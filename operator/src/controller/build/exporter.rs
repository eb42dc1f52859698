//! The exporter of Redis metrics: one pod that asks each Redis and each Sentinel when Prometheus asks it.
//!
//! Input: what is desired and provisioned. Output: objects. A rotated password makes another pod, and no pod of Redis is
//! touched for it. Must not know: who scrapes.

use super::{network, pod, policies};
use crate::controller::decide::Provisioned;
use crate::controller::redis::users::User;
use crate::controller::validate::Desired;
use crate::names::{AUTH_REVISION, Component, REDIS_ACCESS, REDIS_PORT, SENTINEL_PORT, TLS_FOLDER};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, PodSpec, PodTemplateSpec, ResourceRequirements,
    SecretKeySelector, Service,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Its port.
const PORT: i32 = 9121;
/// Name of that port.
pub const PORT_NAME: &str = "metrics";
/// The user that it runs as.
const USER: i64 = 65532;

/// What it is asked about: a pod, and its URL.
pub fn targets(desired: &Desired, Provisioned { plan, .. }: &Provisioned) -> Vec<(String, String)> {
    let names = &desired.names;
    let scheme = if desired.redis.tls.is_some() { "rediss" } else { "redis" };
    let target = |pod: String, domain: String, port: i32| {
        let url = format!("{scheme}://{pod}{domain}:{port}");
        (pod, url)
    };
    let nodes =
        (0..plan.nodes).map(|number| target(names.redis_pod(number), names.redis_domain(), REDIS_PORT));
    let sentinels = (0..plan.sentinels).map(|number| {
        target(format!("{}-{number}", names.sentinel()), names.sentinel_domain(), SENTINEL_PORT)
    });
    nodes.chain(sentinels).collect()
}

/// Its Deployment.
pub fn deployment(desired: &Desired, provisioned: &Provisioned) -> Deployment {
    let names = &desired.names;
    let mut labels = names.labels(Component::Exporter);
    labels.insert(REDIS_ACCESS.to_owned(), names.name.clone());
    let revision = provisioned.auth.current.id();
    Deployment {
        metadata: names.owned(names.redis_metrics(), Component::Exporter),
        spec: DeploymentSpec {
            replicas: Some(1),
            selector: names.label_selector(Component::Exporter),
            revision_history_limit: Some(1),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    annotations: Some(BTreeMap::from([(AUTH_REVISION.to_owned(), revision)])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(desired)),
            },
            ..DeploymentSpec::default()
        },
        ..Deployment::default()
    }
}

fn pod(desired: &Desired) -> PodSpec {
    let image = &desired.monitoring.exporter_image;
    let variable = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..EnvVar::default()
    };
    let password = SecretKeySelector {
        name: desired.names.redis_auth(),
        key: User::Exporter.name().to_owned(),
        optional: None,
    };
    let from_secret = EnvVarSource { secret_key_ref: Some(password), ..EnvVarSource::default() };
    let mut variables = vec![
        variable("REDIS_EXPORTER_WEB_LISTEN_ADDRESS", &format!(":{PORT}")),
        variable("REDIS_USER", User::Exporter.name()),
        EnvVar { name: "REDIS_PASSWORD".to_owned(), value_from: Some(from_secret), ..EnvVar::default() },
        // It has no Redis of its own.
        variable("REDIS_ADDR", ""),
    ];
    let certificate = desired.redis_certificate().map(|[certificate, ..]| certificate.secret);
    if certificate.is_some() {
        variables.push(variable("REDIS_EXPORTER_TLS_CA_CERT_FILE", &format!("{TLS_FOLDER}/ca.crt")));
    }
    let container = Container {
        name: "exporter".to_owned(),
        image: Some(image.reference.clone()),
        image_pull_policy: Some(pod::pull_policy(image)),
        env: Some(variables),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(pod::http_probe("/health", PORT_NAME, 30, 3)),
        readiness_probe: Some(pod::http_probe("/health", PORT_NAME, 10, 2)),
        resources: Some(ResourceRequirements {
            requests: Some(pod::quantities(&[("cpu", "5m"), ("memory", "16Mi")])),
            limits: Some(pod::quantities(&[("memory", "64Mi")])),
            claims: None,
        }),
        termination_message_policy: Some(pod::LAST_WORDS.to_owned()),
        security_context: Some(pod::container_security()),
        volume_mounts: certificate.is_some().then(|| vec![pod::mount("tls", TLS_FOLDER, true)]),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: certificate.map(|secret| vec![pod::from_secret("tls", secret)]),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(USER)),
        image_pull_secrets: pod::pull_secrets(image),
        ..PodSpec::default()
    }
}

/// Where Prometheus finds it.
pub fn service(desired: &Desired) -> Service {
    let names = &desired.names;
    network::service(names, names.redis_metrics(), Component::Exporter, PORT_NAME, PORT)
}

/// Its policy: it is asked by whoever may read metrics.
pub fn policy(desired: &Desired) -> NetworkPolicy {
    let names = &desired.names;
    let rule = policies::ingress(PORT_NAME, Some(policies::scrapers(desired)));
    policies::of(names, names.redis_metrics(), Component::Exporter, vec![rule])
}
