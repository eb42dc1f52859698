//! What the process reports about itself: log lines, metrics, traces.
//!
//! Input: events of other rooms. Output: the log on standard error, the Prometheus text, spans for a collector.
//! Must not know: HTTP, SQL, Redis.

pub mod log;
pub mod metrics;
pub mod trace;
