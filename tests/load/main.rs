//! What the service bears: the exam's flow at rising numbers of clients, beside what its database and its
//! store can do alone on the same machine in the same run.
//!
//! `make bench`. Everything is on loopback, bounded in count and time, and stops by itself. Ratios are what
//! to read: absolute figures are those of the machine.

mod client;
mod limits;
mod memory;
mod processes;

use anyhow::{Context, Result};
use client::{Flow, Measured};
use harness::process::program;
use harness::service::Setup;
use harness::{Postgres, Redis, Service};
use processes::Cpu;
use std::io::Write;
use std::time::Duration;

/// Clients at once.
const LEVELS: [usize; 8] = [1, 8, 32, 64, 128, 256, 512, 1024];
/// Time at each level, after a warm-up of a quarter of it.
const TIME: Duration = Duration::from_secs(5);
/// Exams that are open at once, to see what each takes of memory.
const EXAMS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map(|text| text.parse()).transpose().context("seconds")?;
    let time = seconds.map_or(TIME, Duration::from_secs);
    say(&format!("machine: {}", processes::machine()))?;
    say(&format!("service: {}\n", program("exam-service")?.display()))?;

    let postgres = Postgres::start().await?;
    let redis = Redis::start().await?;
    let commits = limits::postgres_commits(&postgres, time).await?;
    let sets = limits::redis_sets(&redis).await?;
    let sqlite = limits::sqlite_commits(time).await?;
    say(&format!(
        "alone: PostgreSQL {commits:.0} one-row commits/s (50 clients), SQLite {sqlite:.0} commits/s,"
    ))?;
    say(&format!("       Redis {sets:.0} SET/s (50 clients)\n"))?;

    let setup =
        Setup { database_url: Some(postgres.url()), redis_url: Some(redis.url()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let cpu = Cpu::of(&[
        ("service", service.pid().context("the service runs")?),
        ("postgres", postgres.pid().context("postgres runs")?),
        ("redis", redis.pid().context("redis runs")?),
    ]);
    say("PostgreSQL + Redis")?;
    let whole = levels(&service, &cpu, Flow::Whole, time, &LEVELS).await?;
    say("\nPostgreSQL + Redis, answers alone (start, then 10 answers whose replies carry the next item)")?;
    let answers = levels(&service, &cpu, Flow::Answers, time, &[8, 64, 256]).await?;
    let best = answers.iter().map(|at| at.answers).fold(0.0, f64::max);
    let at = |clients: usize| whole.iter().find(|at| at.clients == clients);
    say("\nratios")?;
    say(&format!(
        "  recorded answers/s : PostgreSQL commits/s     1 : {:.1}   (wanted 1 : 2)",
        commits / best
    ))?;
    if let (Some(one), Some(eight), Some(many)) = (at(1), at(8), at(512)) {
        say(&format!(
            "  requests/s at 8 : Redis SET/s                 1 : {:.1}   (wanted 1 : 9)",
            sets / eight.requests
        ))?;
        say(&format!(
            "  throughput at 512 : at 8                      {:.2}      (wanted 0.9)",
            many.requests / eight.requests
        ))?;
        say(&format!(
            "  answer p99 at 8 : p50 at 1                    {:.1}       (wanted 4)",
            eight.answer_p99 / one.answer_p50
        ))?;
    }
    drop(service);

    let service = Service::start_with(Setup { redis_url: Some(redis.url()), ..Setup::default() }).await?;
    let cpu = Cpu::of(&[("service", service.pid().context("the service runs")?)]);
    say("\nSQLite + Redis")?;
    levels(&service, &cpu, Flow::Whole, time, &[1, 8, 64, 512]).await?;
    say("\nSQLite + Redis, answers alone")?;
    let answers = levels(&service, &cpu, Flow::Answers, time, &[8, 64, 256]).await?;
    let best = answers.iter().map(|at| at.answers).fold(0.0, f64::max);
    say(&format!("  recorded answers/s : SQLite one-row commits/s     1 : {:.1}", sqlite / best))?;
    drop((service, redis));

    // A short run opens fewer.
    let exams = EXAMS.min(usize::try_from(time.as_secs())?.max(1) * 2000);
    let redis = Redis::start().await?;
    let in_redis = memory::of_open_exams(Some(&redis), exams).await?;
    let in_memory = memory::of_open_exams(None, exams).await?;
    say(&format!("\nmemory of each of {exams} open exams, after ten answers"))?;
    say(&format!(
        "  snapshots in Redis: service {} bytes, Redis {} bytes (wanted 2048)",
        in_redis.service,
        in_redis.redis.unwrap_or_default()
    ))?;
    say(&format!("  snapshots in the service: {} bytes", in_memory.service))?;
    Ok(())
}

async fn levels(
    service: &Service,
    cpu: &Cpu,
    flow: Flow,
    time: Duration,
    clients: &[usize],
) -> Result<Vec<Measured>> {
    say("  clients   requests/s  answers/s   answer p50 ms   p99 ms   refused   CPU us a request")?;
    let mut all = Vec::new();
    for count in clients {
        client::load(service.api(), flow, *count, time / 4).await?;
        let before = cpu.read()?;
        let measured = client::load(service.api(), flow, *count, time).await?;
        let used = cpu.since(&before, measured.count)?;
        say(&format!(
            "  {:>7} {:>12.0} {:>10.0} {:>15.2} {:>8.2} {:>9}   {used}",
            measured.clients,
            measured.requests,
            measured.answers,
            measured.answer_p50,
            measured.answer_p99,
            measured.refused
        ))?;
        all.push(measured);
    }
    Ok(all)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
