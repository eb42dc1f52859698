//! Exams that this process has seen lately, whole: what a snapshot gives, without the way to the store and the fold.
//!
//! Comes in: exams, as they were read or written. Goes out: the last of each. Like a snapshot it is a cache, and
//! nobody believes it: a reader holds it against the log, and an answer is appended only to the event it was decided
//! on. What it takes of memory is bounded; what was not asked for goes. Must not know: the log, the store.

use crate::exam::Exam;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes for all of them, as far as they are known.
const ROOM: u64 = 32 * 1024 * 1024;
/// An exam that nobody has asked for so long is forgotten.
const QUIET: Duration = Duration::from_secs(600);
/// Room is counted in steps, so that an answer seldom changes how much of it an exam has.
const STEP: usize = 4096;

/// The exams.
#[derive(Clone, Debug)]
pub struct Recent(Cache<i64, Arc<Seen>>);

/// An exam as this process has seen it last.
#[derive(Debug)]
struct Seen {
    /// None for the moment in which it changes.
    exam: Mutex<Option<Arc<Exam>>>,
    /// Bytes that are counted for it.
    room: usize,
    /// Whether somebody else was first to write to it, as another process is: then the store may know more.
    roams: AtomicBool,
}

impl Seen {
    fn exam(&self) -> MutexGuard<'_, Option<Arc<Exam>>> {
        // Each change is one assignment: a panic before or after it does no harm.
        self.exam.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn roams(&self) -> bool {
        self.roams.load(Ordering::Relaxed)
    }
}

impl Default for Recent {
    fn default() -> Self {
        let weight = |_: &i64, seen: &Arc<Seen>| u32::try_from(seen.room).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(ROOM).weigher(weight).time_to_idle(QUIET);
        // The newest comes in whatever was asked for more often: an exam that has just begun will be.
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }
}

impl Recent {
    /// The exam as it was seen last.
    pub fn get(&self, id: i64) -> Option<Arc<Exam>> {
        self.0.get(&id)?.exam().clone()
    }

    /// The exam as it was seen last, if as far as is known only this process writes to it.
    pub fn own(&self, id: i64) -> Option<Arc<Exam>> {
        self.0.get(&id).filter(|seen| !seen.roams())?.exam().clone()
    }

    /// Keeps an exam as it stands.
    pub fn keep(&self, exam: &Arc<Exam>) {
        let (id, size) = (exam.head().id, exam.size());
        let before = self.0.get(&id);
        if let Some(seen) = before.as_ref().filter(|seen| size <= seen.room) {
            *seen.exam() = Some(Arc::clone(exam));
            return;
        }
        let roams = AtomicBool::new(before.is_some_and(|seen| seen.roams()));
        let (exam, room) = (Mutex::new(Some(Arc::clone(exam))), size.next_multiple_of(STEP));
        self.0.insert(id, Arc::new(Seen { exam, room, roams }));
    }

    /// Lets go of an exam that is about to change, so that whoever changes it need not copy it first.
    pub fn let_go(&self, id: i64) {
        if let Some(seen) = self.0.get(&id) {
            *seen.exam() = None;
        }
    }

    /// Remembers that another process has written to an exam.
    pub fn roams(&self, id: i64) {
        if let Some(seen) = self.0.get(&id) {
            seen.roams.store(true, Ordering::Relaxed);
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
        (1..=20_000).for_each(|id| recent.keep(&Exam::sample(id, &bank)));
        recent.0.run_pending_tasks();
        assert!(recent.0.weighted_size() <= ROOM, "{}", recent.0.weighted_size());
        assert!((1000..20_000).contains(&recent.0.entry_count()), "{}", recent.0.entry_count());
    }

    #[test]
    fn an_exam_that_has_just_begun_comes_in() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        for id in 1..=20_000 {
            recent.keep(&Exam::sample(id, &bank));
            // As often as the answers of an exam ask for it.
            (0..20).for_each(|_| drop(recent.get(id)));
        }
        (20_001..=20_100).for_each(|id| recent.keep(&Exam::sample(id, &bank)));
        recent.0.run_pending_tasks();
        assert!((20_001..=20_100).all(|id| recent.get(id).is_some()));
    }

    #[test]
    fn an_exam_that_somebody_else_writes_to_is_not_ones_own() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        recent.keep(&Exam::sample(7, &bank));
        assert!(recent.own(7).is_some());
        recent.roams(7);
        recent.keep(&Exam::sample(7, &bank));
        assert!(recent.own(7).is_none() && recent.get(7).is_some());
    }

    #[test]
    fn an_exam_that_is_let_go_is_its_holders_alone() {
        let (recent, bank) = (Recent::default(), Arc::new(ItemBank::sample()));
        recent.keep(&Exam::sample(7, &bank));
        let mut held = recent.get(7).unwrap();
        assert!(Arc::get_mut(&mut held).is_none(), "it is kept");
        recent.let_go(7);
        assert!(recent.get(7).is_none() && Arc::get_mut(&mut held).is_some());
        recent.roams(7);
        recent.keep(&held);
        assert!(recent.get(7).is_some() && recent.own(7).is_none(), "what is known of it stays");
    }
}
