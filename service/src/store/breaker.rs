//! The breaker: after a failure the store is left alone for a while, then one call tries it.
//!
//! Comes in: the time, and how calls went. Goes out: whether to call. No I/O, no clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long the store is left alone after a failure.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    // Held for a few instructions, never across an await.
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Open until then; whoever comes first after it goes through as the trial.
    Open(Instant),
}

/// How the breaker moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
    None,
}

impl Breaker {
    /// Whether a call may go to the store now. After the rest one caller may, and the others wait
    /// for its result for as long as the rest lasts again.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut state = self.state.lock().expect("no holder of the breaker should panic");
        match *state {
            State::Closed => true,
            State::Open(until) if now < until => false,
            State::Open(_) => {
                *state = State::Open(now + REST);
                true
            }
        }
    }

    /// Notes how a call went.
    pub(super) fn note(&self, succeeded: bool, now: Instant) -> Change {
        let mut state = self.state.lock().expect("no holder of the breaker should panic");
        let before = *state;
        *state = if succeeded { State::Closed } else { State::Open(now + REST) };
        match (before, succeeded) {
            (State::Closed, false) => Change::Opened,
            (State::Open(_), true) => Change::Closed,
            _ => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trial_after_each_rest() {
        let breaker = Breaker::default();
        let start = Instant::now();
        assert!(breaker.allows(start));
        assert_eq!(breaker.note(false, start), Change::Opened);
        assert!(!breaker.allows(start));
        let later = start + REST;
        assert!(breaker.allows(later), "the trial");
        assert!(!breaker.allows(later), "only one");
        assert_eq!(breaker.note(false, later), Change::None);
        let again = later + REST;
        assert!(breaker.allows(again));
        assert_eq!(breaker.note(true, again), Change::Closed);
        assert!(breaker.allows(again));
    }
}
