//! The terms of one exam besides its policy: owner, time limits, and what the examinee may see.
//!
//! Input: the exam type and the start request. Output: a value stored with the exam that never changes. It
//! identifies no person. Must not know: the clock, HTTP, who calls.

use contract::settings::Shown;
use serde::{Deserialize, Serialize};

/// The terms of an exam. Default terms are omitted from the stored form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Pseudonym of the examinee who owns it, made by [`pseudonym`]; without one only trusted callers may access it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Time limit of an item, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_seconds: Option<u32>,
    /// Extra time as a share of every limit: 0.5 makes a limit 1.5 times as long.
    #[serde(skip_serializing_if = "is_zero")]
    pub extra_time: f64,
    /// When an exam that is still open expires, in milliseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<i64>,
    /// What the examinee may see of the measurement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Shown>,
}

impl Terms {
    /// Whether these are the default terms.
    pub fn are_plain(&self) -> bool {
        *self == Self::default()
    }

    /// A limit including this examinee's extra time, in milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "a limit is below 2^53 milliseconds")]
    pub fn lengthened(&self, seconds: u32) -> i64 {
        (f64::from(seconds) * 1000.0 * (1.0 + self.extra_time)).round() as i64
    }
}

/// A pseudonym of a subject: it recognises the owner of an exam, reveals no identity, and differs between the exams
/// of one person.
pub fn pseudonym(subject: &str, seed: i64) -> String {
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
        assert_eq!(pseudonym("ada", 1), pseudonym("ada", 1));
        assert_ne!(pseudonym("ada", 1), pseudonym("ada", 2));
        assert_ne!(pseudonym("ada", 1), pseudonym("bob", 1));
    }
}
