//! The exam service: adaptive exams over HTTP, on a log that loses nothing.
//!
//! One answer, from the socket to the reply:
//! [`router`] → [`auth`] → [`exams`] parses the request, every fault at once → [`flow`] loads the
//! exam: its snapshot from the [`store`] and, at the same time, the end of its log from the
//! [`records`]; an equal snapshot is used, else the log is folded → [`exam`] decides the next event
//! with the engine, purely → [`records`] appends it: the commit, and the compare-and-set → the
//! [`store`] gets the new snapshot → the reply. Whoever loses a race reads again and is told the
//! truth; whoever asks twice is told the same.

pub mod app;
pub mod auth;
pub mod bank;
pub mod catalogue;
pub mod crash;
pub mod event;
pub mod exam;
pub mod exams;
pub mod exposure;
pub mod flow;
pub mod live;
pub mod metrics;
pub mod openapi;
pub mod ops;
pub mod page;
pub mod policy;
pub mod problem;
pub mod records;
pub mod rewarm;
pub mod router;
pub mod simulate;
pub mod snapshot;
pub mod store;
pub mod sweep;
pub mod verify;
