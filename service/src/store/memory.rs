//! The memory store: snapshots in the process, with the rules of Redis: the newest version wins, the TTL slides.
//!
//! Input: writes. Output: snapshots. Must not know: what a snapshot's text means.

use super::{Write, Written};
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

    pub(super) fn write(&self, write: &Write) -> Written {
        match write {
            Write::Save { exam, version, text } => {
                let result = self.snapshots.entry(*exam).and_compute_with(|kept| match kept {
                    Some(kept) if kept.value().0 >= *version => Op::Nop,
                    _ => Op::Put((*version, text.clone())),
                });
                match result {
                    CompResult::Inserted(_) | CompResult::ReplacedWith(_) => Written::Saved,
                    _ => Written::Stale,
                }
            }
            Write::Remove { exam } => {
                self.snapshots.invalidate(exam);
                Written::Removed
            }
        }
    }
}
