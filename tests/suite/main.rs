//! The test suite: one module per behaviour, on real processes.
//!
//! Tests run in the order of their names, on each processor one. What has the shared cluster to itself for minutes (`each_write`,
//! `operator_at_rest`), or clusters that wait for each other (`manifests`, `several_nodes`), has a name among those of tests that
//! need no cluster, so that nothing waits for it.

mod api;
mod attempts;
mod bad_input;
mod bank_change;
mod bank_files;
mod banks;
mod book;
mod chaos;
mod checklist;
mod clients;
mod crash;
mod credentials;
mod delivery;
mod demo;
mod disk;
mod e2e;
mod each_write;
mod exam_types;
mod export;
mod exposure;
mod failover;
mod first;
mod fuzz;
mod generated_clients;
mod identity;
mod leadership;
mod live;
mod logs;
mod manifests;
mod metrics;
mod monitoring;
mod openapi;
mod operator_at_rest;
mod origins;
mod outage;
mod outage_time;
mod page;
mod policies;
mod policies_enforced;
mod poolers;
mod postgres;
mod rbac;
mod redis_faults;
mod replicas;
mod scaling;
mod scoring;
mod sentinel;
mod settings;
mod several_nodes;
mod shape;
mod simulate;
mod store;
mod timing;
mod traces;
mod trust;
mod update;
mod waiting;
