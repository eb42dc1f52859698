//! The exam service: adaptive exams over HTTP, on a log that loses nothing.
//!
//! A room imports only the rooms below it; `make layers` checks this. From top to bottom:
//!
//! | room | content |
//! |---|---|
//! | [`serve`] | two listeners, background jobs, drain on shutdown |
//! | [`http`] | routes, middleware, request parsing, replies, problems, connections |
//! | [`jobs`] | background jobs: expire overdue exams, rewarm an empty store |
//! | [`app`] | the running service: what is live, what was rejected, draining |
//! | [`live`] | everything that one Settings text builds; replaced as a whole when Settings change |
//! | [`flow`] | start, next, answer, complete: where pure decisions and I/O meet |
//! | [`access`] | who may call, how often, and what they may see |
//! | [`export`], [`verify`], [`exposure`], [`catalogue`] | tables for admins; replay checks; item exposure counts; exam types and banks |
//! | [`store`] | snapshots of open exams: memory or Redis |
//! | [`records`] | the database of record: SQLite or PostgreSQL |
//! | [`telemetry`] | log, metrics, traces |
//! | [`simulate`] | simulated examinees, reports and plots |
//! | [`exam`] | the exam as a value: events, banks, policies, snapshots |
//!
//! One answer, from the socket to the reply: [`http::router`] → [`http::middleware`] authorizes the caller and
//! reads the body → [`http::exams`] parses the request → [`flow`] takes the exam from its cache or from the
//! [`store`], unchecked → [`exam`] decides the next event → [`records`] appends it, batched with other writes:
//! this insert is the commit and the compare-and-set → the reply. [`store::saver`] writes the new snapshot
//! asynchronously. A call that loses a race reloads the exam from the log and answers from that.

pub mod access;
pub mod app;
mod batch_receive;
pub mod catalogue;
pub mod crash;
pub mod exam;
pub mod export;
pub mod exposure;
pub mod flow;
pub mod http;
pub mod jobs;
pub mod live;
pub mod records;
pub mod serve;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod verify;
