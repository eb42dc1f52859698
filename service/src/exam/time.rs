//! The time of an exam: what is left, and the events that change it.
//!
//! Input: the time on the clock of the database of record. Output: deadlines of exam and item, and timing events.
//! Remaining time is a function of the events alone, so a restart, another replica or a store failover does not
//! change it. Must not know: any clock.

use super::event::{Entry, Event};
use super::{Exam, Refusal};
use engine::EndReason;

/// Grace for network delay after a deadline, in milliseconds.
pub const GRACE: i64 = 2_000;

/// A change of an exam's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Pause the exam.
    Pause,
    /// Resume the exam.
    Resume,
    /// Add seconds; idempotent by key.
    Extend(u32, Option<String>),
}

impl Exam {
    /// The event for a change of the exam's time; `None` if the exam is in that state already.
    ///
    /// # Errors
    /// The exam has ended.
    pub fn timing(&self, timing: &Timing, now: i64) -> Result<Option<Entry>, Refusal> {
        let event = match timing {
            // Repeated requests are recognised before any other check.
            Timing::Extend(_, Some(key)) if self.was_extended(key) => return Ok(None),
            _ if self.end().is_some() => {
                return Err(Refusal::Ended(self.end().unwrap_or(EndReason::Manual)));
            }
            Timing::Pause if self.is_paused() => return Ok(None),
            Timing::Resume if !self.is_paused() => return Ok(None),
            Timing::Pause => Event::Paused,
            Timing::Resume => Event::Resumed,
            Timing::Extend(seconds, key) => Event::Extended { seconds: *seconds, key: key.clone() },
        };
        Ok(Some(self.entry(event, now)))
    }

    fn was_extended(&self, wanted: &str) -> bool {
        let keys = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Extended { key, .. } => key.as_deref(),
            _ => None,
        });
        keys.into_iter().any(|key| key == wanted)
    }

    /// Whether the exam is paused.
    pub fn is_paused(&self) -> bool {
        let timing = self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::Paused => Some(true),
            Event::Resumed => Some(false),
            _ => None,
        });
        timing.unwrap_or(false)
    }

    /// The exam's deadline, in milliseconds since 1970 UTC; `None` without a time limit and while the exam is
    /// paused.
    pub fn deadline(&self) -> Option<i64> {
        let limit = self.head.terms.lengthened(self.head.policy.stop.max_seconds?);
        Some(self.head.started_at + limit + self.added_since(0)?)
    }

    /// The deadline of the current item; as [`Exam::deadline`].
    pub fn item_deadline(&self) -> Option<i64> {
        self.current_item()?;
        let limit = self.head.terms.lengthened(self.head.terms.item_seconds?);
        let shown = self.entries.iter().rposition(|entry| !entry.event.is_timing())?;
        Some(self.entries[shown].at + limit + self.added_since(shown)?)
    }

    /// When the exam expires if it is not continued, in milliseconds since 1970 UTC; `None` if it never does.
    pub fn expires_at(&self) -> Option<i64> {
        let closes = self.head.terms.closes_at.map(|closes| closes + self.extended_since(0));
        closes.into_iter().chain(self.deadline().map(|deadline| deadline + GRACE)).min()
    }

    /// Why the exam's time is over, if it is.
    pub fn is_over(&self, now: i64) -> Option<EndReason> {
        let passed = |limit: Option<i64>| limit.is_some_and(|limit| now >= limit);
        match () {
            () if passed(self.deadline().map(|deadline| deadline + GRACE)) => Some(EndReason::TimeLimit),
            () if passed(self.expires_at()) => Some(EndReason::Expired),
            () => None,
        }
    }

    /// Whether an answer that arrives now is late.
    pub(super) fn is_late(&self, now: i64) -> bool {
        self.item_deadline().is_some_and(|deadline| now >= deadline + GRACE)
    }

    /// Seconds since the start as the time rule counts them: they equal the limit at the deadline, so pauses and
    /// extensions are excluded.
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
    pub(super) fn elapsed(&self, now: i64) -> f64 {
        match (self.head.policy.stop.max_seconds, self.deadline()) {
            (Some(limit), Some(deadline)) => f64::from(limit) - (deadline - now) as f64 / 1000.0,
            _ => (now - self.head.started_at) as f64 / 1000.0,
        }
    }

    /// Milliseconds added by pauses and extensions after an event; `None` while the exam is paused.
    fn added_since(&self, index: usize) -> Option<i64> {
        if self.is_paused() {
            return None;
        }
        let mut added = self.extended_since(index);
        let mut since = None;
        for entry in self.entries.iter().skip(index + 1) {
            match entry.event {
                Event::Paused => since = Some(entry.at),
                Event::Resumed => added += since.take().map_or(0, |paused| entry.at - paused),
                _ => {}
            }
        }
        Some(added)
    }

    fn extended_since(&self, index: usize) -> i64 {
        let added = self.entries.iter().skip(index + 1).map(|entry| match entry.event {
            Event::Extended { seconds, .. } => i64::from(seconds) * 1000,
            _ => 0,
        });
        added.sum()
    }

    /// The next event.
    pub(super) fn entry(&self, event: Event, now: i64) -> Entry {
        Entry { seq: self.version() + 1, at: self.at(now), event }
    }

    /// The time of the next event. Clocks of two replicas may differ slightly; the time within an exam never
    /// decreases.
    pub(super) fn at(&self, now: i64) -> i64 {
        self.entries.last().map_or(now, |last| now.max(last.at))
    }
}

#[cfg(test)]
mod tests;
