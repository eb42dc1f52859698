//! Parts that all pods share: the restricted profile, volumes, probes.
//!
//! Input: names and numbers. Output: parts of pod specs. Must not know: which pod uses them.

use crate::controller::given::Reference;
use crate::crd::{Bank, Image, PullPolicy, SecretKey};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapProjection, ConfigMapVolumeSource, EmptyDirVolumeSource, ExecAction,
    HTTPGetAction, KeyToPath, LocalObjectReference, PersistentVolumeClaimVolumeSource, PodSecurityContext,
    Probe, ProjectedVolumeSource, SeccompProfile, SecretProjection, SecretVolumeSource, SecurityContext,
    TCPSocketAction, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// Where the last words of a container that failed come from: the end of its log.
pub const LAST_WORDS: &str = "FallbackToLogsOnError";

/// Security of a pod under the restricted profile: this user, whose group may write its volumes.
pub fn pod_security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Security of a container under the restricted profile.
pub fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..SecurityContext::default()
    }
}

/// The Kubernetes name of a pull policy.
pub fn pull_policy(image: &Image) -> String {
    match image.pull_policy {
        PullPolicy::Always => "Always",
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Never => "Never",
    }
    .to_owned()
}

/// The Secrets that let the node pull an image.
pub fn pull_secrets(image: &Image) -> Option<Vec<LocalObjectReference>> {
    let secrets = image.pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    (!image.pull_secrets.is_empty()).then(|| secrets.collect())
}

/// A volume from a ConfigMap.
pub fn from_config_map(volume: &str, config_map: String) -> Volume {
    let source = ConfigMapVolumeSource { name: config_map, ..ConfigMapVolumeSource::default() };
    Volume { name: volume.to_owned(), config_map: Some(source), ..Volume::default() }
}

/// A volume from a Secret that only the pod's group can read.
pub fn from_secret(volume: &str, secret: String) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret),
        default_mode: Some(0o440),
        ..SecretVolumeSource::default()
    };
    Volume { name: volume.to_owned(), secret: Some(source), ..Volume::default() }
}

/// A volume from a Secret that need not be there yet: its files come with it.
pub fn from_optional_secret(volume: &str, secret: String) -> Volume {
    let mut made = from_secret(volume, secret);
    if let Some(source) = &mut made.secret {
        source.optional = Some(true);
    }
    made
}

/// A volume from single keys of Secrets that people gave, under other names.
pub fn from_keys<'a>(volume: &str, keys: impl Iterator<Item = (&'a Reference, &'a str)>) -> Volume {
    let source = |(reference, file): (&Reference, &str)| VolumeProjection {
        secret: Some(SecretProjection {
            name: reference.secret.clone(),
            items: Some(vec![KeyToPath {
                key: reference.key.clone(),
                path: file.to_owned(),
                ..KeyToPath::default()
            }]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let source = ProjectedVolumeSource {
        default_mode: Some(0o440),
        sources: Some(keys.map(source).collect()),
        ..ProjectedVolumeSource::default()
    };
    Volume { name: volume.to_owned(), projected: Some(source), ..Volume::default() }
}

/// A volume with the files of banks; `None` where no bank is in a file.
pub fn from_banks(volume: &str, banks: &[Bank]) -> Option<Volume> {
    let items = |named: &SecretKey, bank: &Bank| {
        let key = named.key.clone().unwrap_or_else(|| "items.csv".to_owned());
        Some(vec![KeyToPath { key, path: bank.file(), ..KeyToPath::default() }])
    };
    let source = |bank: &Bank| match (&bank.config_map_ref, &bank.secret_ref) {
        (Some(named), _) => Some(VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name: named.name.clone(),
                items: items(named, bank),
                optional: None,
            }),
            ..VolumeProjection::default()
        }),
        (None, Some(named)) => Some(VolumeProjection {
            secret: Some(SecretProjection {
                name: named.name.clone(),
                items: items(named, bank),
                optional: None,
            }),
            ..VolumeProjection::default()
        }),
        (None, None) => None,
    };
    let sources: Vec<VolumeProjection> = banks.iter().filter_map(source).collect();
    let projected = || ProjectedVolumeSource {
        default_mode: Some(0o440),
        sources: Some(sources.clone()),
        ..ProjectedVolumeSource::default()
    };
    (!sources.is_empty()).then(|| Volume {
        name: volume.to_owned(),
        projected: Some(projected()),
        ..Volume::default()
    })
}

/// A volume from a claim.
pub fn from_claim(volume: &str, claim: String) -> Volume {
    let source = PersistentVolumeClaimVolumeSource { claim_name: claim, read_only: None };
    Volume { name: volume.to_owned(), persistent_volume_claim: Some(source), ..Volume::default() }
}

/// An empty folder that is deleted with the pod.
pub fn scratch(volume: &str) -> Volume {
    let empty = EmptyDirVolumeSource::default();
    Volume { name: volume.to_owned(), empty_dir: Some(empty), ..Volume::default() }
}

/// The mount of a volume.
pub fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// A probe by HTTP.
pub fn http_probe(path: &str, port: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A probe by a connection, which costs next to nothing.
pub fn tcp_probe(port: &str, period_seconds: i32, failures: i32) -> Probe {
    let port = IntOrString::String(port.to_owned());
    Probe {
        tcp_socket: Some(TCPSocketAction { port, ..TCPSocketAction::default() }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A probe by a shell command.
pub fn shell_probe(command: &str, period_seconds: i32, failures: i32) -> Probe {
    let command = ["sh", "-c", command].map(str::to_owned).to_vec();
    Probe {
        exec: Some(ExecAction { command: Some(command) }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// Quantities by name.
pub fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned()))).collect()
}
