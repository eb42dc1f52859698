//! The cache of recently used exams: saves the round trip to the store and the replay.
//!
//! Input: exams as they are loaded or written. Output: the last version of each. It is only a cache: readers check
//! it against the log, and an append is a compare-and-set. Memory is bounded, and idle exams are evicted. Must not
//! know: the log, the store.

use crate::exam::Exam;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Capacity in bytes, by the approximate size of exams.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// An exam that is not used for this long is evicted.
const IDLE: Duration = Duration::from_secs(600);
/// Sizes are rounded up to this, so that an answer seldom changes the weight of an exam.
const STEP: usize = 4096;

/// The cache.
#[derive(Clone, Debug)]
pub struct Recent(Cache<i64, Arc<CachedExam>>);

/// A cached exam.
#[derive(Debug)]
struct CachedExam {
    /// `None` while the exam is being changed.
    exam: Mutex<Option<Arc<Exam>>>,
    /// Its weight in bytes.
    weight: usize,
    /// Whether another process writes to it too: the store may then have a newer version.
    is_shared: AtomicBool,
}

impl CachedExam {
    fn exam(&self) -> MutexGuard<'_, Option<Arc<Exam>>> {
        // Each change is a single assignment, so a poisoned lock holds a valid value.
        self.exam.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }
}

impl Default for Recent {
    fn default() -> Self {
        let weight = |_: &i64, seen: &Arc<CachedExam>| u32::try_from(seen.weight).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(CAPACITY).weigher(weight).time_to_idle(IDLE);
        // LRU admits new entries always; the default policy would reject new exams in favour of frequently used
        // ones.
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }
}

impl Recent {
    /// The cached exam.
    pub fn get(&self, id: i64) -> Option<Arc<Exam>> {
        self.0.get(&id)?.exam().clone()
    }

    /// The cached exam, unless another process is known to write to it.
    pub fn get_unshared(&self, id: i64) -> Option<Arc<Exam>> {
        self.0.get(&id).filter(|seen| !seen.is_shared())?.exam().clone()
    }

    /// Caches an exam.
    pub fn insert(&self, exam: &Arc<Exam>) {
        let (id, size) = (exam.head().id, exam.size());
        let before = self.0.get(&id);
        if let Some(seen) = before.as_ref().filter(|seen| size <= seen.weight) {
            *seen.exam() = Some(Arc::clone(exam));
            return;
        }
        let is_shared = AtomicBool::new(before.is_some_and(|seen| seen.is_shared()));
        let (exam, weight) = (Mutex::new(Some(Arc::clone(exam))), size.next_multiple_of(STEP));
        self.0.insert(id, Arc::new(CachedExam { exam, weight, is_shared }));
    }

    /// Releases an exam that is about to change, so that it can be changed in place without a copy.
    pub fn release(&self, id: i64) {
        if let Some(seen) = self.0.get(&id) {
            *seen.exam() = None;
        }
    }

    /// Records that another process has written to an exam.
    pub fn mark_shared(&self, id: i64) {
        if let Some(seen) = self.0.get(&id) {
            seen.is_shared.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::bank::ItemBank;

    #[test]
    fn what_was_seen_has_a_bound() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        (1..=20_000).for_each(|id| recent.insert(&Exam::sample(id, &bank)));
        recent.0.run_pending_tasks();
        assert!(recent.0.weighted_size() <= CAPACITY, "{}", recent.0.weighted_size());
        assert!((1000..20_000).contains(&recent.0.entry_count()), "{}", recent.0.entry_count());
    }

    #[test]
    fn an_exam_that_has_just_begun_comes_in() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        for id in 1..=20_000 {
            recent.insert(&Exam::sample(id, &bank));
            // As often as the answers of an exam read it.
            (0..20).for_each(|_| drop(recent.get(id)));
        }
        (20_001..=20_100).for_each(|id| recent.insert(&Exam::sample(id, &bank)));
        recent.0.run_pending_tasks();
        assert!((20_001..=20_100).all(|id| recent.get(id).is_some()));
    }

    #[test]
    fn an_exam_that_somebody_else_writes_to_is_not_ones_own() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        recent.insert(&Exam::sample(7, &bank));
        assert!(recent.get_unshared(7).is_some());
        recent.mark_shared(7);
        recent.insert(&Exam::sample(7, &bank));
        assert!(recent.get_unshared(7).is_none() && recent.get(7).is_some());
    }

    #[test]
    fn an_exam_that_is_let_go_is_its_holders_alone() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        recent.insert(&Exam::sample(7, &bank));
        let mut held = recent.get(7).unwrap();
        assert!(Arc::get_mut(&mut held).is_none(), "it is kept");
        recent.release(7);
        assert!(recent.get(7).is_none() && Arc::get_mut(&mut held).is_some());
        recent.mark_shared(7);
        recent.insert(&held);
        assert!(recent.get(7).is_some() && recent.get_unshared(7).is_none(), "what is known of it stays");
    }
}
