//! Command-line arguments and their help texts.
//!
//! Input: the command line. Output: typed arguments. Must not know: what the subcommands do.

use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::settings::{BankForm, BankFormat};
use service::records::period;
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
    /// Check, import and list item banks.
    #[command(subcommand)]
    Bank(Bank),
}

/// Subcommands of `bank`.
#[derive(Debug, Subcommand)]
pub enum Bank {
    Check(BankCheck),
    Import(BankImport),
    List(BankList),
}

/// Import a bank into the database of record, under the hash of its content.
///
/// Invalid rows are reported by line and left out. Exam types use the bank by its version: a Settings file names it
/// with `[[banks]]`, `name` and `version`. While a service runs on a SQLite file, import through its API instead.
#[derive(Debug, Args)]
pub struct BankImport {
    /// The bank (CSV).
    pub file: PathBuf,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub database: Where,
}

/// List the banks in the database of record.
#[derive(Debug, Args)]
pub struct BankList {
    #[command(flatten)]
    pub database: Where,
}

/// The database.
#[derive(Debug, Args)]
pub struct Where {
    /// The Settings file that names the database.
    #[arg(long, env = contract::SETTINGS_ENV, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// The database, such as sqlite:/var/lib/exams/exams.db; overrides the Settings file.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// Report a bank's information by ability, its gaps, and items to look at.
///
/// Invalid rows are reported by line and left out; the exit code is 1 then, unless told --quarantine.
#[derive(Debug, Args)]
pub struct BankCheck {
    /// The bank (CSV).
    pub file: PathBuf,
    #[command(flatten)]
    pub reading: Reading,
    /// Rows that are kept out do not fail the check.
    #[arg(long)]
    pub quarantine: bool,
}

/// How a bank file is read.
#[derive(Clone, Debug, Args)]
pub struct Reading {
    /// D of the bank's calibration: 1, 1.7 or 1.702; `bank import` asks for it, the others take 1 if it is absent.
    #[arg(long, value_name = "D")]
    pub scaling: Option<f64>,
    /// Columns of the parameters: standard (a, b, c, d and so on), or mirt (slopes and intercepts a1, d, g, u).
    #[arg(long, default_value = "standard", value_name = "FORMAT", value_parser = bank_format)]
    pub format: BankFormat,
    /// A column that the file may carry and that is not read; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    pub carry: Vec<String>,
    /// Encoding of the file, such as windows-1252; absent: UTF-8, or UTF-16 with a byte order mark.
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
}

impl Reading {
    /// As Settings say it.
    pub fn form(&self) -> BankForm {
        let Self { scaling, format, carry, encoding } = self.clone();
        BankForm { scaling: scaling.unwrap_or(1.0), format, columns: carry, encoding }
    }
}

fn bank_format(text: &str) -> Result<BankFormat, String> {
    match text {
        "standard" => Ok(BankFormat::Standard),
        "mirt" => Ok(BankFormat::Mirt),
        _ => Err("known formats: standard, mirt".to_owned()),
    }
}

/// The item bank.
#[derive(Debug, Args)]
pub struct Items {
    /// The bank (CSV); absent: the built-in sample.
    #[arg(long, value_name = "FILE")]
    pub bank: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
}

/// Simulate exams of examinees with known ability, for a bank and a policy.
///
/// Abilities are drawn from a normal distribution or read from a file; answers are drawn from the abilities or read
/// from a file. Every policy meets the same answers, so two policies can be compared.
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
    /// A second policy (TOML), reported side by side with the first.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Number of items; overrides the policy.
    #[arg(long, value_name = "N")]
    pub items: Option<u32>,
    /// Number of examinees to draw.
    #[arg(long, short = 'n', default_value_t = 1000, value_name = "N")]
    pub simulees: usize,
    /// Mean of drawn abilities.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub mean: f64,
    /// Standard deviation of drawn abilities.
    #[arg(long, default_value_t = 1.0)]
    pub sd: f64,
    /// Seed of all random draws.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// With shared exposure counts: exams that run at the same time and do not see each other's counts.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub together: usize,
    /// True abilities: a CSV with a column theta.
    #[arg(long, value_name = "FILE")]
    pub thetas: Option<PathBuf>,
    /// Answers: a row of digits for each examinee, one digit for each item of the bank.
    #[arg(long, value_name = "FILE")]
    pub responses: Option<PathBuf>,
    /// Write estimate, standard error and items of each exam (CSV; items counted from 0).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Draw bias and RMSE by ability, exposure, and standard error by length (SVG).
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// Take an exam in this terminal and watch the ability estimate.
///
/// Each answer moves the estimate, theta, and narrows its 95 % interval; the next item is the most informative one
/// at that ability. The exam ends when the standard error is small enough, or after a number of items. It runs the
/// service's own code in this process; nothing is stored, and no port is opened.
#[derive(Debug, Args)]
#[command(after_long_help = SITTING)]
pub struct Demo {
    #[command(flatten)]
    pub bank: Items,
    /// The policy (TOML); absent: EAP, 5 to 20 items, standard error 0.30.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Number of items; overrides the policy.
    #[arg(long, value_name = "N")]
    pub items: Option<u32>,
    /// Answer automatically.
    #[arg(long)]
    pub auto: bool,
    /// Ability of the simulated examinee who answers then.
    #[arg(long, default_value_t = 0.0, requires = "auto", allow_negative_numbers = true)]
    pub theta: f64,
    /// Seed of all random draws: the same seed gives the same exam.
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

/// Check every dependency once: database, store and bank files, with the time each took.
///
/// Exits with 1 if a check fails. The tables of the database are migrated to this version, as a start does. A
/// SQLite file that a running service has locked cannot be checked.
#[derive(Debug, Args)]
pub struct Ping {
    #[command(flatten)]
    pub source: Source,
}

/// The source of Settings.
#[derive(Debug, Args)]
pub struct Source {
    /// The Settings file (TOML); all its faults are reported at once.
    #[arg(long, env = contract::SETTINGS_ENV, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Store snapshots in this Redis, such as redis://127.0.0.1:6379/0. Only without --settings.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Store answers in this database, such as sqlite:/var/lib/exams/exams.db or postgres://exam@db:5432/exams.
    /// Only without --settings.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// Verify stored exams: every ability, item and hash is recomputed and compared bit by bit.
///
/// A SQLite file is locked exclusively: stop the service that uses it, or verify a copy. The tables of the database
/// are migrated to this version, as a start does.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub database: Where,
}

/// Export exams or answers as a table, CSV or JSON Lines.
///
/// The table does not identify examinees. With --out the file is complete or absent. A SQLite file is locked
/// exclusively; while a service runs on it, export through its API: GET /api/adaptive/export.
#[derive(Debug, Args)]
pub struct Export {
    /// One row for each answer, or for each exam.
    #[arg(long, value_enum, default_value_t = What::Answers)]
    pub what: What,
    /// The format.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// Only exams of this type.
    #[arg(long, value_name = "NAME")]
    pub exam_type: Option<String>,
    /// Only exams of this student: their id, or the subject of their token.
    #[arg(long, value_name = "ID")]
    pub student_id: Option<String>,
    /// Only exams of this class.
    #[arg(long, value_name = "ID")]
    pub class_id: Option<String>,
    /// Only exams that started on this day (UTC) or at this time, or later: 2026-11-23, or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = period::read)]
    pub from: Option<(i64, i64)>,
    /// Only exams that started before the end of this day (UTC), or before this time.
    #[arg(long, value_name = "TIME", value_parser = period::read)]
    pub to: Option<(i64, i64)>,
    /// CSV for Excel: a byte order mark, and the separators of the language of --locale.
    #[arg(long = "for", value_enum, value_name = "PROGRAM")]
    pub reader: Option<Program>,
    /// The language of that program, such as de: with semicolons and decimal commas where it writes them.
    #[arg(long, value_name = "LANGUAGE", requires = "reader")]
    pub locale: Option<String>,
    /// The file; absent: standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub database: Where,
}

/// Who reads an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// Microsoft Excel.
    Excel,
}

/// What to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Answers,
    Exams,
}

/// The format of an export.
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
    /// As catR: EAP on 33 nodes of [-4, 4], fixed length.
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

/// Serve the exam API, and probes, metrics and state on a separate port.
///
/// Without a Settings file everything is embedded: loopback, answers in ./exams.db (SQLite), snapshots in memory, a
/// built-in sample bank, no authentication. REDIS_URL and DATABASE_URL are used only without a Settings file, so
/// that the file always wins.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Serve {
    #[command(flatten)]
    pub source: Source,
    /// Address and port of the exam API; overrides the Settings file. Port 0: any free port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub api: Option<std::net::SocketAddr>,
    /// Address and port of probes, metrics and state; overrides the Settings file.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub ops: Option<std::net::SocketAddr>,
    /// Export traces to this collector by OTLP over HTTP, such as http://collector:4318. A collector in the
    /// Settings file wins.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub traces: Option<String>,
    /// Check the configuration, report every fault, and exit.
    #[arg(long)]
    pub check: bool,
    /// Rows of a bank that are kept out do not fail --check.
    #[arg(long, requires = "check")]
    pub quarantine: bool,
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
