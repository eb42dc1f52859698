//! The Redis that the operator provisions: who its master is, and what has to be done about it.
//!
//! Input: pods, and what Redis and Sentinels say. Output: at most one step a reconcile. `plan` and `handover` are pure and
//! say what, `steps` does it; `link` alone speaks to Redis. Must not know: Settings, the service.

pub mod auth;
pub mod facts;
pub mod handover;
pub mod link;
#[cfg(test)]
mod model;
pub mod patience;
pub mod plan;
pub mod rotation;
pub mod steps;
pub mod users;
