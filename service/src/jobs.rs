//! Background jobs that run beside requests for as long as the service runs.
//!
//! Input: the running service. Output: events in the log and snapshots in the store. Must not know: HTTP.

pub mod expire;
pub mod heartbeat;
pub mod rewarm;
