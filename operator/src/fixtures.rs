//! Resources for the unit tests of this crate.

use crate::controller::credentials::Credential;
use crate::controller::decide::{Decision, Known, decide};
use crate::controller::observe::Observed;
use crate::controller::redis::auth::{Passwords, RedisAuth};
use crate::controller::redis::users::User;
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
        exporter_image: "exam-redis-exporter:dev".to_owned(),
        runbooks: "https://runbooks.example/exams".to_owned(),
        operator_namespace: Some("exam-system".to_owned()),
    }
}

/// A validated resource.
pub fn desired(resource: &AdaptiveExamDeployment) -> Desired {
    validate(resource, &defaults()).unwrap()
}

/// Passwords that begin with a word.
pub fn passwords(word: &str) -> Passwords {
    let password = |user: User| Credential(format!("{word}-{}", user.name()));
    let held = User::ALL.map(|user| (user.name().to_owned(), password(user)));
    RedisAuth::read(&held.into_iter().collect()).unwrap().current
}

/// What is decided by an operator that knows nothing beside what it observed.
pub fn decided(desired: &Desired, observed: &Observed) -> Decision {
    let known = Known { redis_auth: observed.redis_auth.value.as_ref(), fresh: &passwords("fresh") };
    decide(desired, observed, known).unwrap()
}
