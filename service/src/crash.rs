//! Named places where a test may end the process, to prove what survives.
//!
//! Comes in: the name of the place just reached. Goes out: nothing, or the process.
//! `EXAM_CRASH_AT=answer.commit.after:3` ends it with the third pass of that place, as SIGKILL
//! would: no clean-up runs. Only debug builds hold this; a release build has no such switch.

/// Ends the process here if the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};
    static PLAN: OnceLock<Option<(String, AtomicI64)>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let text = std::env::var("EXAM_CRASH_AT").ok()?;
        let (name, count) = text.rsplit_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicI64::new(count.parse().unwrap_or(1))))
    });
    if let Some((wanted, left)) = plan
        && wanted == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_name: &'static str) {}
