//! The exam service: adaptive exams over HTTP, on a log that loses nothing.
//!
//! One answer, from the socket to the reply:
//! [`router`] → [`auth`] → [`exams`] parses the request, every fault at once → [`flow`] takes the
//! exam's snapshot from the [`store`], unchecked → [`exam`] decides the next event with the engine, purely
//! → [`records`] appends it, together with others that wait, after the very event it was decided on: the
//! commit, and the compare-and-set → the reply; beside it the [`saver`] gives the [`store`] the new snapshot.
//! Whatever is not a new answer is decided on a checked exam: a snapshot as new as the end of the log, else the
//! log folded.
//! Whoever loses a race reads again and is told the truth; whoever asks twice is told the same.
//!
//! [`observe`] sees every request for [`metrics`], the [`log`] and, where there is a collector, its [`trace`].
//! What runs beside requests: [`sweep`] ends exams whose time is over, [`rewarm`] fills a store that was
//! lost, and [`live`] is what a change of Settings replaces.

pub mod app;
pub mod auth;
pub mod bank;
pub mod banks;
pub mod body;
pub mod caller;
pub mod catalogue;
pub mod crash;
pub mod event;
pub mod exam;
pub mod exams;
pub mod export;
pub mod exposure;
pub mod flow;
pub mod gate;
mod gather;
pub mod limits;
pub mod listen;
pub mod live;
pub mod log;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod ops;
pub mod page;
pub mod policy;
pub mod problem;
pub mod recent;
pub mod records;
pub mod rewarm;
pub mod router;
pub mod saver;
pub mod simulate;
pub mod snapshot;
pub mod store;
pub mod sweep;
pub mod terms;
pub mod trace;
pub mod verify;
