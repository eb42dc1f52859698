//! A snapshot of an open exam, in the form that the store holds: small, readable with `redis-cli GET`, and
//! sufficient to continue the exam without reading the log.
//!
//! Input: an [`Exam`], or a JSON text. Output: the JSON text, or the exam replayed from it. A snapshot is a cache
//! entry: its version is checked against the log before it is used. Must not know: which store holds it.

use super::Exam;
use super::bank::ItemBank;
use super::event::{Chain, Constrained, Entry, Event, Head, Next};
use super::item::ItemId;
use super::response::{Response, Timed};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A snapshot of an exam. `version` comes first in the text, because the store compares it there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Seq of the last event it includes.
    pub version: i64,
    /// Ability from all its answers.
    pub theta: f64,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Number of answers.
    pub items_completed: usize,
    /// The current item.
    pub item: ItemId,
    /// What constrained the choice of the first item.
    #[serde(default, skip_serializing_if = "Constrained::is_none")]
    pub constrained: Constrained,
    /// The answers, in order.
    pub responses: Vec<Response>,
    /// Timing events, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timing: Vec<Timed>,
    /// The exam's head.
    pub exam: Head,
    /// The hash chain over all events.
    pub chain: Chain,
}

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is corrupt: {0}")]
pub struct Corrupt(pub String);

/// Whether the text starts as a snapshot of this version; the rest is not parsed.
pub fn has_version(text: &str, version: i64) -> bool {
    let rest = text.strip_prefix("{\"version\":").and_then(|rest| rest.split_once(','));
    rest.is_some_and(|(told, _)| told.parse() == Ok(version))
}

impl Snapshot {
    /// The snapshot of an open exam; `None` once it has ended, also if it was reopened after that: the form has no
    /// place for an end.
    pub fn of(exam: &Exam) -> Option<Self> {
        if exam.entries().iter().any(|entry| matches!(entry.event, Event::Reopened { .. })) {
            return None;
        }
        let ability = exam.ability();
        let response = |entry: &Entry| match &entry.event {
            Event::Answered {
                item,
                submitted,
                category,
                missing,
                response_time_ms,
                late,
                coarse,
                constrained,
                ..
            } => Some(Response {
                item: *item,
                submitted: *submitted,
                category: *category,
                missing: *missing,
                response_time_ms: *response_time_ms,
                late: *late,
                coarse: *coarse,
                at: entry.at,
                constrained: constrained.clone(),
            }),
            _ => None,
        };
        let timed = |Entry { seq, at, event }: &Entry| {
            event.is_timing().then(|| Timed { seq: *seq, at: *at, event: event.clone() })
        };
        let constrained = match &exam.entries().first()?.event {
            Event::Started { constrained, .. } => constrained.clone(),
            _ => return None,
        };
        Some(Self {
            version: exam.version(),
            theta: ability.theta,
            standard_error: ability.standard_error,
            items_completed: exam.items_completed(),
            item: exam.current_item()?,
            constrained,
            responses: exam.entries().iter().filter_map(response).collect(),
            timing: exam.entries().iter().filter_map(timed).collect(),
            exam: exam.head().clone(),
            chain: exam.chain().clone(),
        })
    }

    /// Reads a snapshot of exam `id`.
    ///
    /// # Errors
    /// The text is not a snapshot of this exam.
    pub fn parse(text: &str, id: i64) -> Result<Self, Corrupt> {
        let snapshot: Self = serde_json::from_str(text).map_err(|error| Corrupt(error.to_string()))?;
        match snapshot.exam.id == id {
            true => Ok(snapshot),
            false => Err(Corrupt(format!("it is of exam {}", snapshot.exam.id))),
        }
    }

    /// The JSON text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a snapshot should have a JSON form")
    }

    /// Replays the exam: every ability is recomputed and the hash chain must match, so a modified snapshot is
    /// rejected.
    ///
    /// # Errors
    /// The answers do not form a valid exam, or not the one that the chain describes.
    pub fn restore(self, bank: Arc<ItemBank>) -> Result<Exam, Corrupt> {
        let first = self.responses.first().map_or(self.item, |response| response.item);
        let mut exam = Exam::restore_start(self.exam, bank, Next::Item(first), self.constrained)
            .map_err(|error| Corrupt(error.to_string()))?;
        let after: Vec<ItemId> =
            self.responses.iter().skip(1).map(|response| response.item).chain([self.item]).collect();
        let mut timing = self.timing.into_iter().peekable();
        let mut answers = self.responses.into_iter().zip(after);
        loop {
            let taken = match timing.next_if(|timed| timed.seq == exam.version() + 1) {
                Some(Timed { seq, at, event }) => exam.apply(Entry { seq, at, event }),
                None => match answers.next() {
                    Some((response, next)) => exam.apply_response(response, Next::Item(next)),
                    None => break,
                },
            };
            taken.map_err(|error| Corrupt(error.to_string()))?;
        }
        if exam.version() != self.version || exam.chain() != &self.chain {
            return Err(Corrupt("its answers do not give its version and hash".to_owned()));
        }
        Ok(exam)
    }
}
