//! The scale benchmark: one operator and a rising number of resources on a real API server whose pods are faked by kwok.
//!
//! `make bench-operator`. Stops by itself and takes its cluster down. At each size it prints, with targets: the time from a
//! change of a resource to a status that says Ready of just that change, the operator's memory, and what it writes at rest.
//! Pods are faked: they start at once, and a stand-in answers for them at `/state` and adopts Settings as soon as a pod is
//! told. So the times are those of the operator and the API server, without the up to two seconds that a service takes.

mod audit;
mod bed;
mod fleet;
mod stand_in;

use anyhow::{Context, Result};
use audit::Requests;
use bed::Bed;
use clap::Parser;
use fleet::Fleet;
use harness::process::resident;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The longest that the 99th of a hundred changes may take.
const CHANGE: Duration = Duration::from_secs(2);
/// The most memory that the operator may hold: the limit of its container.
const MEMORY: u64 = 256 << 20;

/// Measures the operator at rising numbers of resources.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of resources.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    sizes: Vec<usize>,
    /// Changes at each size, one after the other.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
    /// Seconds at rest.
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u64).range(1..))]
    rest: u64,
    /// Name of the cluster, which is taken down at the end.
    #[arg(long, env = "EXAM_BENCH_CLUSTER", default_value = "bench")]
    cluster: String,
    /// The program kwok; `make kwok` builds it.
    #[arg(long, value_name = "PATH")]
    kwok: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { sizes, changes, rest, cluster, kwok } = Arguments::parse();
    anyhow::ensure!(kwok.is_file(), "{} is not there; `make kwok` builds it", kwok.display());
    let Some(bed) = Bed::start(&cluster, &kwok).await? else { return Ok(()) };
    let measured = measure(&bed, &sizes, changes, Duration::from_secs(rest)).await;
    bed.end().await?;
    let is_met = measured?;
    anyhow::ensure!(is_met, "a target was missed");
    Ok(())
}

async fn measure(bed: &Bed, sizes: &[usize], changes: u32, rest: Duration) -> Result<bool> {
    let mut fleet = Fleet::new(bed.resources()).await?;
    say(
        "change: a patch of spec.limits of one resource, to Ready of that generation; all at once: the same of all of them",
    )?;
    say(&format!(
        "{:>9} {:>10} {:>10} {:>10} {:>12} {:>10} {:>9} {:>12} {:>11}  targets",
        "resources",
        "made in",
        "change p50",
        "p99",
        "all at once",
        "memory",
        "at most",
        "writes/min",
        "reads/min"
    ))?;
    let mut is_met = true;
    for size in sizes {
        let made = fleet.grow(*size).await?;
        let (p50, p99) = fleet.change_one_by_one(changes).await?;
        let together = fleet.change_all().await?;
        let pid = bed.operator().context("the operator ended")?;
        let requests = Requests::at_rest(bed.audit_log(), rest).await?;
        let (memory, most) = (resident(pid)?, bed::peak(pid)?);
        let writes = requests.writes as f64 * 60.0 / rest.as_secs_f64();
        let reads = requests.reads as f64 * 60.0 / rest.as_secs_f64();
        let met = p99 <= CHANGE && most <= MEMORY && requests.writes == 0;
        is_met &= met;
        let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
        say(&format!(
            "{size:>9} {:>8.1} s {:>7.0} ms {:>7.0} ms {:>10.1} s {:>10} {:>9} {writes:>12.0} {reads:>11.0}  p99 ≤ {} s, {}, 0: {}",
            made.as_secs_f64(),
            p50.as_secs_f64() * 1000.0,
            p99.as_secs_f64() * 1000.0,
            together.as_secs_f64(),
            mib(memory),
            mib(most),
            CHANGE.as_secs(),
            mib(MEMORY),
            if met { "met" } else { "MISSED" },
        ))?;
    }
    Ok(is_met)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
