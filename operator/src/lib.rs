//! The operator: makes the cluster match each [`AdaptiveExamDeployment`](crd::AdaptiveExamDeployment), and reports
//! truthfully in its status.
//!
//! A room imports only the rooms below it; `make layers` checks this. From top to bottom:
//!
//! | room | content |
//! |---|---|
//! | [`controller`] | the pipeline: observe, validate, decide, build, apply, status |
//! | [`generate`] | the CRD as YAML |
//! | [`ops`] | probes and metrics of the operator |
//! | [`metrics`] | metrics, and whether the operator is alive |
//! | [`names`] | names, labels and paths |
//! | [`crd`] | the custom resource: one file per part of the spec, and the status |

pub mod controller;
pub mod crd;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod leader;
pub mod metrics;
pub mod names;
pub mod ops;
