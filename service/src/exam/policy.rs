//! Policies as people write them: the engine's form, with items referenced by their codes.
//!
//! Input: a JSON value (or one parsed from TOML) and a bank. Output: an [`engine::Policy`] that is valid for the
//! bank, or every fault. Must not know: where the text comes from.

mod stored;

pub use stored::StoredPolicy;

use super::bank::ItemBank;
use contract::Fault;
use engine::Policy;
use serde_json::Value;

/// Reads a policy for a bank.
///
/// # Errors
/// Every fault, by its field.
pub fn read(mut value: Value, bank: &ItemBank) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    if let Some(items) = value.pointer_mut("/start/items").and_then(Value::as_array_mut) {
        for item in items {
            match item.as_str().map(|code| (code.to_owned(), bank.index(code))) {
                Some((_, Some(index))) => *item = index.into(),
                Some((code, None)) => {
                    faults.push(fault("start.items", format!("the bank has no item {code:?}")));
                    *item = 0.into();
                }
                None => {
                    faults.push(fault("start.items", "must be item_ids of the bank, as texts".to_owned()))
                }
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let says_least = value.pointer("/stop/min_items").is_some();
    let mut policy: Policy =
        serde_json::from_value(value).map_err(|error| vec![fault("", error.to_string())])?;
    if !says_least {
        fit(&mut policy, bank);
    }
    let faults = check(&policy, bank);
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// The default policy, for a bank of any size.
pub fn default_for(bank: &ItemBank) -> Policy {
    let mut policy = Policy::default();
    fit(&mut policy, bank);
    policy
}

/// Lowers a least length that nobody asked for to what an exam can have.
fn fit(policy: &mut Policy, bank: &ItemBank) {
    let stop = &mut policy.stop;
    let longest = stop.max_items.min(u32::try_from(bank.len()).unwrap_or(u32::MAX));
    stop.min_items = stop.min_items.min(longest);
}

/// Every fault of a policy, alone and in combination with a bank.
pub fn check(policy: &Policy, bank: &ItemBank) -> Vec<Fault> {
    let all = policy.faults().into_iter().chain(policy.faults_on(&bank.measures()));
    all.map(|found| fault(found.field, found.message)).collect()
}

fn fault(field: &str, message: String) -> Fault {
    Fault { field: field.to_owned(), message }
}
