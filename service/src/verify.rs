//! Verification of stored exams: every ability, item choice and hash is recomputed.
//!
//! Input: a database of record. Output: a [`Verified`] with every difference. Must not know: the terminal, where
//! the database is.

use crate::exam::Exam;
use crate::exam::bank::ItemBank;
use crate::exam::event::Chain;
use crate::records::{self, Filter, Records};
use std::collections::HashMap;
use std::sync::Arc;

/// Exams in a page of the list.
const PAGE: i64 = 500;

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of exams verified.
    pub exams: u64,
    /// Number of their events.
    pub events: u64,
    /// A description of every difference.
    pub differences: Vec<String>,
}

/// Verifies every exam; `progress` is called after each with the total number.
///
/// # Errors
/// Database errors. Damaged content is reported as a difference.
pub async fn verify(records: &Records, mut seen: impl FnMut(u64)) -> Result<Verified, records::Error> {
    let mut verified = Verified::default();
    let mut banks: HashMap<String, Arc<ItemBank>> = HashMap::new();
    let mut filter = Filter { limit: PAGE, ..Filter::default() };
    let all = u64::try_from(records.count(&filter).await?).unwrap_or(0);
    loop {
        let page = records.page(&filter).await?;
        for listed in &page {
            match one(records, &mut banks, listed.id).await {
                Ok((events, differences)) => {
                    verified.events += events;
                    verified.differences.extend(differences);
                }
                Err(records::Error::Damaged(reason)) => {
                    verified.differences.push(format!("exam {}: {reason}", listed.id));
                }
                Err(unavailable) => return Err(unavailable),
            }
            verified.exams += 1;
            seen(all);
        }
        match page.last() {
            Some(last) => filter.after = last.id,
            None => return Ok(verified),
        }
    }
}

async fn one(
    records: &Records,
    banks: &mut HashMap<String, Arc<ItemBank>>,
    id: i64,
) -> Result<(u64, Vec<String>), records::Error> {
    let damaged = |reason: String| records::Error::Damaged(reason);
    let mut differences = Vec::new();
    let (head, entries) = records.load(id).await?.ok_or_else(|| damaged("it is gone".to_owned()))?;
    let version = head.bank_version.clone();
    if !banks.contains_key(&version) {
        let body = records.bank(&version).await?;
        let body = body.ok_or_else(|| damaged(format!("its bank version {version} is not there")))?;
        let bank = ItemBank::from_body(&body).map_err(|reason| damaged(format!("its bank: {reason}")))?;
        // The content of a bank may be modified without changing any number of an exam.
        if bank.version() != version {
            differences.push(format!(
                "bank {version}: it was changed since it was kept, for its name is not that of its content"
            ));
        }
        banks.insert(version.clone(), Arc::new(bank));
    }
    let mut chain = Chain::root(&head);
    let stored = records.hashes(id).await?;
    for (entry, stored) in entries.iter().zip(&stored) {
        chain = chain.after(entry);
        if chain.as_str() != stored {
            differences.push(format!("exam {id}, event {}: its hash is not that of its content", entry.seq));
            break;
        }
    }
    let events = u64::try_from(entries.len()).unwrap_or(0);
    match Exam::replay(head, Arc::clone(&banks[&version]), entries) {
        Err(error) => differences.push(format!("exam {id}: {error}")),
        Ok(exam) => differences.extend(exam.differences().into_iter().map(|(entry, decided)| {
            let (seq, stored) = (entry.seq, entry.body());
            format!("exam {id}, event {seq}: stored {stored}, computed (items counted from 0) {decided:?}")
        })),
    }
    Ok((events, differences))
}
