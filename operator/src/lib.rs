//! The operator: makes an [`AdaptiveExamDeployment`](crd::AdaptiveExamDeployment) come true, and says
//! truly how far it is.
//!
//! [`controller`] is the pipeline; [`crd`] what can be said; [`names`] what everything is called;
//! [`ops`] and [`metrics`] how the operator itself is watched.

pub mod controller;
pub mod crd;
#[cfg(test)]
mod fixtures;
pub mod generate;
pub mod metrics;
pub mod names;
pub mod ops;
