//! CPU usage of processes, from the kernel.

use anyhow::{Context, Result};
use std::collections::HashMap;

/// Ticks a second of the kernel's count.
const TICKS: f64 = 100.0;

/// Processes by name, each with its children.
pub struct Cpu(Vec<(&'static str, u32)>);

impl Cpu {
    pub fn of(processes: &[(&'static str, u32)]) -> Self {
        Self(processes.to_vec())
    }

    /// Seconds of CPU of each, so far.
    pub fn read(&self) -> Result<HashMap<&'static str, f64>> {
        self.0.iter().map(|(name, pid)| Ok((*name, with_children(*pid)?))).collect()
    }

    /// Seconds of CPU of each since then.
    pub fn since(&self, before: &HashMap<&'static str, f64>) -> Result<Vec<(&'static str, f64)>> {
        let now = self.read()?;
        Ok(self.0.iter().map(|(name, _)| (*name, now[name] - before[name])).collect())
    }
}

/// Microseconds for each of so many requests, in words.
pub fn each(used: &[(&'static str, f64)], requests: usize) -> String {
    let each = |seconds: f64| seconds * 1e6 / requests.max(1) as f64;
    let words: Vec<String> =
        used.iter().map(|(name, seconds)| format!("{name} {:.0}", each(*seconds))).collect();
    words.join("  ")
}

/// Seconds of CPU of this process alone, so far.
pub fn own() -> Result<f64> {
    times(&std::fs::read_to_string("/proc/self/stat")?, 11..13)
}

/// Seconds of CPU that the machine's host gave to others while this one had something to do, so far.
pub fn stolen() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let ticks: f64 = stat.split_whitespace().nth(8).context("the time that was stolen")?.parse()?;
    Ok(ticks / TICKS)
}

/// Seconds of CPU of this process's children that have ended and were waited for.
pub fn ended() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    times(&stat, 13..15)
}

fn with_children(pid: u32) -> Result<f64> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    // Its own, and that of children that have ended.
    let own = times(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?, 11..15)?;
    let of_children: f64 =
        children.split_whitespace().filter_map(|pid| seconds(pid.parse().ok()?).ok()).sum();
    Ok(own + of_children)
}

fn seconds(pid: u32) -> Result<f64> {
    times(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?, 11..13)
}

/// User's and system's time in a line of `stat`: the fields after the name and the state are counted.
fn times(stat: &str, fields: std::ops::Range<usize>) -> Result<f64> {
    let all: Vec<&str> = stat.rsplit(')').next().context("a stat")?.split_whitespace().collect();
    let ticks: f64 =
        all.get(fields).context("times")?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// The machine, in a line.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores,{}", model.trim_start().trim_start_matches(':'))
}
