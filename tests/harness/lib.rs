//! The test harness: real processes, each with its own ports and folders, ended by pid.
//!
//! Input: what a test needs. Output: running processes, and ways to break them. Nothing here asserts what the
//! product should do; the suite does.

pub mod api_proxy;
pub mod authority;
pub mod backing;
pub mod client;
pub mod cluster;
pub mod contract;
pub mod crowd;
pub mod operator;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod release;
pub mod service;
pub mod terminal;
pub mod tokens;
pub mod topology;
pub mod wait;

pub use self::operator::Operator;
pub use api_proxy::ApiProxy;
pub use authority::Authority;
pub use client::{Client, Examinee};
pub use cluster::Cluster;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use redis::Redis;
pub use service::Service;
pub use terminal::Terminal;
