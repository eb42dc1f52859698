//! Resources for the unit tests of this crate.

use crate::controller::validate::{Defaults, Desired, validate};
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentSpec};

/// A resource with an empty spec, as the API server stores it.
pub fn named(name: &str) -> AdaptiveExamDeployment {
    let spec: AdaptiveExamDeploymentSpec = serde_json::from_str("{}").unwrap();
    let mut resource = AdaptiveExamDeployment::new(name, spec);
    resource.metadata.namespace = Some("school".to_owned());
    resource.metadata.uid = Some("6a1f".to_owned());
    resource.metadata.generation = Some(3);
    resource
}

/// Default images of the tests.
pub fn defaults() -> Defaults {
    Defaults {
        service_image: "exam-service:dev".to_owned(),
        redis_image: "exam-redis:dev".to_owned(),
        operator_namespace: Some("exam-system".to_owned()),
    }
}

/// A validated resource.
pub fn desired(resource: &AdaptiveExamDeployment) -> Desired {
    validate(resource, &defaults()).unwrap()
}
