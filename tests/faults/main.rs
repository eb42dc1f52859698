//! The fault bench: two services under load on real Redis servers, and one fault after the other.
//!
//! `make faults`. Loopback only, bounded in count and time; stops by itself. For each fault it prints what examinees see: the
//! longest time between two acknowledged answers, requests that failed, answers lost or doubled, exams with another result
//! than without the fault, the p99 of an answer, and how long the store was away; beside the figures their targets.

mod bed;
mod breaks;
mod examinees;
mod faults;
mod run;
mod snapshots;

use anyhow::Result;
use clap::Parser;
use examinees::{p99, undisturbed};
use faults::{Fault, Limit};
use harness::Postgres;
use run::{Pace, Run};
use std::io::Write;
use std::time::Duration;

/// Breaks Redis in many ways under services that are used, and prints what examinees see of it.
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
    /// Shorter phases, for a test: times are printed, but only requests and answers can fail it.
    #[arg(long)]
    brief: bool,
}

/// The longest gap that an examinee may see.
const GAP: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { runs, clients, gone, only, brief } = Arguments::parse();
    let pace = if brief { Pace::brief(gone) } else { Pace::full(gone) };
    let postgres = Postgres::start().await?;
    let expected = undisturbed().await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<29} {:>4} {:>8} {:>8} {:>6} {:>4} {:>7} {:>5} {:>19} {:>7}  targets",
        "fault",
        "runs",
        "gap p50",
        "gap max",
        "failed",
        "lost",
        "doubled",
        "wrong",
        "p99 before → then",
        "back"
    )?;
    let mut is_met = true;
    for fault in Fault::ALL.into_iter().filter(|fault| fault.name().contains(&only)) {
        let mut all: Vec<Run> = Vec::new();
        for run in 1..=runs {
            write!(std::io::stderr(), "\r{}: run {run} of {runs} …\x1b[K", fault.name())?;
            all.push(run::run(fault, clients, pace, &postgres, &expected).await?);
        }
        write!(std::io::stderr(), "\r\x1b[K")?;
        let row = Row::of(fault, &all);
        writeln!(out, "{}", row.text)?;
        is_met &= row.counts_are_met && (brief || row.times_are_met);
    }
    anyhow::ensure!(is_met, "a target was missed");
    Ok(())
}

/// A fault's line.
struct Row {
    text: String,
    counts_are_met: bool,
    times_are_met: bool,
}

impl Row {
    fn of(fault: Fault, runs: &[Run]) -> Self {
        let mut gaps: Vec<Duration> = runs.iter().map(|run| run.seen.gap).collect();
        gaps.sort_unstable();
        let (median, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
        let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
        let counts = [
            sum(|run| run.seen.failed),
            sum(|run| run.seen.lost),
            sum(|run| run.seen.doubled),
            sum(|run| run.seen.wrong),
        ];
        let before = p99(runs.iter().flat_map(|run| run.seen.before.iter().copied()));
        let (then, ratio, of) = match fault.limit() {
            Limit::OtherShards(ratio) => {
                (p99(runs.iter().flat_map(Run::others)), Some(ratio), " of other shards")
            }
            Limit::Then(ratio, from) => {
                let away = runs.iter().flat_map(|run| &run.away).filter(|(since, _)| *since >= from);
                (p99(away.map(|(_, taken)| taken.took)), Some(ratio), "")
            }
            Limit::None => {
                let then = runs.iter().flat_map(|run| &run.seen.then);
                (p99(then.map(|taken| taken.took)), None, "")
            }
        };
        let times = then.as_secs_f64() / before.as_secs_f64();
        let longest_lasted = runs.iter().map(|run| run.lasted).max().unwrap_or_default();
        let back = runs.iter().map(|run| run.back).max().unwrap_or_default();
        let limit = fault.back_limit(longest_lasted);
        let snapshots_lost = runs.iter().filter_map(|run| run.snapshots_lost).reduce(|sum, lost| sum + lost);
        let counts_are_met = counts == [0; 4] && snapshots_lost.unwrap_or(0) == 0;
        let times_are_met = longest <= GAP
            && limit.is_none_or(|limit| back <= limit)
            && ratio.is_none_or(|ratio| times <= ratio);
        let mut targets = format!("gap ≤ {} ms, all 0", GAP.as_millis());
        if let Some(limit) = limit {
            targets.push_str(&format!(", back ≤ {:.1} s", limit.as_secs_f64()));
        }
        if let Some(ratio) = ratio {
            targets.push_str(&format!(", p99{of} {times:.2} × ≤ {ratio} ×"));
        }
        if let Some(lost) = snapshots_lost {
            targets.push_str(&format!(", {lost} snapshots lost ≤ 0"));
        }
        let [failed, lost, doubled, wrong] = counts;
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let text = format!(
            "{:<29} {:>4} {:>5.0} ms {:>5.0} ms {failed:>6} {lost:>4} {doubled:>7} {wrong:>5} {:>6.1} → {:>6.1} ms {:>7}  {targets}: {}",
            fault.name(),
            runs.len(),
            ms(median),
            ms(longest),
            ms(before),
            ms(then),
            limit.map_or("-".to_owned(), |_| format!("{:.1} s", back.as_secs_f64())),
            if counts_are_met && times_are_met { "met" } else { "MISSED" },
        );
        Self { text, counts_are_met, times_are_met }
    }
}
