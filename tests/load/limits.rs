//! The limits that the service is compared with: what the database and the store reach alone.

use crate::processes::{self, Cpu};
use anyhow::{Context, Result, ensure};
use harness::{Postgres, Redis};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// What a database can do alone.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One-row insert commits a second, at 50 clients.
    pub commits: f64,
    /// Seconds of CPU of the database and its clients for each.
    pub cpu: f64,
}

/// What the files are called in which pgbench keeps how long each commit took.
const TIMES: &str = "pgbench_times";

/// Milliseconds of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
}

/// One-row insert commits of this PostgreSQL by pgbench.
pub async fn of_postgres(postgres: &Postgres, time: Duration) -> Result<Limits> {
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    connection.execute("CREATE TABLE alone (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL)").await?;
    let insert = format!("INSERT INTO alone (body) VALUES ('{}');\n", "x".repeat(300));
    tokio::fs::write(script(postgres), insert).await?;
    let cpu = Cpu::of(&[("postgres", postgres.pid().context("postgres runs")?)]);
    let (before, ended) = (cpu.read()?, processes::ended()?);
    let said = pgbench(postgres, 50, time, &["-j", "2"]).await?;
    let used =
        cpu.since(&before)?.iter().map(|(_, seconds)| seconds).sum::<f64>() + processes::ended()? - ended;
    let number = |name: &str| -> Result<f64> {
        let rest = said.lines().find_map(|line| line.strip_prefix(name));
        let first = rest.and_then(|rest| rest.split([' ', '/']).find(|word| !word.is_empty()));
        Ok(first.with_context(|| format!("pgbench gives its {name}"))?.parse()?)
    };
    let done = number("number of transactions actually processed: ")?;
    Ok(Limits { commits: number("tps = ")?, cpu: used / done })
}

/// How long one-row commits take at so many clients, after [`of_postgres`]: a second of them.
pub async fn commit_times(postgres: &Postgres, clients: usize) -> Result<Times> {
    let prefix = format!("--log-prefix={}", postgres.data().join(TIMES).display());
    pgbench(postgres, clients, Duration::from_secs(1), &["-l", &prefix]).await?;
    let mut micros: Vec<f64> = Vec::new();
    let mut files = tokio::fs::read_dir(postgres.data()).await?;
    while let Some(file) = files.next_entry().await? {
        if !file.file_name().to_string_lossy().starts_with(TIMES) {
            continue;
        }
        let text = tokio::fs::read_to_string(file.path()).await?;
        // Client, its transaction's number, microseconds, and when.
        micros.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
        tokio::fs::remove_file(file.path()).await?;
    }
    micros.sort_by(f64::total_cmp);
    let at =
        |hundredths: usize| micros.get(micros.len() * hundredths / 100).map_or(f64::NAN, |us| us / 1000.0);
    Ok(Times { p50: at(50), p99: at(99) })
}

fn script(postgres: &Postgres) -> PathBuf {
    postgres.data().join("alone.sql")
}

/// What pgbench says of so many clients that insert rows for so long.
async fn pgbench(postgres: &Postgres, clients: usize, time: Duration, more: &[&str]) -> Result<String> {
    let (clients, seconds) = (clients.to_string(), time.as_secs().max(1).to_string());
    let mut pgbench = postgres.command("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-c", &clients, "-T", &seconds]).args(more);
    let said = pgbench.arg("-f").arg(script(postgres)).arg(postgres.url()).output().await?;
    ensure!(said.status.success(), "pgbench: {}", String::from_utf8_lossy(&said.stderr));
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// SET a second of this Redis, at 50 clients, one after the other on each; so many of them.
pub async fn redis_sets(redis: &Redis, count: u32) -> Result<f64> {
    let port = redis.url().rsplit(':').next().and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port.context("a port")?,
        "-c",
        "50",
        "-n",
        &count.to_string(),
        "-t",
        "set",
        "-d",
        "700",
        "--csv",
    ]);
    let said = benchmark.output().await.context("redis-benchmark is Debian's redis-tools")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("\"SET\"")).context("redis-benchmark gives SET")?;
    Ok(line.split(',').nth(1).unwrap_or_default().trim_matches('"').parse()?)
}

/// One-row commits a second of SQLite as the service opens it.
pub async fn sqlite_commits(time: Duration) -> Result<f64> {
    let folder = tempfile::TempDir::new()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("alone.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    connection.execute("CREATE TABLE alone (id INTEGER PRIMARY KEY, body TEXT NOT NULL)").await?;
    let (began, mut commits) = (Instant::now(), 0_u32);
    while began.elapsed() < time {
        sqlx::query("INSERT INTO alone (body) VALUES ($1)")
            .bind("x".repeat(300))
            .execute(&mut connection)
            .await?;
        commits += 1;
    }
    Ok(f64::from(commits) / began.elapsed().as_secs_f64())
}
