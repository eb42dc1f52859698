//! What can be said on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
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
    Demo(Demo),
    Simulate(Simulate),
    Ping(Ping),
    Verify(Verify),
    Export(Export),
    /// Look into an item bank, keep one, list them.
    #[command(subcommand)]
    Bank(Bank),
}

/// What can be done with a bank.
#[derive(Debug, Subcommand)]
pub enum Bank {
    Check(BankCheck),
    Import(BankImport),
    List(BankList),
}

/// Keep a bank in the database of record, under the hash of its content.
///
/// Bad rows are told by their lines and kept out. Exam types use it by its version: a Settings file names it with
/// `[[banks]]`, `name` and `version`. A SQLite file that a running service holds is imported into by its API instead.
#[derive(Debug, Args)]
pub struct BankImport {
    /// The bank (CSV).
    pub file: PathBuf,
    /// D of the calibration: 1, 1.7 or 1.702.
    #[arg(long, value_name = "D")]
    pub scaling: f64,
    #[command(flatten)]
    pub database: Where,
}

/// List the banks that the database of record keeps.
#[derive(Debug, Args)]
pub struct BankList {
    #[command(flatten)]
    pub database: Where,
}

/// Which database.
#[derive(Debug, Args)]
pub struct Where {
    /// The Settings file that names the database.
    #[arg(long, env = contract::SETTINGS_ENV, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// The database, as in sqlite:/var/lib/exams/exams.db, instead of the Settings'.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// Report a bank's information along ability, its gaps, and items that look like junk.
///
/// Bad rows are told by their lines and kept out.
#[derive(Debug, Args)]
pub struct BankCheck {
    /// The bank (CSV).
    pub file: PathBuf,
    /// D of the calibration: 1, 1.7 or 1.702.
    #[arg(long, default_value_t = 1.0, value_name = "D")]
    pub scaling: f64,
}

/// Which items.
#[derive(Debug, Args)]
pub struct Items {
    /// The bank (CSV); absent: the built-in sample.
    #[arg(long, value_name = "FILE")]
    pub bank: Option<PathBuf>,
    /// D of the bank's calibration: 1, 1.7 or 1.702.
    #[arg(long, default_value_t = 1.0, value_name = "D")]
    pub scaling: f64,
}

/// Simulate exams: what a bank and a policy do to examinees whose ability is known.
///
/// Examinees are drawn from a normal distribution or read from a file, their answers drawn from their
/// ability or read from a file. Every policy meets the same answers, so two can be compared.
#[derive(Debug, Args)]
#[command(after_long_help = SIMULATIONS)]
pub struct Simulate {
    #[command(flatten)]
    pub bank: Items,
    /// The policy (TOML); absent: the profile.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// A named policy.
    #[arg(long, value_enum, default_value_t = Profile::Default)]
    pub profile: Profile,
    /// A second policy (TOML), reported beside the first.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Length of an exam, instead of the policy's.
    #[arg(long, value_name = "N")]
    pub items: Option<u32>,
    /// Number of examinees, if they are drawn.
    #[arg(long, short = 'n', default_value_t = 1000, value_name = "N")]
    pub simulees: usize,
    /// Mean of their abilities.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub mean: f64,
    /// Standard deviation of their abilities.
    #[arg(long, default_value_t = 1.0)]
    pub sd: f64,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where exams share exposure counts: so many run at the same time and do not see each other's.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub together: usize,
    /// Abilities of the examinees: a CSV with a column theta.
    #[arg(long, value_name = "FILE")]
    pub thetas: Option<PathBuf>,
    /// Their answers: a row of digits for each, one for each item of the bank.
    #[arg(long, value_name = "FILE")]
    pub responses: Option<PathBuf>,
    /// Write estimate, standard error and items of each exam (CSV; items counted from 0).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Draw bias and RMSE by ability, exposure, and standard error by length (SVG).
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// Sit an exam in this terminal and watch the estimate of your ability move.
///
/// Each answer moves the estimate, theta, and narrows its 95 % interval; the next item is the one that tells most
/// about an examinee of that ability. The exam ends when the standard error is small enough, or after so many items.
/// It is the service's own exam, in this process; nothing is stored, and nothing listens.
#[derive(Debug, Args)]
#[command(after_long_help = SITTING)]
pub struct Demo {
    #[command(flatten)]
    pub bank: Items,
    /// The policy (TOML); absent: EAP, 5 to 20 items, standard error 0.30.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Length of the exam, instead of the policy's.
    #[arg(long, value_name = "N")]
    pub items: Option<u32>,
    /// Answer by itself.
    #[arg(long)]
    pub auto: bool,
    /// Ability of the examinee who answers then.
    #[arg(long, default_value_t = 0.0, requires = "auto", allow_negative_numbers = true)]
    pub theta: f64,
    /// Seed of all that is drawn: the same seed, the same exam.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds from one answer to the next on a terminal.
    #[arg(long, default_value_t = 700, requires = "auto", value_name = "MS")]
    pub pace: u64,
}

const SITTING: &str = "\
On a terminal:
  1 to 9       answers at once
  up, down     mark an answer, Enter gives it
  q            leaves; so do Esc and Ctrl-C

A row for each answer:
    n item         answer    theta    SE  -4        -2         0         2         4
    3 ALG17        right      0.79  0.55                       ├────●─────┤
  theta is 0 for the average examinee of the calibration, 1 a standard deviation above. The true ability lies
  within ├──┤ in 95 of 100 exams. With --auto it is known, and marked.

In a pipe the same is told in plain lines; answers are read from standard input, the number of one on each line.

Examples:
  exam-service demo
  exam-service demo --auto --theta 1.5
  exam-service demo --auto --theta=-1 --seed 7 | cat
  exam-service demo --bank items.csv --scaling 1.7 --policy mine.toml
";

/// Ask every dependency once: the database, the store and the bank files, with the time each took.
///
/// Ends with 1 if one of them does not answer. The database's tables are brought to this version, as a start
/// would. A SQLite file that a running service holds cannot be asked.
#[derive(Debug, Args)]
pub struct Ping {
    #[command(flatten)]
    pub source: Source,
}

/// Where Settings come from.
#[derive(Debug, Args)]
pub struct Source {
    /// The Settings file (TOML); all its faults are told at once.
    #[arg(long, env = contract::SETTINGS_ENV, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Snapshots go to this Redis, as in redis://127.0.0.1:6379/0. Only without --settings.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Answers go to this database, as in sqlite:/var/lib/exams/exams.db or
    /// postgres://exam@db:5432/exams. Only without --settings.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// Verify stored exams: every ability, item and hash is computed anew and compared to the bit.
///
/// A SQLite file is opened for this process alone, so the service that writes it has to be stopped; a
/// copy of the file will do. The database's tables are brought to this version, as a start would.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub database: Where,
}

/// Write exams or answers as a table, CSV or JSON Lines.
///
/// Who sat an exam is in none of it. With --out the file is whole or not there. A SQLite file is opened for this process
/// alone; where a service runs on it, its API exports: GET /api/adaptive/export.
#[derive(Debug, Args)]
pub struct Export {
    /// One row for each answer, or for each exam.
    #[arg(long, value_enum, default_value_t = What::Answers)]
    pub what: What,
    /// The form.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// Only exams of this type.
    #[arg(long, value_name = "NAME")]
    pub exam_type: Option<String>,
    /// Only exams that started then or later, as in 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub from: Option<jiff::Timestamp>,
    /// Only exams that started before then.
    #[arg(long, value_name = "TIME")]
    pub to: Option<jiff::Timestamp>,
    /// The file; absent: the standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub database: Where,
}

/// What to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Answers,
    Exams,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    Jsonl,
}

/// A named policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// EAP on 121 nodes of [-6, 6], 5 to 20 items, standard error 0.30.
    Default,
    /// catR's: EAP on 33 nodes of [-4, 4], a fixed length.
    #[value(name = "catR")]
    CatR,
}

const SIMULATIONS: &str = "\
Examples:
  exam-service simulate
  exam-service simulate --bank items.csv --scaling 1.7 -n 5000 --plot items.svg
  exam-service simulate --bank items.csv --profile catR --items 20 --against mine.toml

A policy file:
  [selection]
  criterion = \"posterior_weighted\"
  [stop]
  max_items = 30
  min_items = 8
  rules = [{ rule = \"standard_error\", at_most = 0.35 }]
";

/// Serve the exam API, and probes, metrics and state on a port of their own.
///
/// Without a Settings file everything is embedded: loopback, answers in ./exams.db (SQLite),
/// snapshots in memory, a built-in sample bank, no authentication. Then REDIS_URL and DATABASE_URL
/// are honoured; beside a Settings file they are not, so that what the file says is what runs.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Serve {
    #[command(flatten)]
    pub source: Source,
    /// Address and port of the exam API, instead of the Settings'. Port 0: any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub api: Option<std::net::SocketAddr>,
    /// Address and port of probes, metrics and state, instead of the Settings'.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub ops: Option<std::net::SocketAddr>,
    /// Traces go to this collector, by OTLP over HTTP, as in http://collector:4318, unless the Settings name one.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub traces: Option<String>,
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
