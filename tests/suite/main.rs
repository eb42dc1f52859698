//! What must hold, one module per behaviour, on real processes.

mod api;
mod attempts;
mod bad_input;
mod banks;
mod chaos;
mod checklist;
mod clients;
mod crash;
mod disk;
mod e2e;
mod export;
mod exposure;
mod live;
mod metrics;
mod openapi;
mod origins;
mod outage;
mod page;
mod policies;
mod postgres;
mod settings;
mod simulate;
mod store;
mod timing;
mod trust;
mod update;
