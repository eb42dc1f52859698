//! The circuit breaker of one server: after a failure, or when replies become slow, no request waits for it until a probe
//! says that it is well.
//!
//! Input: the time, and the outcomes of calls and probes. Output: whether a call is allowed, and what is wrong now. No
//! I/O, no clock. Must not know: what is called.

use super::problem::Problem;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A reply that takes longer is slow.
pub(super) const SLOW: Duration = Duration::from_millis(100);
/// Replies that are slow for so long, one after the other, open the breaker …
const SLOW_TIME: Duration = Duration::from_millis(500);
/// … if there were at least so many.
const SLOW_COUNT: u32 = 3;
/// A refusal of a single command counts as a problem for so long.
const REFUSED_TIME: Duration = Duration::from_secs(10);

/// The breaker.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    // Never held across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Problem>,
    slow: Option<(Instant, u32)>,
    refused: Option<(Instant, Problem)>,
}

/// What came of a call or a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A reply, after this time.
    Reply(Duration),
    /// A refusal of this command alone.
    Refused(Problem),
    /// No reply, or one that says that the server is of no use.
    Failed(Problem),
}

/// The change of state after an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The breaker has opened, because of this.
    Opened(Problem),
    /// The breaker has closed.
    Closed,
    /// A command was refused, for a reason that is new.
    Refused(Problem),
    /// Nothing.
    None,
}

impl Breaker {
    /// Whether a call is allowed.
    pub(super) fn allows(&self) -> bool {
        self.state().open.is_none()
    }

    /// What is wrong now.
    pub(super) fn problem(&self, now: Instant) -> Option<Problem> {
        let state = self.state();
        let refused = state.refused.as_ref().filter(|(at, _)| now.duration_since(*at) < REFUSED_TIME);
        state.open.clone().or(refused.map(|(_, problem)| problem.clone()))
    }

    /// Records what came of a call. It never closes the breaker: calls that were under way when it opened tell nothing new.
    pub(super) fn record(&self, outcome: Outcome, slow: impl FnOnce() -> Problem, now: Instant) -> Change {
        let mut state = self.state();
        match outcome {
            Outcome::Failed(problem) => state.open(problem),
            Outcome::Refused(problem) => {
                let before = state.refused.replace((now, problem.clone()));
                let is_known = before
                    .is_some_and(|(at, known)| known == problem && now.duration_since(at) < REFUSED_TIME);
                if is_known { Change::None } else { Change::Refused(problem) }
            }
            Outcome::Reply(took) if took <= SLOW => {
                state.slow = None;
                Change::None
            }
            Outcome::Reply(_) => {
                let (since, count) = state.slow.map_or((now, 1), |(since, count)| (since, count + 1));
                state.slow = Some((since, count));
                if count >= SLOW_COUNT && now.duration_since(since) >= SLOW_TIME {
                    state.open(slow())
                } else {
                    Change::None
                }
            }
        }
    }

    /// Records what came of a probe: a prompt reply closes the breaker.
    pub(super) fn probed(&self, outcome: Outcome, slow: impl FnOnce() -> Problem, now: Instant) -> Change {
        let Outcome::Reply(took) = outcome else { return self.record(outcome, slow, now) };
        if took > SLOW {
            return self.record(outcome, slow, now);
        }
        let mut state = self.state();
        state.slow = None;
        state.open.take().map_or(Change::None, |_| Change::Closed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the breaker should panic")
    }
}

impl State {
    /// Opens; the latest problem is the one that is told.
    fn open(&mut self, problem: Problem) -> Change {
        match self.open.replace(problem.clone()) {
            None => Change::Opened(problem),
            Some(_) => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROMPT: Outcome = Outcome::Reply(Duration::from_millis(1));
    const LATE: Outcome = Outcome::Reply(Duration::from_millis(200));

    fn of(reason: &'static str) -> Problem {
        Problem::new(reason, reason)
    }

    fn record(breaker: &Breaker, outcome: Outcome, at: Instant) -> Change {
        breaker.record(outcome, || of("slow"), at)
    }

    #[test]
    fn a_failure_opens_and_a_prompt_probe_closes() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.allows());
        assert_eq!(
            record(&breaker, Outcome::Failed(of("unreachable")), start),
            Change::Opened(of("unreachable"))
        );
        assert!(!breaker.allows());
        assert_eq!(record(&breaker, PROMPT, start), Change::None, "a call that was under way");
        assert!(!breaker.allows());
        assert_eq!(breaker.probed(Outcome::Failed(of("password")), || of("slow"), start), Change::None);
        assert_eq!(breaker.problem(start), Some(of("password")), "the latest is told");
        assert_eq!(breaker.probed(LATE, || of("slow"), start), Change::None, "it is not well yet");
        assert!(!breaker.allows());
        assert_eq!(breaker.probed(PROMPT, || of("slow"), start), Change::Closed);
        assert!(breaker.allows() && breaker.problem(start).is_none());
    }

    #[test]
    fn slow_replies_in_a_row_open() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(record(&breaker, LATE, at(0)), Change::None);
        assert_eq!(record(&breaker, LATE, at(600)), Change::None, "two may be chance");
        assert_eq!(record(&breaker, PROMPT, at(700)), Change::None);
        for ms in [800, 801, 802, 1200] {
            assert_eq!(record(&breaker, LATE, at(ms)), Change::None, "one pause of a busy machine");
        }
        assert_eq!(record(&breaker, LATE, at(1300)), Change::Opened(of("slow")));
        assert!(!breaker.allows());
    }

    #[test]
    fn a_refused_command_is_told_once_and_keeps_nothing_away() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(record(&breaker, Outcome::Refused(of("memory")), at(0)), Change::Refused(of("memory")));
        assert_eq!(record(&breaker, Outcome::Refused(of("memory")), at(9)), Change::None);
        assert_eq!(record(&breaker, PROMPT, at(9)), Change::None, "reads still work");
        assert!(breaker.allows());
        assert_eq!(breaker.problem(at(18)), Some(of("memory")));
        assert_eq!(breaker.problem(at(19)), None);
        assert_eq!(record(&breaker, Outcome::Refused(of("memory")), at(30)), Change::Refused(of("memory")));
    }

    proptest! {
        /// Whatever comes: it is open exactly from a report of opening to a report of closing.
        #[test]
        fn changes_tell_the_state(steps in prop::collection::vec((0..4_u8, any::<bool>(), 0..400_u64), 1..60)) {
            let (breaker, mut now, mut is_open) = (Breaker::default(), Instant::now(), false);
            for (kind, is_probe, ms) in steps {
                now += Duration::from_millis(ms);
                let outcome = match kind {
                    0 => PROMPT,
                    1 => LATE,
                    2 => Outcome::Refused(of("memory")),
                    _ => Outcome::Failed(of("unreachable")),
                };
                let change = if is_probe { breaker.probed(outcome, || of("slow"), now) } else { record(&breaker, outcome, now) };
                match change {
                    Change::Opened(_) => { prop_assert!(!is_open); is_open = true; }
                    Change::Closed => { prop_assert!(is_open); is_open = false; }
                    _ => {}
                }
                prop_assert_eq!(breaker.allows(), !is_open);
                prop_assert!(breaker.allows() || breaker.problem(now).is_some());
            }
        }
    }
}
