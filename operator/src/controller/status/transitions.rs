//! The last changes of the store's mode: recorded when they begin, completed when every pod has adopted them. Pure.
//!
//! Input: the list as it was, and what runs. Output: the list as it is. Must not know: objects.

use crate::controller::validate::Desired;
use crate::crd::{self, AdaptiveExamDeploymentStatus, Digests, Mode, Request, Transition};
use contract::OpenExams;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How many are kept.
const KEPT: usize = 10;

/// What runs, and what is to run.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The mode that ran when the status was last published.
    pub before: Option<&'a str>,
    /// The mode that runs.
    pub now: Option<&'a str>,
    /// The mode that is to run.
    pub wanted: &'a str,
    /// Whether every pod runs it.
    pub is_adopted: bool,
    /// Why it is to run.
    pub cause: &'static str,
    /// Open exams, if the service says it.
    pub open: Option<&'a OpenExams>,
}

/// The list after this look.
pub fn record(mut list: Vec<Transition>, running: Running<'_>, now: &Time) -> Vec<Transition> {
    let Running { before, now: runs, wanted, is_adopted, cause, open } = running;
    let count = open.and_then(|open| i64::try_from(open.count).ok());
    let digest = open.map(|open| open.digest.clone());
    let open = list.last_mut().filter(|last| last.seconds.is_none());
    match (open, before) {
        (Some(open), _) => {
            // Another mode came to be wanted before this one ran.
            if open.to != wanted {
                wanted.clone_into(&mut open.to);
                cause.clone_into(&mut open.cause);
            }
            if runs == Some(wanted) && is_adopted {
                let took = now.0.as_second().saturating_sub(open.at.0.as_second());
                open.seconds = Some(took.max(0));
                open.open_exams.after = count;
                open.digest.after = digest;
            }
        }
        (None, Some(before)) if before != wanted => list.push(Transition {
            from: before.to_owned(),
            to: wanted.to_owned(),
            cause: cause.to_owned(),
            at: now.clone(),
            seconds: None,
            open_exams: crd::OpenExams { before: count, after: None },
            digest: Digests { before: digest, after: None },
        }),
        (None, _) => {}
    }
    let surplus = list.len().saturating_sub(KEPT);
    list.drain(..surplus);
    list
}

/// Whether a change of the mode begins or is under way.
pub fn is_turning(before: &AdaptiveExamDeploymentStatus, wanted: Mode) -> bool {
    before.mode.as_ref().is_some_and(|mode| mode != wanted.as_str())
        || before.transitions.last().is_some_and(|last| last.seconds.is_none())
}

/// Why the mode changes.
pub(super) fn cause(desired: &Desired, runs: Option<&str>) -> &'static str {
    match desired.rollback {
        Some(Request::Memory) => "RollbackRequested",
        Some(Request::Return) if runs == Some(Mode::Memory.as_str()) => "ReturnRequested",
        _ => "SpecChanged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn running<'a>(before: &'a str, now: &'a str, wanted: &'a str) -> Running<'a> {
        Running {
            before: Some(before),
            now: Some(now),
            wanted,
            is_adopted: now == wanted,
            cause: "SpecChanged",
            open: None,
        }
    }

    fn seven(digest: &str) -> OpenExams {
        OpenExams { count: 7, digest: digest.to_owned() }
    }

    #[test]
    fn a_change_is_recorded_when_it_begins_and_when_every_pod_has_it() {
        let first = Running { before: None, ..running("", "memory", "memory") };
        assert!(record(Vec::new(), first, &at(1)).is_empty(), "the first mode is no change");
        assert!(record(Vec::new(), running("basic", "basic", "basic"), &at(1)).is_empty());
        let (then, later) = (seven("aa"), seven("bb"));
        let begin = Running { open: Some(&then), ..running("basic", "basic", "memory") };
        let begun = record(Vec::new(), begin, &at(10));
        assert_eq!(
            (begun[0].from.as_str(), begun[0].to.as_str(), begun[0].seconds),
            ("basic", "memory", None)
        );
        let half = Running { is_adopted: false, ..running("basic", "memory", "memory") };
        assert_eq!(record(begun.clone(), half, &at(11)), begun, "one pod is not all");
        let end = Running { open: Some(&later), ..running("basic", "memory", "memory") };
        let done = record(begun, end, &at(12));
        assert_eq!((done[0].seconds, done[0].open_exams.after), (Some(2), Some(7)));
        let Digests { before, after } = &done[0].digest;
        assert_eq!((before.as_deref(), after.as_deref()), (Some("aa"), Some("bb")));
        assert_eq!(
            record(done.clone(), running("memory", "memory", "memory"), &at(99)),
            done,
            "at rest it stays"
        );
    }

    #[test]
    fn a_change_of_mind_is_one_change_and_ten_are_kept() {
        let begun = record(Vec::new(), running("basic", "basic", "memory"), &at(10));
        let back = record(begun, running("basic", "basic", "basic"), &at(11));
        assert_eq!((back.len(), back[0].to.as_str(), back[0].seconds), (1, "basic", Some(1)));
        let mut list = back;
        for turn in 0..12 {
            let (from, to) = if turn % 2 == 0 { ("basic", "memory") } else { ("memory", "basic") };
            list = record(list, running(from, from, to), &at(20 + turn * 10));
            list = record(list, running(from, to, to), &at(22 + turn * 10));
        }
        assert_eq!((list.len(), list[9].at.clone()), (KEPT, at(130)));
    }
}
