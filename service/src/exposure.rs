//! Exposure counts: how often the items of each bank were administered, shared by all exams of this process.
//!
//! Input: administered items. Output: counts for item selection. They are not part of any commit; after a restart
//! they are rebuilt from the log. Must not know: SQL, why an item was chosen.

use crate::catalogue::Catalogue;
use crate::exam::Exam;
use crate::exam::conversion::index;
use crate::exam::event::{Event, Head, Next};
use crate::exam::item::ItemId;
use crate::records::{self, Records};
use engine::{Control, Counts};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// Number of recent exams from which counts are rebuilt.
const EXAMS: i64 = 10_000;

/// Counts of every bank version whose exam types use exposure control.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    // Never held across an await.
    banks: Arc<HashMap<String, RwLock<Counts>>>,
}

impl Shared {
    /// Rebuilds the counts of the catalogue's banks from the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(catalogue: &Catalogue, records: &Records) -> Result<Self, records::Error> {
        let mut banks = HashMap::new();
        for rules in catalogue.all() {
            let control = rules.policy.constraints.exposure.filter(|control| control.reads_counts());
            let version = rules.bank.version();
            let Some(control) = control.filter(|_| !banks.contains_key(version)) else { continue };
            let mut counts = Counts::new(rules.bank.len());
            let mut last = None;
            for given in records.given(version, EXAMS).await? {
                if last.replace(given.exam) != Some(given.exam) {
                    counts.begin(control, u64::try_from(given.seed).unwrap_or(0));
                }
                give(&mut counts, control, given.next, given.wanted);
            }
            tracing::info!(bank = version, exams = counts.exams(), "exposure counted from the log");
            banks.insert(version.to_owned(), RwLock::new(counts));
        }
        Ok(Self { banks: Arc::new(banks) })
    }

    /// Calls `decide` with the current counts of a bank version.
    pub fn with<T>(&self, version: &str, decide: impl FnOnce(engine::Exposure<'_>) -> T) -> T {
        match self.banks.get(version) {
            None => decide(engine::Exposure::Unknown),
            Some(counts) => {
                let counts = counts.read().expect("no holder of the counts should panic");
                decide(engine::Exposure::Counts(&counts))
            }
        }
    }

    /// Counts a started exam with its first item.
    pub fn record_start(&self, exam: &Exam) {
        let seed = u64::try_from(exam.head().seed).unwrap_or(0);
        self.change(exam, |counts, control| counts.begin(control, seed));
        self.record_step(exam);
    }

    /// Counts the item of the exam's last event, and the item that was wanted instead.
    pub fn record_step(&self, exam: &Exam) {
        let (next, wanted) = match exam.entries().last().map(|entry| &entry.event) {
            Some(Event::Started { next, constrained, .. } | Event::Answered { next, constrained, .. }) => {
                (*next, constrained.wanted)
            }
            _ => return,
        };
        self.change(exam, |counts, control| give(counts, control, next, wanted));
    }

    fn change(&self, exam: &Exam, change: impl FnOnce(&mut Counts, Control)) {
        let Head { bank_version, policy, .. } = exam.head();
        // Exams without exposure control count too, but do not adjust the probabilities.
        let control = policy.constraints.exposure.unwrap_or(Control::SympsonHetter);
        if let Some(counts) = self.banks.get(bank_version) {
            change(&mut counts.write().expect("no holder of the counts should panic"), control);
        }
    }
}

fn give(counts: &mut Counts, control: Control, next: Next, wanted: Option<ItemId>) {
    if let Next::Item(item) = next {
        counts.give(control, index(item));
    }
    if let Some(item) = wanted {
        counts.want(control, index(item));
    }
}
