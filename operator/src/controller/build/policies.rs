//! Network policies: who may reach the pods of a component.
//!
//! Input: what is desired. Output: objects. Must not know: what exists, nor whether the network enforces them.

use crate::controller::validate::Desired;
use crate::names::{self, Component, Names};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// The label of namespaces that Kubernetes gives them.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// The policy of the service's pods: the exam API for callers, the ops port for the operator and Prometheus.
pub fn service(desired: &Desired) -> NetworkPolicy {
    let policy = &desired.network_policy;
    let callers = (!policy.callers.is_empty()).then(|| policy.callers.clone());
    let api = ingress("http", callers);
    let ops = ingress("ops", Some(operator(desired).into_iter().chain(scrapers(desired)).collect()));
    of(&desired.names, desired.names.name.clone(), Component::Service, vec![api, ops])
}

/// The policy of Redis' pods.
pub fn redis(desired: &Desired) -> NetworkPolicy {
    let rule = ingress("redis", Some(clients(desired)));
    of(&desired.names, desired.names.redis(), Component::Redis, vec![rule])
}

/// The policy of the Sentinels.
pub fn sentinels(desired: &Desired) -> NetworkPolicy {
    let rule = ingress("sentinel", Some(clients(desired)));
    of(&desired.names, desired.names.sentinel(), Component::Sentinel, vec![rule])
}

/// Who may read metrics.
pub(super) fn scrapers(desired: &Desired) -> Vec<NetworkPolicyPeer> {
    match desired.network_policy.scrapers.as_slice() {
        [] => vec![prometheus()],
        scrapers => scrapers.to_vec(),
    }
}

/// Who may reach Redis and Sentinels: never nobody, because a rule without peers admits everybody.
fn clients(desired: &Desired) -> Vec<NetworkPolicyPeer> {
    let names = &desired.names;
    let components = [Component::Service, Component::Redis, Component::Sentinel];
    let ours = components.map(|component| pods(names.selector(component)));
    let admitted = pods(BTreeMap::from([(names::REDIS_ACCESS.to_owned(), names.name.clone())]));
    ours.into_iter().chain([admitted]).chain(operator(desired)).collect()
}

fn operator(desired: &Desired) -> Option<NetworkPolicyPeer> {
    let namespace = desired.operator_namespace.clone()?;
    Some(NetworkPolicyPeer {
        namespace_selector: Some(labelled(BTreeMap::from([(NAMESPACE.to_owned(), namespace)]))),
        ..pods(BTreeMap::from([(names::APP.to_owned(), names::OPERATOR_APP.to_owned())]))
    })
}

fn prometheus() -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..pods(BTreeMap::from([(names::APP.to_owned(), "prometheus".to_owned())]))
    }
}

fn pods(labels: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(labelled(labels)), ..NetworkPolicyPeer::default() }
}

fn labelled(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

/// A rule that admits peers to a named port; `None`: everybody.
pub(super) fn ingress(port: &str, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    let port = NetworkPolicyPort {
        port: Some(IntOrString::String(port.to_owned())),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    };
    NetworkPolicyIngressRule { from, ports: Some(vec![port]) }
}

/// The policy of a component.
pub(super) fn of(
    names: &Names,
    name: String,
    component: Component,
    ingress: Vec<NetworkPolicyIngressRule>,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: names.owned(name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(names.label_selector(component)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(ingress),
            egress: None,
        }),
    }
}
