//! How often the items of each bank were given: counts that all exams of this process share.
//!
//! Comes in: items as they are given. Goes out: counts for the next choice. Nothing of it is part of a
//! commit; after a restart the counts come back from the log. Must not know: SQL, why an item was chosen.

use crate::catalogue::Catalogue;
use crate::exam::Exam;
use crate::exam::conversion::index;
use crate::exam::event::{Event, Head, Next};
use crate::exam::item::ItemId;
use crate::records::{self, Records};
use engine::{Control, Counts};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// Counts look back over so many exams when they come back from the log.
const EXAMS: i64 = 10_000;

/// Counts of every bank version whose exam types look at them.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    // Read and written for an instant, never across an await.
    banks: Arc<HashMap<String, RwLock<Counts>>>,
}

impl Shared {
    /// The counts of the catalogue's banks, as the log has them.
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

    /// Lets `decide` see the counts of a bank version, as they are now.
    pub fn with<T>(&self, version: &str, decide: impl FnOnce(engine::Exposure<'_>) -> T) -> T {
        match self.banks.get(version) {
            None => decide(engine::Exposure::Unknown),
            Some(counts) => {
                let counts = counts.read().expect("no holder of the counts should panic");
                decide(engine::Exposure::Counts(&counts))
            }
        }
    }

    /// Counts an exam that has begun, with its first item.
    pub fn began(&self, exam: &Exam) {
        let seed = u64::try_from(exam.head().seed).unwrap_or(0);
        self.change(exam, |counts, control| counts.begin(control, seed));
        self.gave(exam);
    }

    /// Counts what the exam's last event gave, and what it would have given.
    pub fn gave(&self, exam: &Exam) {
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
        // An exam without such a rule counts too; it draws nothing and moves no price.
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
