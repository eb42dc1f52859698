//! The circuit breaker: after a failure, calls are rejected for a while, then one trial call is allowed.
//!
//! Input: the time, and the results of calls. Output: whether a call is allowed. No I/O, no clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long the breaker stays open after a failure.
const OPEN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    // Never held across an await.
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Open until then; the first call after it is the trial.
    Open(Instant),
}

/// The change of state after a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
    None,
}

impl Breaker {
    /// Whether a call is allowed now. Once the open time is over, one trial call is allowed; further calls are
    /// rejected until it succeeds or the open time passes again.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut state = self.state.lock().expect("no holder of the breaker should panic");
        match *state {
            State::Closed => true,
            State::Open(until) if now < until => false,
            State::Open(_) => {
                *state = State::Open(now + OPEN_TIME);
                true
            }
        }
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        *self.state.lock().expect("no holder of the breaker should panic") != State::Closed
    }

    /// Records the result of a call.
    pub(super) fn record(&self, succeeded: bool, now: Instant) -> Change {
        let mut state = self.state.lock().expect("no holder of the breaker should panic");
        let before = *state;
        *state = if succeeded { State::Closed } else { State::Open(now + OPEN_TIME) };
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
        assert_eq!(breaker.record(false, start), Change::Opened);
        assert!(!breaker.allows(start));
        let later = start + OPEN_TIME;
        assert!(breaker.allows(later), "the trial");
        assert!(!breaker.allows(later), "only one");
        assert_eq!(breaker.record(false, later), Change::None);
        let again = later + OPEN_TIME;
        assert!(breaker.allows(again));
        assert_eq!(breaker.record(true, again), Change::Closed);
        assert!(breaker.allows(again));
    }
}
