//! What processes use: CPU from the kernel's own count.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fmt::Write;

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

    /// Microseconds for each of so many requests, since then.
    pub fn since(&self, before: &HashMap<&'static str, f64>, requests: usize) -> Result<String> {
        let now = self.read()?;
        let mut text = String::new();
        for (name, _) in &self.0 {
            let used = (now[name] - before[name]) * 1e6 / requests.max(1) as f64;
            write!(text, "{name} {used:.0}  ")?;
        }
        Ok(text)
    }
}

fn with_children(pid: u32) -> Result<f64> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let own = seconds(pid)?;
    let of_children: f64 =
        children.split_whitespace().filter_map(|pid| seconds(pid.parse().ok()?).ok()).sum();
    Ok(own + of_children)
}

fn seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("a stat")?.split_whitespace().collect();
    // utime and stime, the 14th and 15th of all fields; 11 and 12 after the name and the state.
    let ticks: f64 =
        fields.get(11..13).context("times")?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// The machine, in a line.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores,{}", model.trim_start().trim_start_matches(':'))
}
