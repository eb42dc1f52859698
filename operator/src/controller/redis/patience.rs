//! Which step each resource waits with, and since when: a step is taken when it was the next one for long enough, in two
//! looks at least.
//!
//! Input: the step of a plan, and the time. Output: whether to take it. An operator that has just started knows nothing, so
//! its first look changes nothing. Must not know: what a step does.

use super::plan::Step;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The step of each resource, by namespace and name.
#[derive(Debug, Default)]
pub struct Patience {
    // Never held across an await.
    since: Mutex<HashMap<(String, String), (Step, Instant)>>,
}

impl Patience {
    /// Whether a step may be taken now.
    pub fn allows(&self, resource: (&str, &str), step: Option<&Step>, wait: Duration, now: Instant) -> bool {
        let mut since = self.since.lock().expect("no holder of the map should panic");
        let key = (resource.0.to_owned(), resource.1.to_owned());
        match (step, since.get(&key)) {
            (None, _) => {
                since.remove(&key);
                false
            }
            (Some(step), Some((same, first))) if step == same => now.duration_since(*first) >= wait,
            (Some(step), _) => {
                since.insert(key, (step.clone(), now));
                false
            }
        }
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        let mut since = self.since.lock().expect("no holder of the map should panic");
        since.remove(&(namespace.to_owned(), name.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_taken_at_its_second_sight_and_after_its_time() {
        let (patience, start) = (Patience::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let promote = Step::Promote("redis-0".to_owned());
        let allows = |step, wait, now| {
            patience.allows(("school", "midterm"), step, Duration::from_secs(wait), after(now))
        };
        assert!(!allows(Some(&promote), 0, 0), "the first look");
        assert!(allows(Some(&promote), 0, 1));
        let choose = Step::Choose("redis-1".to_owned());
        assert!(!allows(Some(&choose), 60, 2));
        assert!(!allows(Some(&choose), 60, 61));
        assert!(!allows(None, 0, 61), "it was mended meanwhile");
        assert!(!allows(Some(&choose), 60, 62), "so the time begins anew");
        assert!(allows(Some(&choose), 60, 122));
    }
}
