//! The command line: one file per subcommand, named after it.
//!
//! Input: arguments, files, secrets and the environment; they are read here and nowhere else. Output: a running
//! service, or a report on the terminal.

pub mod arguments;
pub mod bank;
pub mod demo;
pub mod export;
pub mod ping;
pub mod serve;
pub mod simulate;
pub mod verify;
pub mod watch;

mod policies;
mod report;
mod sources;
