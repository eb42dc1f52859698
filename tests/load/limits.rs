//! What the database and the store can do alone: the limits that the service is held to.

use crate::processes::{self, Cpu};
use anyhow::{Context, Result, ensure};
use harness::{Postgres, Redis};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
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

/// One-row insert commits of this PostgreSQL by pgbench.
pub async fn of_postgres(postgres: &Postgres, time: Duration) -> Result<Limits> {
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    connection.execute("CREATE TABLE alone (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL)").await?;
    let script = postgres.data().join("alone.sql");
    tokio::fs::write(&script, format!("INSERT INTO alone (body) VALUES ('{}');\n", "x".repeat(300))).await?;
    let mut pgbench = postgres.command("pgbench");
    pgbench.args([
        "-n",
        "-M",
        "prepared",
        "-c",
        "50",
        "-j",
        "2",
        "-T",
        &time.as_secs().max(1).to_string(),
        "-f",
    ]);
    let cpu = Cpu::of(&[("postgres", postgres.pid().context("postgres runs")?)]);
    let (before, ended) = (cpu.read()?, processes::ended()?);
    let said = pgbench.arg(&script).arg(postgres.url()).output().await?;
    ensure!(said.status.success(), "pgbench: {}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
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

/// SET a second of this Redis, at 50 clients, one after the other on each.
pub async fn redis_sets(redis: &Redis) -> Result<f64> {
    let port = redis.url().rsplit(':').next().and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port.context("a port")?,
        "-c",
        "50",
        "-n",
        "200000",
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
