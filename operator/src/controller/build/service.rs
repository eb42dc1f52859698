//! The exam service: account and Deployment.
//!
//! Input: what is desired and decided. Output: objects. Must not know: what exists.

use super::{availability, pod};
use crate::controller::decide::Decision;
use crate::controller::validate::{Desired, DesiredDatabase};
use crate::crd::AuthMode;
use crate::names::{self, Component, Names};
use k8s_openapi::DeepMerge;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, PodTemplateSpec, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// The user that the service runs as.
const USER: i64 = 65532;

/// The account of the pods. It has no rights, and its token is not mounted.
pub fn account(names: &Names) -> ServiceAccount {
    ServiceAccount {
        metadata: names.owned(names.name.clone(), Component::Service),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The Deployment. Nothing in it depends on the mode or on other Settings: those are adopted by the pods that run.
pub fn deployment(desired: &Desired, decision: &Decision) -> Deployment {
    let names = &desired.names;
    let place = decision.database.clone();
    let annotations = place.map(|place| BTreeMap::from([(names::DATABASE_REVISION.to_owned(), place)]));
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names.labels(Component::Service)),
            annotations,
            ..ObjectMeta::default()
        }),
        spec: Some(pod(desired)),
    };
    template.merge_from(desired.pod_patch.clone().unwrap_or_default());
    Deployment {
        metadata: names.owned(names.name.clone(), Component::Service),
        spec: DeploymentSpec {
            replicas: desired.replicas,
            selector: names.label_selector(Component::Service),
            strategy: Some(strategy(&desired.database)),
            revision_history_limit: Some(3),
            template,
            ..DeploymentSpec::default()
        },
        ..Deployment::default()
    }
}

/// A pod locks an embedded database, so the old one is deleted before the new one starts. On PostgreSQL a new one is
/// ready before an old one goes.
fn strategy(database: &DesiredDatabase) -> DeploymentStrategy {
    match database {
        DesiredDatabase::Embedded(_) => {
            DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }
        }
        DesiredDatabase::Postgres { .. } => DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::Int(1)),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        },
    }
}

fn pod(desired: &Desired) -> PodSpec {
    let names = &desired.names;
    let mut volumes = vec![
        pod::from_config_map("settings", names.name.clone()),
        pod::scratch("tmp"),
        pod::from_optional_secret("store", names.store()),
    ];
    let mut mounts = vec![
        pod::mount("settings", names::SETTINGS_FOLDER, true),
        pod::mount("tmp", "/tmp", false),
        pod::mount("store", names::STORE_FOLDER, true),
    ];
    match &desired.database {
        DesiredDatabase::Embedded(_) => {
            volumes.push(pod::from_claim("data", names.data()));
            mounts.push(pod::mount("data", names::DATA_FOLDER, false));
        }
        DesiredDatabase::Postgres { url, ca } => {
            let url = (url, names::DATABASE_URL);
            let keys = [url].into_iter().chain(ca.as_ref().map(|ca| (ca, names::DATABASE_CA)));
            volumes.push(pod::from_keys("database", keys));
            mounts.push(pod::mount("database", names::DATABASE_FOLDER, true));
        }
    }
    if let Some(keys) = desired.jwt_keys() {
        volumes.push(pod::from_keys("jwt", [(&keys, names::JWT_KEYS)].into_iter()));
        mounts.push(pod::mount("jwt", names::JWT_FOLDER, true));
    }
    if let Some(banks) = pod::from_banks("banks", &desired.banks) {
        volumes.push(banks);
        mounts.push(pod::mount("banks", names::BANKS_FOLDER, true));
    }
    if desired.auth.mode == AuthMode::Token {
        volumes.push(pod::from_secret("auth", names.auth()));
        mounts.push(pod::mount("auth", names::TOKEN_FOLDER, true));
    }
    let port = |name: &str, port: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let settings = format!("{}/{}", names::SETTINGS_FOLDER, contract::SETTINGS_KEY);
    let container = Container {
        name: "exam-service".to_owned(),
        image: Some(desired.service_image.reference.clone()),
        image_pull_policy: Some(pod::pull_policy(&desired.service_image)),
        command: Some(vec!["exam-service".to_owned()]),
        args: Some(vec!["serve".to_owned(), "--settings".to_owned(), settings]),
        ports: Some(vec![port("http", contract::API_PORT), port("ops", contract::OPS_PORT)]),
        startup_probe: Some(pod::http_probe(contract::LIVEZ_PATH, "ops", 1, 60)),
        liveness_probe: Some(pod::http_probe(contract::LIVEZ_PATH, "ops", 10, 3)),
        readiness_probe: Some(pod::http_probe(contract::READYZ_PATH, "ops", 2, 2)),
        resources: Some(desired.resources.clone()),
        termination_message_policy: Some(pod::LAST_WORDS.to_owned()),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    PodSpec {
        containers: vec![container],
        volumes: Some(volumes),
        service_account_name: Some(names.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(USER)),
        termination_grace_period_seconds: Some(30),
        image_pull_secrets: pod::pull_secrets(&desired.service_image),
        affinity: Some(availability::apart(names, Component::Service)),
        topology_spread_constraints: Some(availability::spread(names, Component::Service)),
        ..PodSpec::default()
    }
}
