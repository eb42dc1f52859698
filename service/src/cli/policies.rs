//! Banks and policies from files, for subcommands that run exams without a service.
//!
//! Input: arguments that name files. Output: an item bank, and a policy that is valid for it. Must not know: exams.

use super::arguments::Items;
use super::report::faults;
use super::sources::read;
use anyhow::Context;
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
pub fn bank(Items { bank, scaling }: &Items) -> anyhow::Result<ItemBank> {
    match bank {
        None => Ok(ItemBank::sample()),
        Some(path) => {
            let import = ItemBank::from_csv(&read(path)?, *scaling)
                .map_err(|found| faults(&format!("the bank {}", path.display()), &found))?;
            let Import { bank, quarantined, ignored } = import;
            let mut stderr = std::io::stderr().lock();
            for fault in &quarantined {
                writeln!(stderr, "kept out: {fault}")?;
            }
            if !ignored.is_empty() {
                writeln!(stderr, "columns not read: {}", ignored.join(", "))?;
            }
            Ok(bank)
        }
    }
}
