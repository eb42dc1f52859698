//! The time of an exam: what is left, and the events that change it.
//!
//! Input: the time on the clock of the database of record. Output: deadlines of exam and item, and timing events.
//! Remaining time is a function of the events alone, so a restart, another replica or a store failover does not
//! change it. An exam ends at the earliest of its limits, by the grace for the network later; that moment is also the
//! time of its ending event, whenever the event is written. Must not know: any clock.

use super::conversion::{constrained, next};
use super::event::{Entry, Event, Next};
use super::{Exam, Refusal};
use engine::{EndReason, Exposure, Outside};

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
    /// Reopen an exam that ended by time, with these seconds from now.
    Reopen(u32),
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
            Timing::Reopen(seconds) => return self.reopen(*seconds, now),
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

    /// Reopens an exam that ended by time, so that `seconds` are left from now. Nothing changes while it is open.
    fn reopen(&self, seconds: u32, now: i64) -> Result<Option<Entry>, Refusal> {
        match self.end() {
            None => return Ok(None),
            Some(_) if self.is_over_by_time() => {}
            Some(reason) => return Err(Refusal::Ended(reason)),
        }
        let outside = Outside { exposure: Exposure::Unknown, elapsed: 0.0 };
        let decided = self.engine.decide_reopen(&outside).map_err(|_| Refusal::NotCurrent)?;
        let (next, constrained) = (next(&decided.0), constrained(&decided.1));
        if let Next::End(reason) = next {
            return Err(Refusal::Ended(reason));
        }
        let ends_at = self.ends_at().unwrap_or(now);
        let milliseconds = (self.at(now) + i64::from(seconds) * 1000 - ends_at).max(0);
        Ok(Some(self.entry(Event::Reopened { milliseconds, next, constrained }, now)))
    }

    /// Whether time has ended the exam.
    pub(super) fn is_over_by_time(&self) -> bool {
        matches!(self.end(), Some(EndReason::TimeLimit | EndReason::Expired))
    }

    /// Whether an extension with this key was applied.
    pub fn was_extended(&self, wanted: &str) -> bool {
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

    /// The deadline by the exam's time limit, in milliseconds since 1970 UTC; `None` without a limit and while the
    /// exam is paused.
    fn time_limit(&self) -> Option<i64> {
        let limit = self.head.terms.lengthened(self.head.policy.stop.max_seconds?);
        Some(self.head.started_at + limit + self.added_since(0)?)
    }

    /// When the exam closes, however much of its time limit is left. It does so while it is paused, too.
    fn closes_at(&self) -> Option<i64> {
        self.head.terms.closes_at.map(|closes| closes + self.extended_since(0))
    }

    /// The exam's deadline, in milliseconds since 1970 UTC: the earliest of its limits; `None` without any.
    pub fn ends_at(&self) -> Option<i64> {
        self.time_limit().into_iter().chain(self.closes_at()).min()
    }

    /// The deadline of the current item, at the latest that of the exam; `None` without a limit and while the exam
    /// is paused. A reopened exam gives the item its time again.
    pub fn item_deadline(&self) -> Option<i64> {
        self.current_item()?;
        let limit = self.head.terms.lengthened(self.head.terms.item_seconds?);
        let shows = |event: &Event| matches!(event, Event::Reopened { .. }) || !event.is_timing();
        let shown = self.entries.iter().rposition(|entry| shows(&entry.event))?;
        let deadline = self.entries[shown].at + limit + self.added_since(shown)?;
        Some(self.ends_at().map_or(deadline, |ends| deadline.min(ends)))
    }

    /// When the exam ends by itself, in milliseconds since 1970 UTC: the grace after its deadline.
    pub fn expires_at(&self) -> Option<i64> {
        self.ends_at().map(|ends| ends + GRACE)
    }

    /// The event that ends an exam whose time is over, at the moment it was over; `None` if time is left or the exam
    /// has ended.
    pub fn over(&self, now: i64) -> Option<Entry> {
        let over_at = self.expires_at().filter(|at| now >= *at && self.end().is_none())?;
        let limit = self.time_limit().is_some_and(|limit| limit + GRACE <= over_at);
        let reason = if limit { EndReason::TimeLimit } else { EndReason::Expired };
        Some(self.entry(Event::Completed { reason }, over_at))
    }

    /// Whether an answer that arrives now is late.
    pub(super) fn is_late(&self, now: i64) -> bool {
        self.item_deadline().is_some_and(|deadline| now >= deadline + GRACE)
    }

    /// Seconds since the start as the time rule counts them: they equal the limit at the deadline, so pauses and
    /// extensions are excluded.
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
    pub(super) fn elapsed(&self, now: i64) -> f64 {
        match (self.head.policy.stop.max_seconds, self.time_limit()) {
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
            Event::Reopened { milliseconds, .. } => milliseconds,
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
