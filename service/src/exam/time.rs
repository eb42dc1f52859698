//! An exam's time: what is left of it, and the events that change it.
//!
//! Comes in: a moment on the clock of the database of record. Goes out: when exam and item are over, and the next event. What
//! is left follows from events alone, so a restart, another replica or a change of store never changes it.
//! Must not know: any clock.

use super::event::{Entry, Event};
use super::{Exam, Refusal};
use engine::EndReason;

/// What was sent in time may take so long to arrive, in milliseconds.
pub const GRACE: i64 = 2_000;

/// What somebody who runs exams wants of an exam's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Time stands still.
    Pause,
    /// Time goes on.
    Resume,
    /// So many seconds more; once for each key.
    Extend(u32, Option<String>),
}

impl Exam {
    /// The event that a change of the exam's time leads to; `None` where the exam is so already.
    ///
    /// # Errors
    /// It is over.
    pub fn timing(&self, timing: &Timing, now: i64) -> Result<Option<Entry>, Refusal> {
        let event = match timing {
            // A repetition is seen before anything else.
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

    /// Whether its time stands still.
    pub fn is_paused(&self) -> bool {
        let timing = self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::Paused => Some(true),
            Event::Resumed => Some(false),
            _ => None,
        });
        timing.unwrap_or(false)
    }

    /// When the exam's limit is reached, in milliseconds since 1970 UTC; `None` without a limit, and
    /// while its time stands still.
    pub fn deadline(&self) -> Option<i64> {
        let limit = self.head.terms.lengthened(self.head.policy.stop.max_seconds?);
        Some(self.head.started_at + limit + self.added_since(0)?)
    }

    /// When the time of the item on the screen is over; as [`Exam::deadline`].
    pub fn item_deadline(&self) -> Option<i64> {
        self.current_item()?;
        let limit = self.head.terms.lengthened(self.head.terms.item_seconds?);
        let shown = self.entries.iter().rposition(|entry| !entry.event.is_timing())?;
        Some(self.entries[shown].at + limit + self.added_since(shown)?)
    }

    /// When the exam ends by itself, should nobody go on with it; `None` if it never does.
    pub fn expires_at(&self) -> Option<i64> {
        let closes = self.head.terms.closes_at.map(|closes| closes + self.extended_since(0));
        closes.into_iter().chain(self.deadline().map(|deadline| deadline + GRACE)).min()
    }

    /// Why it is over by the clock, if it is.
    pub fn is_over(&self, now: i64) -> Option<EndReason> {
        let passed = |limit: Option<i64>| limit.is_some_and(|limit| now >= limit);
        match () {
            () if passed(self.deadline().map(|deadline| deadline + GRACE)) => Some(EndReason::TimeLimit),
            () if passed(self.expires_at()) => Some(EndReason::Expired),
            () => None,
        }
    }

    /// Whether an answer that arrives now comes after its item's time.
    pub(super) fn is_late(&self, now: i64) -> bool {
        self.item_deadline().is_some_and(|deadline| now >= deadline + GRACE)
    }

    /// Seconds since the start, as far as the rule on the exam's time sees them: its limit is reached at
    /// the deadline.
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
    pub(super) fn elapsed(&self, now: i64) -> f64 {
        match (self.head.policy.stop.max_seconds, self.deadline()) {
            (Some(limit), Some(deadline)) => f64::from(limit) - (deadline - now) as f64 / 1000.0,
            _ => (now - self.head.started_at) as f64 / 1000.0,
        }
    }

    /// Milliseconds that pauses and extensions after an event have added; `None` while time stands still.
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

    /// The time of the next event. Clocks of two replicas may differ by a little; an exam's never goes back.
    pub(super) fn at(&self, now: i64) -> i64 {
        self.entries.last().map_or(now, |last| now.max(last.at))
    }
}

#[cfg(test)]
mod tests;
