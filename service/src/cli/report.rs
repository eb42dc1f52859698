//! What every subcommand shows on the terminal in the same way: a progress bar, a list of faults.
//!
//! Input: counts and faults. Output: text for a person. Must not know: which subcommand runs.

use anyhow::{Context, anyhow};
use contract::Fault;
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error; it is not drawn where that is no terminal.
pub fn progress(of: &str, length: u64) -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {of}, {{eta}} left"));
    Ok(ProgressBar::new(length).with_style(style.context("a style should be valid")?))
}

/// An error that lists all faults of an input, one on a line.
pub fn faults(of: &str, found: &[Fault]) -> anyhow::Error {
    let lines: Vec<String> = found.iter().map(|fault| format!("\n  - {fault}")).collect();
    anyhow!("{} in {of}:{}", if lines.len() == 1 { "a fault" } else { "faults" }, lines.concat())
}
