//! The load benchmark: the exam flow with rising numbers of clients, compared with its database and its store alone
//! on the same machine in the same run.
//!
//! `make bench`. Loopback only, bounded in count and time; stops by itself. Ratios are meaningful; absolute figures
//! are those of the machine. Ratios close to their limit are measured in alternating turns, because the speed of a
//! machine varies; the CPU time stolen by the host is printed beside each level, because it shows up in the p99.

mod client;
mod connection;
mod limits;
mod memory;
mod processes;
mod shapes;
mod turns;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use client::{Flow, Measured};
use harness::process::program;
use harness::service::Setup;
use harness::{Postgres, Redis, Service};
use limits::Limits;
use processes::Cpu;
use std::io::Write;
use std::time::Duration;
use turns::Ratio;

/// Clients at once, where answers alone are measured.
const OF_ANSWERS: [usize; 3] = [8, 64, 256];
/// SETs of which a rate is told.
const SETS: u32 = 200_000;
/// What is compared is measured for this part of a level's time, in each of several turns.
const TURN: u32 = 4;
/// Exams that are open at once, to see what each takes of memory.
const EXAMS: usize = 10_000;
/// Exams that are open while shapes of Redis are compared.
const OPEN: usize = 20_000;

/// Measures what the service bears, on databases and a Redis of its own that end with it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds at each level, after a warm-up of a quarter of it.
    #[arg(default_value = "5", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Numbers of clients, one level each: `--clients 1,8` is a short run.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,64,128,256,512,1024")]
    clients: Vec<usize>,
    /// What to measure.
    #[arg(long, value_enum, default_value = "all")]
    part: Part,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Both databases, then the shapes of Redis, then memory.
    All,
    /// The flow on PostgreSQL and Redis.
    Postgres,
    /// The flow on SQLite and Redis.
    Sqlite,
    /// Memory of open exams.
    Memory,
    /// The flow on one Redis, Sentinel and Cluster, compared.
    Shapes,
}

// One thread for all examinees: what they take of the machine is missing to the service.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { seconds, clients, part } = Arguments::parse();
    let time = Duration::from_secs(seconds);
    say(&format!("machine: {}", processes::machine()))?;
    say(&format!("service: {}", program("exam-service")?.display()))?;
    let is = |one: Part| part == Part::All || part == one;
    if is(Part::Postgres) {
        on_postgres(time, &clients).await?;
    }
    if is(Part::Sqlite) {
        on_sqlite(time, &clients).await?;
    }
    if is(Part::Shapes) {
        // A short run opens fewer.
        of_shapes(time / TURN, OPEN.min(usize::try_from(seconds)? * 4000)).await?;
    }
    if is(Part::Memory) {
        // A short run opens fewer.
        of_memory(EXAMS.min(usize::try_from(seconds)? * 2000)).await?;
    }
    Ok(())
}

async fn on_postgres(time: Duration, clients: &[usize]) -> Result<()> {
    let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
    let alone: Limits = limits::of_postgres(&postgres, time).await?;
    let sets = limits::redis_sets(&redis, SETS).await?;
    say(&format!(
        "\nalone: PostgreSQL {:.0} one-row commits/s (50 clients, CPU {:.0} us a commit with its clients),\n\
         \x20      Redis {sets:.0} SET/s (50 clients)",
        alone.commits,
        alone.cpu * 1e6
    ))?;
    let setup =
        Setup { database_url: Some(postgres.url()), redis_url: Some(redis.url()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let cpu = Cpu::of(&[
        ("service", service.pid().context("the service runs")?),
        ("postgres", postgres.pid().context("postgres runs")?),
        ("redis", redis.pid().context("redis runs")?),
    ]);
    let turns = turns::take(&service, &postgres, &redis, time / TURN).await?;
    say("\nPostgreSQL + Redis")?;
    let whole = levels(&service, &cpu, Flow::Whole, time, clients).await?;
    say("\nPostgreSQL + Redis, answers alone (start, then 10 answers whose replies carry the next item)")?;
    let answers = levels(&service, &cpu, Flow::Answers, time, &OF_ANSWERS).await?;
    say("\nratios")?;
    if let Some(best) = answers.iter().max_by(|one, other| one.answers.total_cmp(&other.answers)) {
        ratio("PostgreSQL commits/s : recorded answers/s", alone.commits / best.answers, "at most 2")?;
        ratio("CPU of an answer : CPU of a commit", best.cpu_of_answer() / alone.cpu, "at most 2")?;
    }
    in_turns("Redis SET/s : requests/s at 8 clients", &turns.sets, "wanted: at most 9")?;
    in_turns("answer p99 at 8 clients : p50 at 1", &turns.answers, "wanted: at most 4")?;
    in_turns("PostgreSQL's own commit p99 at 8 : p50 at 1", &turns.commits, "what the machine gives")?;
    in_turns("requests/s at 1,024 clients : at the peak", &turns.saturated, "wanted: at least 0.9")?;
    let at = |clients: usize| whole.iter().find(|at| at.clients == clients);
    if let Some((eight, many)) = at(8).zip(at(512)) {
        ratio("requests/s at 512 clients : at 8", many.requests / eight.requests, "at least 0.9")?;
    }
    Ok(())
}

async fn on_sqlite(time: Duration, clients: &[usize]) -> Result<()> {
    let redis = Redis::start().await?;
    let alone = limits::sqlite_commits(time).await?;
    say(&format!("\nalone: SQLite {alone:.0} one-row commits/s"))?;
    let service = Service::start_with(Setup { redis_url: Some(redis.url()), ..Setup::default() }).await?;
    let cpu = Cpu::of(&[("service", service.pid().context("the service runs")?)]);
    say("\nSQLite + Redis")?;
    levels(&service, &cpu, Flow::Whole, time, clients).await?;
    say("\nSQLite + Redis, answers alone")?;
    let answers = levels(&service, &cpu, Flow::Answers, time, &OF_ANSWERS).await?;
    let best = answers.iter().map(|at| at.answers).fold(0.0, f64::max);
    say("\nratios")?;
    ratio("SQLite commits/s : recorded answers/s", alone / best, "at most 2")
}

async fn of_shapes(time: Duration, exams: usize) -> Result<()> {
    let shapes::Seen { sentinel, cluster, bytes: [one, named, sharded] } =
        shapes::compare(time, exams).await?;
    say(&format!("\nshapes of Redis, {exams} open exams in each, 64 clients, PostgreSQL"))?;
    in_turns("requests/s: Sentinel (1 + 2) : one Redis", &sentinel, "wanted: at least 0.95")?;
    in_turns("requests/s: Cluster (3 + 3) : one Redis", &cluster, "wanted: at least 0.8")?;
    say(&format!("  bytes of an open exam after ten answers: one {one}, Sentinel {named}, Cluster {sharded}"))
}

async fn of_memory(exams: usize) -> Result<()> {
    let redis = Redis::start().await?;
    let in_redis = memory::of_open_exams(Some(&redis), exams).await?;
    let in_memory = memory::of_open_exams(None, exams).await?;
    say(&format!("\nmemory of each of {exams} open exams, after ten answers"))?;
    say(&format!(
        "  snapshots in Redis: service {} bytes, Redis {} bytes (wanted: at most 2048)",
        in_redis.service,
        in_redis.redis.unwrap_or_default()
    ))?;
    say(&format!("  snapshots in the service: {} bytes", in_memory.service))
}

async fn levels(
    service: &Service,
    cpu: &Cpu,
    flow: Flow,
    time: Duration,
    clients: &[usize],
) -> Result<Vec<Measured>> {
    say(
        "  clients   requests/s  answers/s   answer p50 ms   p99 ms   refused   stolen %   CPU us a request",
    )?;
    let cores = std::thread::available_parallelism()?.get() as f64;
    let mut all = Vec::new();
    for count in clients {
        client::load(service.api(), flow, *count, time / 4).await?;
        let (before, own, stolen) = (cpu.read()?, processes::own()?, processes::stolen()?);
        let mut measured = client::load(service.api(), flow, *count, time).await?;
        let used = cpu.since(&before)?;
        let (own, stolen) = (processes::own()? - own, processes::stolen()? - stolen);
        measured.cpu = used.iter().map(|(_, seconds)| seconds).sum();
        say(&format!(
            "  {:>7} {:>12.0} {:>10.0} {:>15.2} {:>8.2} {:>9} {:>10.1}   {}  examinees {:.0}",
            measured.clients,
            measured.requests,
            measured.answers,
            measured.answer_p50,
            measured.answer_p99,
            measured.refused,
            stolen * 100.0 / (cores * time.as_secs_f64()),
            processes::each(&used, measured.count),
            own * 1e6 / measured.count.max(1) as f64
        ))?;
        all.push(measured);
    }
    Ok(all)
}

fn ratio(what: &str, is: f64, wanted: &str) -> Result<()> {
    say(&format!("  {what:<44} {is:>6.2}   (wanted: {wanted})"))
}

/// What was measured in turns: the middle one, and how far they lie apart.
fn in_turns(what: &str, ratio: &Ratio, beside: &str) -> Result<()> {
    let (least, most) = ratio.range();
    say(&format!("  {what:<44} {:>6.2}   ({beside}; turns from {least:.2} to {most:.2})", ratio.middle()))
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
