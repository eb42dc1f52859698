//! Objects of the Prometheus Operator: what to scrape, recording rules and alerts.
//!
//! Input: what is desired and provisioned. Output: objects of kinds that may not be in the cluster. The rules are those of
//! `monitoring/rules`, for one resource. Must not know: whether the kinds are there.

use super::{Planned, exporter};
use crate::controller::decide::Provisioned;
use crate::controller::validate::Desired;
use crate::names::{self, Component, Names};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::ApiResource;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Groups of rules, with placeholders.
static RULES: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../monitoring/rules/deployment.yaml");
    serde_yaml_ng::from_str(text).expect("the rules should be YAML: `monitoring/check` says where not")
});

/// What to scrape of the service's pods.
pub fn of_service(desired: &Desired) -> Planned {
    let endpoint = json!({"port": "ops", "path": "/metrics", "interval": desired.monitoring.interval});
    service_monitor(desired, desired.names.name.clone(), Component::Service, vec![endpoint])
}

/// What to ask the exporter about.
pub fn of_redis(desired: &Desired, provisioned: &Provisioned) -> Planned {
    let endpoint = |(pod, url): (String, String)| {
        let label = |label: &str| json!({"targetLabel": label, "replacement": pod});
        json!({
            "port": exporter::PORT_NAME, "path": "/scrape", "interval": desired.monitoring.interval,
            "params": {"target": [url]}, "relabelings": [label("instance"), label("pod")],
        })
    };
    let endpoints = exporter::targets(desired, provisioned).into_iter().map(endpoint).collect();
    service_monitor(desired, desired.names.redis_metrics(), Component::Exporter, endpoints)
}

fn service_monitor(desired: &Desired, name: String, component: Component, endpoints: Vec<Value>) -> Planned {
    let spec = json!({"selector": desired.names.label_selector(component), "endpoints": endpoints});
    planned(desired, names::service_monitor_kind(), name, component, spec)
}

/// Recording rules and alerts.
pub fn rules(desired: &Desired) -> Planned {
    let spec = filled(&RULES, &desired.names, &desired.monitoring.runbooks);
    planned(desired, names::prometheus_rule_kind(), desired.names.name.clone(), Component::Service, spec)
}

/// What of it is not wanted.
pub fn absent(desired: &Desired, is_watched: bool, has_exporter: bool) -> Vec<(ApiResource, String)> {
    let (names, none) = (&desired.names, &());
    let mut absent = Vec::new();
    if !is_watched {
        absent.push((names::service_monitor_kind(), names.name.clone()));
    }
    if !(is_watched && desired.monitoring.rules) {
        absent.push((names::prometheus_rule_kind(), names.name.clone()));
    }
    if !has_exporter {
        let kinds = [
            names::service_monitor_kind(),
            ApiResource::erase::<Service>(none),
            ApiResource::erase::<Deployment>(none),
        ];
        absent.extend(kinds.map(|kind| (kind, names.redis_metrics())));
    }
    if !(has_exporter && desired.network_policy.enabled) {
        absent.push((ApiResource::erase::<NetworkPolicy>(none), names.redis_metrics()));
    }
    absent
}

fn planned(desired: &Desired, api: ApiResource, name: String, component: Component, spec: Value) -> Planned {
    let mut metadata = desired.names.owned(name.clone(), component);
    metadata.labels.get_or_insert_default().extend(desired.monitoring.labels.clone());
    let body = json!({"apiVersion": api.api_version, "kind": api.kind, "metadata": metadata, "spec": spec});
    Planned { api, name, body }
}

/// The rules with the resource in place of the placeholders.
fn filled(value: &Value, names: &Names, runbooks: &str) -> Value {
    match value {
        Value::String(text) => {
            let text = text.replace("NAMESPACE", &names.namespace);
            text.replace("NAME", &names.name).replace("RUNBOOKS", runbooks).into()
        }
        Value::Array(all) => all.iter().map(|value| filled(value, names, runbooks)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), filled(value, names, runbooks))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::build::{Resources, build};
    use crate::controller::credentials::Credential;
    use crate::controller::observe::Observed;
    use crate::fixtures::{decided, desired, named};

    fn built(spec: Value, observed: &Observed) -> Resources {
        let mut resource = named("midterm");
        resource.spec = serde_json::from_value(spec).unwrap();
        let desired = desired(&resource);
        build(&desired, &decided(&desired, observed), &Credential("word".to_owned()))
    }

    fn found<'a>(resources: &'a Resources, kind: &str, name: &str) -> Option<&'a Value> {
        let is_it = |planned: &&Planned| (planned.api.kind.as_str(), planned.name.as_str()) == (kind, name);
        resources.objects.iter().find(is_it).map(|planned| &planned.body)
    }

    #[test]
    fn each_redis_and_each_sentinel_is_asked() {
        let monitoring = json!({"enabled": true, "labels": {"release": "prometheus"}});
        let spec = json!({"redis": {"mode": "sentinel"}, "monitoring": monitoring});
        let there = Observed { has_monitoring_kinds: true, ..Observed::default() };
        let resources = built(spec.clone(), &there);
        let monitor = found(&resources, "ServiceMonitor", "midterm").unwrap();
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
        assert_eq!(monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"], "service");
        let asked =
            &found(&resources, "ServiceMonitor", "midterm-redis-metrics").unwrap()["spec"]["endpoints"];
        let first = json!(["redis://midterm-redis-0.midterm-redis-nodes.school.svc:6379"]);
        assert_eq!(asked[0]["params"]["target"], first, "{asked}");
        let exporter = found(&resources, "Deployment", "midterm-redis-metrics").unwrap();
        let template = &exporter["spec"]["template"];
        assert_eq!(template["metadata"]["labels"][names::REDIS_ACCESS], "midterm", "a policy lets it in");
        assert!(found(&resources, "NetworkPolicy", "midterm-redis-metrics").is_some());
        // Without the kinds there is nothing that needs them, and nothing else is missing.
        let without = built(spec, &Observed::default());
        assert!(found(&without, "ServiceMonitor", "midterm").is_none());
        assert!(found(&without, "StatefulSet", "midterm-redis").is_some());
    }

    #[test]
    fn rules_speak_of_one_resource() {
        let rules = json!({"groups": [{"name": "NAME", "rules": [
            {"expr": "up{namespace=\"NAMESPACE\",service=\"NAME-ops\"}", "annotations": {"runbook_url": "RUNBOOKS#down"}},
        ]}]});
        let filled = filled(&rules, &desired(&named("midterm")).names, "https://runbooks.example");
        let rule = &filled["groups"][0]["rules"][0];
        assert_eq!(rule["expr"], "up{namespace=\"school\",service=\"midterm-ops\"}");
        assert_eq!(rule["annotations"]["runbook_url"], "https://runbooks.example#down");
        let spec = json!({"monitoring": {"enabled": true}});
        let there = Observed { has_monitoring_kinds: true, ..Observed::default() };
        let resources = built(spec, &there);
        let text = found(&resources, "PrometheusRule", "midterm").unwrap().to_string();
        assert!(!text.contains("NAMESPACE") && !text.contains("RUNBOOKS"), "{text}");
    }

    #[test]
    fn what_is_wanted_no_more_goes_and_what_never_was_is_not_asked_for() {
        let kinds = |resources: &Resources| -> Vec<String> {
            let of = |(api, name): &(ApiResource, String)| format!("{} {name}", api.kind);
            resources
                .absent
                .iter()
                .map(of)
                .filter(|text| text.contains("Monitor") || text.contains("metrics"))
                .collect()
        };
        let monitored = Observed { is_monitored: true, ..Observed::default() };
        let gone = kinds(&built(json!({}), &monitored));
        assert!(gone.contains(&"ServiceMonitor midterm".to_owned()), "{gone:?}");
        assert!(gone.contains(&"Deployment midterm-redis-metrics".to_owned()), "{gone:?}");
        assert_eq!(kinds(&built(json!({}), &Observed::default())), Vec::<String>::new());
    }
}
