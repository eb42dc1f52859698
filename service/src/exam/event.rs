//! Events: what happened in an exam, in the form that is stored forever.
//!
//! Input: none. Output: plain values with a JSON form, and the hash chain over them. Items are identified by their
//! number in the exam's bank version, counted from 1. Must not know: where events are stored, who sends them.

use super::digest::digest;
use super::item::{ItemId, Submitted};
use super::policy::StoredPolicy;
use super::terms::Terms;
use engine::{Constraint, EndReason};
use serde::{Deserialize, Serialize};

/// The immutable part of an exam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Id of the exam; below 2^53, the largest integer that every JSON parser preserves.
    pub id: i64,
    /// Name of the exam type.
    pub exam_type: String,
    /// The policy, fixed for the whole exam.
    pub policy: StoredPolicy,
    /// Content hash of the bank.
    pub bank_version: String,
    /// Seed of all random choices; below 2^53.
    pub seed: i64,
    /// Version of the engine that started the exam.
    pub engine_version: String,
    /// Start, in milliseconds since 1970 UTC.
    pub started_at: i64,
    /// Owner, time limits, and what the examinee may see.
    #[serde(default, skip_serializing_if = "Terms::are_plain")]
    pub terms: Terms,
}

/// What follows an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// This item is current.
    Item(ItemId),
    /// The exam has ended.
    End(EndReason),
}

/// What constrained the choice of the next item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constrained {
    /// Constraints that were relaxed because they would have left no item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relaxed: Vec<Constraint>,
    /// Items that exposure control held back at this step, by the shared exposure counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<ItemId>,
    /// The item that would have been chosen if none had been held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ItemId>,
}

impl Constrained {
    /// Whether the choice was unconstrained.
    pub fn is_none(&self) -> bool {
        self.relaxed.is_empty() && self.held_back.is_empty() && self.wanted.is_none()
    }
}

/// One event of an exam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The exam started.
    Started {
        /// Ability the first item was chosen for.
        theta: f64,
        /// Its standard error: the standard deviation of the prior, if there is a prior.
        standard_error: Option<f64>,
        /// The first item.
        next: Next,
        /// What constrained its choice.
        #[serde(default, skip_serializing_if = "Constrained::is_none")]
        constrained: Constrained,
    },
    /// The current item was answered.
    Answered {
        /// The item.
        item: ItemId,
        /// What was submitted.
        submitted: Submitted,
        /// The graded answer: 0 wrong, 1 right.
        category: u8,
        /// Whether it counts as no response: `category` says nothing then.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
        /// Milliseconds the examinee took, as the caller measured them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_time_ms: Option<u32>,
        /// Whether it arrived after the item's time limit; it counts as omitted then.
        #[serde(default, skip_serializing_if = "is_false")]
        late: bool,
        /// Ability from this and all earlier answers.
        theta: f64,
        /// Its standard error, if there is one.
        standard_error: Option<f64>,
        /// Whether the standard error is below the node spacing of the estimator's grid, and so not to be trusted.
        #[serde(default, skip_serializing_if = "is_false")]
        coarse: bool,
        /// The next item, chosen and committed with this answer, or the end.
        next: Next,
        /// What constrained its choice.
        #[serde(default, skip_serializing_if = "Constrained::is_none")]
        constrained: Constrained,
    },
    /// The exam is paused: time stops and answers are refused.
    Paused,
    /// The exam is resumed.
    Resumed,
    /// The exam and its current item have more time.
    Extended {
        /// Additional time, in seconds.
        seconds: u32,
        /// Idempotency key of the extension.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// The exam was ended, by a caller or by a time limit.
    Completed {
        /// Why.
        reason: EndReason,
    },
    /// An exam that ended by time goes on.
    Reopened {
        /// Added to every limit, in milliseconds.
        milliseconds: i64,
        /// The next item: the one that was current, or a new one if the exam ended with an answer.
        next: Next,
        /// What constrained its choice.
        #[serde(default, skip_serializing_if = "Constrained::is_none")]
        constrained: Constrained,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

impl Event {
    /// The event's name, as in the log and in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Answered { .. } => "answered",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Extended { .. } => "extended",
            Self::Completed { .. } => "completed",
            Self::Reopened { .. } => "reopened",
        }
    }

    /// Whether the exam has ended with this event.
    pub fn is_ending(&self) -> bool {
        match self {
            Self::Started { next, .. } | Self::Answered { next, .. } => matches!(next, Next::End(_)),
            Self::Paused | Self::Resumed | Self::Extended { .. } | Self::Reopened { .. } => false,
            Self::Completed { .. } => true,
        }
    }

    /// Whether it changes the time of the exam, and nothing of the measurement. The exam is open after it.
    pub fn is_timing(&self) -> bool {
        matches!(self, Self::Paused | Self::Resumed | Self::Extended { .. } | Self::Reopened { .. })
    }
}

/// An event with its position in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Position in the exam: 0 for the start, then consecutive.
    pub seq: i64,
    /// When it was decided, in milliseconds since 1970 UTC.
    pub at: i64,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// The event's JSON, as it is stored and hashed.
    pub fn body(&self) -> String {
        serde_json::to_string(&self.event).expect("an event should have a JSON form")
    }
}

/// An event in its stored form, bound to the event before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The event with its position.
    pub entry: Entry,
    /// Its JSON.
    pub body: String,
    /// The hash chain before it.
    pub before: Chain,
    /// The hash chain including it.
    pub after: Chain,
}

/// A hash chain: the hash of each event covers the hash before it, so a modified row is detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain(String);

impl Chain {
    /// The root of the chain: a hash of the exam's head without `closes_at`, which may be set later.
    pub fn root(head: &Head) -> Self {
        Self(digest(&[Self::row(head).as_bytes()]))
    }

    /// The text that the root covers. This form never changes, even if the JSON form of a head does; the policy is
    /// covered in the text it was stored as.
    fn row(head: &Head) -> String {
        fn json(value: &impl Serialize) -> String {
            serde_json::to_string(value).expect("a part of a head should have a JSON form")
        }
        let Head { id, exam_type, policy, bank_version, seed, engine_version, started_at, terms } = head;
        let [exam_type, bank_version, engine_version] = [exam_type, bank_version, engine_version].map(json);
        let (policy, terms) = (policy.text(), Terms { closes_at: None, ..terms.clone() });
        let terms = if terms.are_plain() { String::new() } else { format!(r#","terms":{}"#, json(&terms)) };
        format!(
            r#"{{"id":{id},"exam_type":{exam_type},"policy":{policy},"bank_version":{bank_version},"seed":{seed},"engine_version":{engine_version},"started_at":{started_at}{terms}}}"#
        )
    }

    /// The chain extended by one event.
    pub fn after(&self, entry: &Entry) -> Self {
        self.after_body(entry, &entry.body())
    }

    fn after_body(&self, entry: &Entry, body: &str) -> Self {
        let place = format!("{} {} ", entry.seq, entry.at);
        Self(digest(&[self.0.as_bytes(), place.as_bytes(), body.as_bytes()]))
    }

    /// Seals an event: its stored form with the chain before and after it.
    pub fn seal(&self, entry: Entry) -> Sealed {
        let body = entry.body();
        let after = self.after_body(&entry, &body);
        Sealed { entry, body, before: self.clone(), after }
    }

    /// The hash at the end of the chain, in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Policy;

    fn head(policy: StoredPolicy, terms: Terms) -> Head {
        Head {
            id: 7,
            exam_type: "a \"quoted\" type".to_owned(),
            policy,
            bank_version: "0123456789abcdef".to_owned(),
            seed: 42,
            engine_version: "0.1.0".to_owned(),
            started_at: 1_795_646_921_483,
            terms,
        }
    }

    #[test]
    fn a_root_covers_a_head_as_it_has_always_been_written() {
        let long = Terms { extra_time: 0.25, ..Terms::default() };
        for terms in [Terms::default(), long] {
            let head = head(Policy::default().into(), terms.clone());
            assert_eq!(Chain::row(&head), serde_json::to_string(&head).unwrap());
            // `closes_at` is not covered.
            let closing = Head { terms: Terms { closes_at: Some(1), ..terms }, ..head.clone() };
            assert_eq!(Chain::root(&closing), Chain::root(&head));
        }
    }

    #[test]
    fn a_root_covers_the_text_that_a_policy_was_stored_as() {
        let stored = r#"{"start_theta":0.5,"stop":{"max_items":8}}"#;
        let row = Chain::row(&head(StoredPolicy::read(stored).unwrap(), Terms::default()));
        assert!(row.contains(&format!(r#","policy":{stored},"bank_version":"#)), "{row}");
    }
}
