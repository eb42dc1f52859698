//! How many pods of the service there are at least and at most: disruption budget, autoscaler, spread over nodes.
//!
//! Input: what is desired. Output: objects, or none where one pod is all there can be. Must not know: what exists.

use crate::controller::validate::{Desired, DesiredDatabase};
use crate::names::{Component, Names};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The budget of the service's pods; none for an embedded database, whose one pod every drain takes.
pub fn of_service(desired: &Desired) -> Option<PodDisruptionBudget> {
    let names = &desired.names;
    let is_shared = matches!(desired.database, DesiredDatabase::Postgres { .. });
    is_shared
        .then(|| disruption_budget(names, names.name.clone(), Component::Service, desired.max_unavailable))
}

/// A drain takes so many pods of a component at a time.
pub fn disruption_budget(
    names: &Names,
    name: String,
    component: Component,
    max_unavailable: i32,
) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: names.owned(name, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(max_unavailable)),
            selector: Some(names.label_selector(component)),
            // A pod that never became ready does not keep its node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

/// The autoscaler, if the number of pods follows their load.
pub fn autoscaler(desired: &Desired) -> Option<HorizontalPodAutoscaler> {
    let (names, autoscaling) = (&desired.names, desired.autoscaling.as_ref()?);
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(autoscaling.cpu_percent),
        ..MetricTarget::default()
    };
    Some(HorizontalPodAutoscaler {
        metadata: names.owned(names.name.clone(), Component::Service),
        spec: HorizontalPodAutoscalerSpec {
            min_replicas: Some(autoscaling.min),
            max_replicas: autoscaling.max,
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: names.name.clone(),
            },
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource { name: "cpu".to_owned(), target }),
                ..MetricSpec::default()
            }]),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_down: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(autoscaling.scale_down_after_seconds),
                    ..HPAScalingRules::default()
                }),
                scale_up: None,
            }),
        },
        ..HorizontalPodAutoscaler::default()
    })
}

/// Over nodes as evenly as there is room. Nodes without the label of a constraint would not be scored by any of them, so zones,
/// which not every cluster has, are not among them.
pub fn spread(names: &Names, component: Component) -> Vec<TopologySpreadConstraint> {
    vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(names.label_selector(component)),
        ..TopologySpreadConstraint::default()
    }]
}

/// In other zones than the others of its component, where there are zones and room.
pub fn apart(names: &Names, component: Component) -> Affinity {
    let others = PodAffinityTerm {
        topology_key: "topology.kubernetes.io/zone".to_owned(),
        label_selector: Some(names.label_selector(component)),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: others,
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}
