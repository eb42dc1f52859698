//! Banks and policies from files, for subcommands that run exams without a service.
//!
//! Input: arguments that name files. Output: an item bank, and a policy that is valid for it. Must not know: exams.

use super::arguments::{Items, Reading};
use super::report::faults;
use super::sources::{bytes, read};
use anyhow::Context;
use contract::Fault;
use engine::Policy;
use service::exam::bank::{Import, ItemBank};
use service::exam::policy;
use std::io::Write;
use std::path::Path;

/// A policy with a length of one's own, if it goes with the bank then.
pub fn fitted(mut policy: Policy, name: &str, items: Option<u32>, bank: &ItemBank) -> anyhow::Result<Policy> {
    if let Some(items) = items {
        policy.stop.max_items = items;
        policy.stop.min_items = policy.stop.min_items.min(items);
    }
    match policy::check(&policy, bank).as_slice() {
        [] => Ok(policy),
        found => Err(faults(&format!("the policy {name}"), found)),
    }
}

/// The policy of a file, for this bank.
pub fn policy_file(path: &Path, bank: &ItemBank) -> anyhow::Result<Policy> {
    let name = path.display().to_string();
    let value = toml::from_str(&read(path)?).with_context(|| format!("{name} is not TOML"))?;
    policy::read(value, bank).map_err(|found| faults(&name, &found))
}

/// The bank of a file, or the built-in sample; what is wrong with its rows is told.
pub fn bank(Items { bank, reading }: &Items) -> anyhow::Result<ItemBank> {
    bank.as_deref().map_or_else(|| Ok(ItemBank::sample()), |path| Ok(import(path, reading)?.0))
}

/// The bank of a file, and the number of rows that are kept out. They, the columns that are not read and what its
/// author may not expect are told.
pub fn import(path: &Path, reading: &Reading) -> anyhow::Result<(ItemBank, usize)> {
    let import = ItemBank::from_csv(&bytes(path)?, &reading.form())
        .map_err(|found| faults(&format!("the bank {}", path.display()), &found))?;
    let Import { bank, quarantined, ignored, notices } = import;
    let mut stderr = std::io::stderr().lock();
    for notice in &notices {
        writeln!(stderr, "note: {notice}")?;
    }
    for fault in &quarantined {
        writeln!(stderr, "kept out: {fault}")?;
    }
    if !ignored.is_empty() {
        writeln!(stderr, "columns not read: {}", ignored.join(", "))?;
    }
    Ok((bank, rows(&quarantined)))
}

/// Number of rows that are kept out: each may have several faults.
fn rows(quarantined: &[Fault]) -> usize {
    let mut lines: Vec<&str> = quarantined.iter().map(|fault| fault.field.as_str()).collect();
    lines.sort_unstable();
    lines.dedup();
    lines.len()
}
