//! Many wishes as one transaction.
//!
//! Comes in: wishes. Goes out: their fates, in the same order, once the commit is durable. Rows go sorted, so that two
//! services never wait for each other in a circle. Must not know: who waits.

use super::numbers::Numbers;
use super::own::{Own, by};
use super::statements::{self, EventRow, ExamRow};
use super::writer::{Begin, Event, Fate, Wish};
use super::{Appended, Created, Error, Examinee, NewExam, rows};
use crate::crash;
use crate::event::{Chain, Head, Sealed};
use crate::exam::Exam;
use std::collections::HashSet;

/// Writes all of these, in one transaction unless two starts ask for the same.
pub(super) async fn commit(
    own: &mut Own,
    numbers: &mut Numbers,
    wishes: &[Wish],
) -> Result<Vec<Fate>, Error> {
    let mut fates: Vec<Option<Fate>> = wishes.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..wishes.len()).collect();
    while !left.is_empty() {
        let now;
        (now, left) = apart(wishes, left);
        let some: Vec<&Wish> = now.iter().map(|place| &wishes[*place]).collect();
        for (place, fate) in now.iter().zip(write(own, numbers, &some).await?) {
            fates[*place] = Some(fate);
        }
    }
    Ok(fates.into_iter().flatten().collect())
}

/// Those that one statement can write, and the rest: of two starts with one key or one slot the second has to see the
/// first.
fn apart(wishes: &[Wish], places: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let (mut keys, mut slots) = (HashSet::new(), HashSet::new());
    places.into_iter().partition(|place| match &wishes[*place] {
        Wish::Append(_) => true,
        Wish::Create(new, _) => {
            keys.insert(key(new)) & new.slot.as_ref().is_none_or(|slot| slots.insert(slot))
        }
    })
}

/// A new exam that is not written yet.
struct Begun<'w> {
    new: &'w NewExam,
    key: String,
    exam: Exam,
    first: Sealed,
}

impl<'w> Begun<'w> {
    fn new(id: i64, new: &'w NewExam, begin: &Begin) -> Self {
        let exam = begin(&Head { id, ..new.head.clone() });
        let first = exam.entries().first().expect("an exam should begin with its first event");
        let first = Chain::root(exam.head()).seal(first.clone());
        Self { new, key: key(new), exam, first }
    }

    fn row(&self) -> ExamRow<'_> {
        let (head, examinee) = (self.exam.head(), &self.new.examinee);
        ExamRow {
            id: head.id,
            exam_type: &head.exam_type,
            policy: head.policy.text().into_owned(),
            bank_version: &head.bank_version,
            seed: head.seed,
            engine_version: &head.engine_version,
            started_at: head.started_at,
            idempotency_key: &self.key,
            fingerprint: &self.new.fingerprint,
            ended_at: ended_at(&self.first),
            expires_at: self.new.expires_at,
            terms: rows::terms_text(&head.terms),
            student_id: examinee.student_id,
            class_id: examinee.class_id,
            subject: examinee.subject.as_deref(),
            slot: self.new.slot.as_deref(),
            has_examinee: self.new.slot.is_some() || *examinee != Examinee::default(),
        }
    }
}

async fn write(own: &mut Own, numbers: &mut Numbers, wishes: &[&Wish]) -> Result<Vec<Fate>, Error> {
    let starts: Vec<(&NewExam, &Begin)> = wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Create(new, begin) => Some((new.as_ref(), begin)),
            Wish::Append(_) => None,
        })
        .collect();
    let ids = numbers.take(own, starts.len()).await?;
    let begun: Vec<Begun> =
        ids.into_iter().zip(starts).map(|(id, (new, begin))| Begun::new(id, new, begin)).collect();
    let mut exams: Vec<ExamRow> = begun.iter().map(Begun::row).collect();
    exams.sort_by_key(|row| row.idempotency_key);
    let following = wishes.iter().filter_map(|wish| match wish {
        Wish::Append(event) => Some(row(event.exam, &event.sealed, Some(event))),
        Wish::Create(..) => None,
    });
    let first = begun.iter().map(|begun| row(begun.exam.head().id, &begun.first, None));
    let mut events: Vec<EventRow> = first.chain(following).collect();
    // Two at one place: one of them is enough to try.
    events.sort_by_key(|row| (row.exam_id, row.seq));
    events.dedup_by_key(|row| (row.exam_id, row.seq));
    pass(wishes, ["start.commit.before", "answer.commit.before", "complete.commit.before"]);
    let appended = statements::write(own, &exams, &events).await?;
    pass(wishes, ["start.commit.after", "answer.commit.after", "complete.commit.after"]);
    let mut appended: HashSet<(i64, i64)> = appended.into_iter().collect();
    let (mut begun, mut fates) = (begun.into_iter(), Vec::with_capacity(wishes.len()));
    for wish in wishes {
        fates.push(match wish {
            // Of two at one place the first to be told has it.
            Wish::Append(event) if appended.remove(&(event.exam, event.sealed.entry.seq)) => {
                Fate::Appended(Appended::Committed)
            }
            Wish::Append(_) => Fate::Appended(Appended::Conflict),
            Wish::Create(..) => {
                let begun = begun.next().expect("a start should have begun");
                let is_new = appended.remove(&(begun.exam.head().id, begun.first.entry.seq));
                Fate::Created(match is_new {
                    true => Created::New(Box::new(begun.exam)),
                    false => turned_away(own, &begun).await?,
                })
            }
        });
    }
    Ok(fates)
}

/// Why a start made no exam.
async fn turned_away(own: &mut Own, begun: &Begun<'_>) -> Result<Created, Error> {
    let select = "SELECT id, fingerprint FROM exams WHERE idempotency_key = $1";
    let before: Option<(i64, String)> =
        by!(own, pool => sqlx::query_as(select).bind(&begun.key).fetch_optional(pool).await?);
    Ok(match before {
        None => Created::SlotTaken,
        Some((id, fingerprint)) if fingerprint == begun.new.fingerprint => Created::Before(id),
        Some(_) => Created::KeyReused,
    })
}

/// The row of an event; the first one of an exam comes with the exam.
fn row<'w>(exam: i64, sealed: &'w Sealed, follows: Option<&Event>) -> EventRow<'w> {
    let event = &sealed.entry.event;
    EventRow {
        exam_id: exam,
        seq: sealed.entry.seq,
        at: sealed.entry.at,
        kind: event.kind(),
        body: &sealed.body,
        hash: sealed.after.as_str(),
        recovered: follows.is_some_and(|event| event.recovered).into(),
        before: follows.map(|_| sealed.before.as_str()),
        ended_at: follows.and_then(|_| ended_at(sealed)),
        is_timing: event.is_timing(),
        expires_at: follows.and_then(|event| event.expires_at),
    }
}

/// When its exam ended, if it is over with this event.
fn ended_at(sealed: &Sealed) -> Option<i64> {
    sealed.entry.event.is_ending().then_some(sealed.entry.at)
}

/// The key of a start. One without a key of its caller's has one of its own, so that a transaction that
/// is tried again makes no second exam; no caller can send its first character.
fn key(new: &NewExam) -> String {
    match &new.idempotency_key {
        Some(key) => key.clone(),
        None => format!("\u{1}{}.{}", new.head.seed, new.head.started_at),
    }
}

/// Passes the place of each wish's kind: start, answer, complete.
fn pass(wishes: &[&Wish], [start, answer, complete]: [&'static str; 3]) {
    for wish in wishes {
        crash::point(match wish {
            Wish::Create(..) => start,
            Wish::Append(event) if event.sealed.entry.event.kind() == "answered" => answer,
            Wish::Append(_) => complete,
        });
    }
}
