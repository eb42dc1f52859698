//! What holds for one exam beside the rules of measurement: whose it is, its time, and what its examinee sees.
//!
//! Comes in: the exam type's word and the caller's, at the start. Goes out: a value that is stored with the exam
//! and never changes. It carries no name. Must not know: the clock, HTTP, who asks.

use contract::settings::Shown;
use serde::{Deserialize, Serialize};

/// The terms of an exam. Plain terms leave no trace in what is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Mark of the examinee it belongs to, made by [`mark`]; without one only trusted callers reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Seconds for an item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_seconds: Option<u32>,
    /// Share by which every limit is longer for this examinee: 0.5 is half as much again.
    #[serde(skip_serializing_if = "is_zero")]
    pub extra_time: f64,
    /// An exam that is still open then ends by itself, in milliseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<i64>,
    /// What its examinee sees of the measurement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Shown>,
}

impl Terms {
    /// Whether they are those of an exam that was started before there were any.
    pub fn are_plain(&self) -> bool {
        *self == Self::default()
    }

    /// A limit with this examinee's share of extra time, in milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "a limit is below 2^53 milliseconds")]
    pub fn lengthened(&self, seconds: u32) -> i64 {
        (f64::from(seconds) * 1000.0 * (1.0 + self.extra_time)).round() as i64
    }
}

/// A mark that tells an owner again, and tells nobody else who it is: marks of one person differ from exam
/// to exam.
pub fn mark(subject: &str, seed: i64) -> String {
    super::digest::digest(&[b"owner", &seed.to_be_bytes(), subject.as_bytes()])
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_terms_leave_no_trace() {
        assert_eq!(serde_json::to_string(&Terms::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<Terms>("{}").unwrap().are_plain());
    }

    #[test]
    fn extra_time_is_a_share_of_the_limit() {
        let terms = Terms { extra_time: 0.25, ..Terms::default() };
        assert_eq!(terms.lengthened(60), 75_000);
        assert_eq!(Terms::default().lengthened(60), 60_000);
    }

    #[test]
    fn a_mark_is_of_one_person_in_one_exam() {
        assert_eq!(mark("ada", 1), mark("ada", 1));
        assert_ne!(mark("ada", 1), mark("ada", 2));
        assert_ne!(mark("ada", 1), mark("bob", 1));
    }
}
