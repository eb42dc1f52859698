//! Crash points: named places where a test ends the process.
//!
//! Input: the name of the place just reached. Output: none, or the end of the process.
//! `EXAM_CRASH_AT=answer.commit.after:3` aborts it the third time it reaches that place, without clean-up, like
//! SIGKILL; `EXAM_PANIC_AT` makes it panic there. Only debug builds contain this; a release build ignores both
//! variables.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicI64, Ordering};

/// A place, and the remaining number of passes.
#[cfg(debug_assertions)]
struct Plan(String, AtomicI64);

#[cfg(debug_assertions)]
impl Plan {
    fn of(variable: &str) -> Option<Self> {
        let text = std::env::var(variable).ok()?;
        let (name, count) = text.rsplit_once(':').unwrap_or((&text, "1"));
        Some(Self(name.to_owned(), AtomicI64::new(count.parse().unwrap_or(1))))
    }

    fn is_due(&self, name: &str) -> bool {
        self.0 == name && self.1.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// Ends the process here if the environment asks for it.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::OnceLock;
    static CRASH: OnceLock<Option<Plan>> = OnceLock::new();
    static PANIC: OnceLock<Option<Plan>> = OnceLock::new();
    let is_due = |plan: &Option<Plan>| plan.as_ref().is_some_and(|plan| plan.is_due(name));
    if is_due(CRASH.get_or_init(|| Plan::of("EXAM_CRASH_AT"))) {
        std::process::abort();
    }
    assert!(!is_due(PANIC.get_or_init(|| Plan::of("EXAM_PANIC_AT"))), "asked to panic at {name}");
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_name: &'static str) {}
