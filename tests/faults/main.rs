//! The fault bench: a service under load on real Redis servers, and one fault after the other.
//!
//! `make faults`. Loopback only, bounded in count and time; stops by itself. For each fault it prints what examinees see: the
//! longest time between two acknowledged answers, requests that failed, answers lost or doubled, exams with another result
//! than without the fault, and how long the store was away; beside each figure its target.

mod examinees;
mod faults;

use anyhow::Result;
use clap::Parser;
use examinees::Seen;
use faults::Fault;
use std::io::Write;
use std::time::Duration;

/// Breaks Redis in many ways under a service that is used, and prints what examinees see of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runs of each fault.
    #[arg(default_value = "5", value_parser = clap::value_parser!(u32).range(1..=50))]
    runs: u32,
    /// Examinees at once.
    #[arg(long, default_value = "32", value_parser = clap::value_parser!(u32).range(1..=512))]
    clients: u32,
    /// Seconds for which Redis is gone, in the fault that takes it away whole.
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u64).range(1..=600))]
    gone: u64,
    /// Only the faults whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
}

/// The longest gap that an examinee may see.
const GAP: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { runs, clients, gone, only } = Arguments::parse();
    let gone = Duration::from_secs(gone);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<34} {:>4} {:>9} {:>9} {:>7} {:>6} {:>8} {:>6} {:>10} {:>10}  targets",
        "fault", "runs", "gap p50", "gap max", "failed", "lost", "doubled", "wrong", "p99 before", "p99 then"
    )?;
    let mut is_met = true;
    for fault in Fault::ALL.into_iter().filter(|fault| fault.name().contains(&only)) {
        let mut seen: Vec<Seen> = Vec::new();
        for run in 1..=runs {
            write!(std::io::stderr(), "\r{}: run {run} of {runs} …\x1b[K", fault.name())?;
            seen.push(faults::run(fault, clients, gone).await?);
        }
        write!(std::io::stderr(), "\r\x1b[K")?;
        let mut gaps: Vec<Duration> = seen.iter().map(|seen| seen.gap).collect();
        gaps.sort_unstable();
        let longest = gaps.last().copied().unwrap_or_default();
        let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
        let most = |of: fn(&Seen) -> Duration| seen.iter().map(of).max().unwrap_or_default();
        let back = most(|seen| seen.back);
        let (before, then) = (most(|seen| seen.p99_before), most(|seen| seen.p99_then));
        let good = longest <= GAP
            && back <= fault.back_limit(gone)
            && sum(|seen| seen.failed + seen.lost + seen.doubled + seen.wrong) == 0;
        is_met &= good;
        writeln!(
            out,
            "{:<34} {runs:>4} {:>6} ms {:>6} ms {:>7} {:>6} {:>8} {:>6} {:>7.1} ms {:>7.1} ms  gap ≤ {} ms, all 0, store back in {:.1} s (≤ {} s): {}",
            fault.name(),
            gaps.get(gaps.len() / 2).copied().unwrap_or_default().as_millis(),
            longest.as_millis(),
            sum(|seen| seen.failed),
            sum(|seen| seen.lost),
            sum(|seen| seen.doubled),
            sum(|seen| seen.wrong),
            before.as_secs_f64() * 1000.0,
            then.as_secs_f64() * 1000.0,
            GAP.as_millis(),
            back.as_secs_f64(),
            fault.back_limit(gone).as_secs(),
            if good { "met" } else { "MISSED" },
        )?;
    }
    anyhow::ensure!(is_met, "a target was missed");
    Ok(())
}
