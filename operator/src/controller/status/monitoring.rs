//! The condition of the objects that watch over a deployment.
//!
//! Input: what was decided of them, and the last status. Output: a verdict, and what has to stay said. Must not know: objects.

use super::Verdict;
use crate::controller::decide::Watch;
use crate::crd::AdaptiveExamDeploymentStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The objects that watch over it are there; absent where none are wanted.
pub const MONITORING_READY: &str = "MonitoringReady";
/// Whether there may be objects that watch over it.
pub fn is_monitored(before: &AdaptiveExamDeploymentStatus) -> bool {
    before.conditions.iter().any(|known| known.type_ == MONITORING_READY)
}

/// What is said of the objects that watch over it.
pub(super) fn monitoring(watch: Watch) -> Option<Verdict> {
    match watch {
        Watch::Nothing | Watch::Remove => None,
        Watch::Keep => {
            Some(Verdict::of("True", "ObjectsApplied", "the Prometheus Operator is told what to scrape"))
        }
        Watch::KindsMissing => Some(Verdict::of(
            "False",
            "CRDsMissing",
            "spec.monitoring needs the Prometheus Operator, whose kinds ServiceMonitor and PrometheusRule (monitoring.coreos.com/v1) are not there: install it, or set spec.monitoring.enabled to false",
        )),
    }
}

/// What was said of monitoring stays said until its objects are seen to: it is how they are found again.
pub(super) fn known_monitoring(before: Option<&AdaptiveExamDeploymentStatus>) -> Option<Condition> {
    before?.conditions.iter().find(|known| known.type_ == MONITORING_READY).cloned()
}
