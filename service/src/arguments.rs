//! What can be said on the command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Adaptive exams over HTTP.
#[derive(Debug, Parser)]
#[command(name = "exam-service", version, arg_required_else_help = true, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Serve),
}

/// Serve the exam API, and probes, metrics and state on a port of their own.
///
/// Without a Settings file everything is embedded: loopback, answers in ./exams.db (SQLite),
/// snapshots in memory, a built-in sample bank, no authentication. Then REDIS_URL and DATABASE_URL
/// are honoured; beside a Settings file they are not, so that what the file says is what runs.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Serve {
    /// The Settings file (TOML); all its faults are told at once.
    #[arg(long, env = contract::SETTINGS_ENV, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Snapshots go to this Redis, as in redis://127.0.0.1:6379/0. Only without --settings.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Answers go to this database, as in sqlite:/var/lib/exams/exams.db. Only without --settings.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Address and port of the exam API, instead of the Settings'. Port 0: any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub api: Option<std::net::SocketAddr>,
    /// Address and port of probes, metrics and state, instead of the Settings'.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub ops: Option<std::net::SocketAddr>,
    /// Read everything, say what is wrong, and serve nothing.
    #[arg(long)]
    pub check: bool,
}

const EXAMPLES: &str = "\
Examples:
  exam-service serve
  REDIS_URL=redis://127.0.0.1:6379/0 exam-service serve
  exam-service serve --settings settings.toml --check

Then, with the service running:
  curl -s localhost:8000/api/adaptive/start -H 'content-type: application/json' \\
       -d '{\"exam_type\":\"placement\",\"max_items\":10}'
  curl -s 'localhost:8000/api/adaptive/next?exam_session_id=1'
";
