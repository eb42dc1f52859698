//! Snapshots in the process, with the same rules as Redis: newest version wins, sliding lifetime.

use super::Saved;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Memory {
    snapshots: Cache<i64, (i64, String)>,
}

impl Memory {
    pub(super) fn new(ttl_seconds: u64) -> Self {
        let snapshots = Cache::builder().time_to_live(Duration::from_secs(ttl_seconds)).build();
        Self { snapshots }
    }

    pub(super) fn load(&self, exam: i64) -> Option<String> {
        self.snapshots.get(&exam).map(|(_, text)| text)
    }

    pub(super) fn save(&self, exam: i64, version: i64, text: &str) -> Saved {
        let result = self.snapshots.entry(exam).and_compute_with(|kept| match kept {
            Some(kept) if kept.value().0 >= version => Op::Nop,
            _ => Op::Put((version, text.to_owned())),
        });
        match result {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) => Saved::Written,
            _ => Saved::Stale,
        }
    }

    pub(super) fn remove(&self, exam: i64) {
        self.snapshots.invalidate(&exam);
    }
}
