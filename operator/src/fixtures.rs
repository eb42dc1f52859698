//! Resources for the tests of this crate, the only ones.

use crate::controller::validate::{Defaults, Desired, validate};
use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentSpec};

/// A resource as the API server would hold it, with nothing said in its spec.
pub fn named(name: &str) -> AdaptiveExamDeployment {
    let spec: AdaptiveExamDeploymentSpec = serde_json::from_str("{}").unwrap();
    let mut resource = AdaptiveExamDeployment::new(name, spec);
    resource.metadata.namespace = Some("school".to_owned());
    resource.metadata.uid = Some("6a1f".to_owned());
    resource.metadata.generation = Some(3);
    resource
}

/// The images the tests run with.
pub fn defaults() -> Defaults {
    Defaults { service_image: "exam-service:dev".to_owned(), redis_image: "exam-redis:dev".to_owned() }
}

/// A resource with every question answered.
pub fn desired(resource: &AdaptiveExamDeployment) -> Desired {
    validate(resource, &defaults()).unwrap()
}
