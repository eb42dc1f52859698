//! What an exam lost while the service could not be reached, and how long its end is held for that.
//!
//! Input: outages on the clock of the database of record. Output: the extensions that give each exam its lost time
//! back, once for each outage. Must not know: how an outage is noticed, any clock.

use super::Exam;
use super::event::Event;
use super::time::{GRACE, Timing};

/// A period in which no replica could reach the database of record, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last sign of life before it.
    pub began_at: i64,
    /// The first sign of life after it.
    pub ended_at: i64,
}

impl Outage {
    /// Idempotency key of the extension that gives its time back. No client can send its first character.
    fn key(self) -> String {
        format!("\u{1}outage {}", self.began_at)
    }
}

impl Exam {
    /// The extensions that give back what this exam lost and has not got back yet: one for each outage, rounded up
    /// to whole seconds. The time that its end was held counts as lost, too, because no answer was accepted then.
    pub fn credits(&self, outages: &[Outage], now: i64) -> Vec<Timing> {
        let mut lost: Vec<(Outage, i64)> = self.lost(outages).collect();
        if let Some((outage, lost)) = lost.last_mut() {
            let over = self.over(now).and(self.ends_at());
            *lost += over.map_or(0, |ends_at| (now - outage.ended_at.max(ends_at)).max(0));
        }
        let credit = |(outage, lost): (Outage, i64)| {
            let seconds = u32::try_from((lost + 999) / 1000).unwrap_or(u32::MAX);
            Timing::Extend(seconds, Some(outage.key()))
        };
        lost.into_iter().map(credit).collect()
    }

    /// Until when an exam whose time is over is not ended, because an outage took of its time: `grace` milliseconds
    /// after the outage. `None` if it is to be ended.
    pub fn held_until(&self, outages: &[Outage], grace: i64, now: i64) -> Option<i64> {
        let ends_at = self.ends_at()?;
        let reaches =
            |outage: &Outage| ends_at + GRACE > outage.began_at && ends_at < outage.ended_at + grace;
        let until = self.lost(outages).filter(|(outage, _)| reaches(outage));
        until.map(|(outage, _)| outage.ended_at + grace).max().filter(|until| now < *until)
    }

    /// Milliseconds that each outage took and that were not given back: from the last sign of life of service or
    /// exam to the end of the outage, unless the exam was paused or had not begun.
    fn lost<'o>(&'o self, outages: &'o [Outage]) -> impl Iterator<Item = (Outage, i64)> + 'o {
        outages.iter().filter(|outage| !self.was_extended(&outage.key())).filter_map(|outage| {
            let (mut last, mut is_running) = (None, true);
            for entry in self.entries.iter().take_while(|entry| entry.at <= outage.ended_at) {
                last = Some(entry.at);
                match entry.event {
                    Event::Paused | Event::Completed { .. } => is_running = false,
                    Event::Resumed | Event::Reopened { .. } => is_running = true,
                    Event::Started { .. } | Event::Answered { .. } | Event::Extended { .. } => {}
                }
            }
            let lost = outage.ended_at - last?.max(outage.began_at);
            (lost > 0 && is_running).then_some((*outage, lost))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::bank::ItemBank;
    use std::sync::Arc;

    const OUTAGE: Outage = Outage { began_at: 100_000, ended_at: 700_000 };

    /// An exam of the default policy that closes at a time, started at 0.
    fn exam(closes_at: i64) -> Exam {
        let mut exam = Exam::clone(&Exam::sample(1, &Arc::new(ItemBank::sample())));
        exam.head.terms.closes_at = Some(closes_at);
        exam
    }

    fn change(exam: &mut Exam, timing: &Timing, at: i64) {
        let entry = exam.timing(timing, at).unwrap().unwrap();
        exam.apply(entry).unwrap();
    }

    fn seconds(exam: &Exam, now: i64) -> Vec<u32> {
        let seconds = |timing| match timing {
            Timing::Extend(seconds, _) => seconds,
            other => panic!("{other:?}"),
        };
        exam.credits(&[OUTAGE], now).into_iter().map(seconds).collect()
    }

    #[test]
    fn an_exam_gets_back_what_it_lost_and_once() {
        let mut open = exam(3_600_000);
        assert_eq!(seconds(&open, 800_000), [600]);
        let credit = open.credits(&[OUTAGE], 800_000).remove(0);
        change(&mut open, &credit, 800_000);
        assert_eq!((seconds(&open, 900_000), open.ends_at()), (vec![], Some(4_200_000)));
    }

    #[test]
    fn what_an_exam_did_not_lose_it_does_not_get() {
        let mut paused = exam(3_600_000);
        change(&mut paused, &Timing::Pause, 50_000);
        assert_eq!(seconds(&paused, 800_000), [0; 0]);
        let mut seen_later = exam(3_600_000);
        change(&mut seen_later, &Timing::Extend(1, None), 100_500);
        assert_eq!(seconds(&seen_later, 800_000), [600], "599.5 s");
        let mut later = exam(3_600_000);
        later.entries[0].at = 710_000;
        assert_eq!(seconds(&later, 800_000), [0; 0]);
    }

    #[test]
    fn the_end_is_held_for_the_grace_and_the_wait_counts_as_lost() {
        let grace = 600_000;
        let held = |closes_at, now| exam(closes_at).held_until(&[OUTAGE], grace, now);
        assert_eq!(held(400_000, 800_000), Some(1_300_000));
        assert_eq!(held(400_000, 1_300_000), None, "the grace is over");
        assert_eq!(held(97_000, 800_000), None, "it was over before the outage");
        assert_eq!(held(900_000, 902_000), Some(1_300_000), "the outage took of its time, too");
        let mut over = exam(400_000);
        let credit = over.credits(&[OUTAGE], 1_000_000).remove(0);
        change(&mut over, &credit, 1_000_000);
        assert_eq!(over.ends_at(), Some(1_300_000), "it had 300 s left when the outage began");
        assert_eq!(over.held_until(&[OUTAGE], grace, 1_302_000), None);
    }
}
