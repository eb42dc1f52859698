//! Services: where pods of a component are reached.
//!
//! Input: names and ports. Output: objects. Must not know: pods.

use crate::names::{self, Component, Names, REDIS_PORT, SENTINEL_PORT};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The Service of the exam API.
pub fn api(names: &Names) -> Service {
    service(names, names.name.clone(), Component::Service, "http", i32::from(contract::API_PORT))
}

/// The Service of the ops port, for Prometheus.
pub fn ops(names: &Names) -> Service {
    service(names, names.ops(), Component::Service, "ops", i32::from(contract::OPS_PORT))
}

/// The Service that leads to the master of Redis, for people and exporters. The exam service asks Sentinels.
pub fn redis(names: &Names) -> Service {
    let mut service = service(names, names.redis(), Component::Redis, "redis", REDIS_PORT);
    if let Some(selector) = service.spec.as_mut().and_then(|spec| spec.selector.as_mut()) {
        selector.insert(names::ROLE.to_owned(), "master".to_owned());
    }
    service
}

/// The headless Service that gives the pods of Redis names.
pub fn redis_nodes(names: &Names) -> Service {
    headless(service(names, names.redis_nodes(), Component::Redis, "redis", REDIS_PORT))
}

/// The headless Service that gives the Sentinels names.
pub fn sentinels(names: &Names) -> Service {
    headless(service(names, names.sentinel(), Component::Sentinel, "sentinel", SENTINEL_PORT))
}

/// A Service of a component, whose port leads to the port of the same name.
pub(super) fn service(
    names: &Names,
    name: String,
    component: Component,
    port_name: &str,
    port: i32,
) -> Service {
    let port = ServicePort {
        name: Some(port_name.to_owned()),
        port,
        target_port: Some(IntOrString::String(port_name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: names.owned(name, component),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names.selector(component)),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Without an address of its own: each pod has a name, and is found before it is ready, too.
fn headless(mut service: Service) -> Service {
    if let Some(spec) = service.spec.as_mut() {
        spec.cluster_ip = Some("None".to_owned());
        spec.publish_not_ready_addresses = Some(true);
    }
    service
}
