//! A batch of write requests as one transaction.
//!
//! Input: write requests. Output: their outcomes, in the same order, once the commit is durable. Rows are sorted, so
//! that two services cannot deadlock. Must not know: who waits for an outcome.

use super::dedicated::{Dedicated, by};
use super::external_id::ExternalId;
use super::id_allocation::IdAllocator;
use super::statements::{self, EventRow, ExamRow};
use super::write_request::{CreateExam, NewEvent, Outcome, WriteRequest};
use super::{Appended, Created, Error, Examinee, NewExam, rows};
use crate::crash;
use crate::exam::Exam;
use crate::exam::event::{Chain, Head, Sealed};
use std::collections::HashSet;

/// Writes all requests: in one transaction, or in several if starts conflict with each other.
pub(super) async fn commit(
    connection: &mut Dedicated,
    ids: &mut IdAllocator,
    requests: &[WriteRequest],
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes: Vec<Option<Outcome>> = requests.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..requests.len()).collect();
    while !left.is_empty() {
        let now;
        (now, left) = split_conflicting(requests, left);
        let some: Vec<&WriteRequest> = now.iter().map(|place| &requests[*place]).collect();
        for (place, outcome) in now.iter().zip(write(connection, ids, &some).await?) {
            outcomes[*place] = Some(outcome);
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Splits off requests that need another transaction: of two starts with the same key or slot, the second must see
/// the first.
fn split_conflicting(requests: &[WriteRequest], places: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let (mut keys, mut slots) = (HashSet::new(), HashSet::new());
    places.into_iter().partition(|place| match &requests[*place] {
        WriteRequest::Append(_) => true,
        WriteRequest::Create(new, _) => {
            keys.insert(key(new)) & new.slot.as_ref().is_none_or(|slot| slots.insert(slot))
        }
    })
}

/// A new exam before it is written.
struct StartedExam<'w> {
    new: &'w NewExam,
    key: String,
    exam: Exam,
    first: Sealed,
}

impl<'w> StartedExam<'w> {
    fn new(id: i64, new: &'w NewExam, create: &CreateExam) -> Self {
        let exam = create(&Head { id, ..new.head.clone() });
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
            student_id: examinee.student_id.as_ref().and_then(ExternalId::number),
            class_id: examinee.class_id.as_ref().and_then(ExternalId::number),
            student: examinee.student_id.as_ref().and_then(ExternalId::text),
            class: examinee.class_id.as_ref().and_then(ExternalId::text),
            subject: examinee.subject.as_deref(),
            slot: self.new.slot.as_deref(),
            has_examinee: self.new.slot.is_some() || *examinee != Examinee::default(),
        }
    }
}

async fn write(
    connection: &mut Dedicated,
    ids: &mut IdAllocator,
    requests: &[&WriteRequest],
) -> Result<Vec<Outcome>, Error> {
    let starts: Vec<(&NewExam, &CreateExam)> = requests
        .iter()
        .filter_map(|request| match request {
            WriteRequest::Create(new, begin) => Some((new.as_ref(), begin)),
            WriteRequest::Append(_) => None,
        })
        .collect();
    let allocated = ids.take(connection, starts.len()).await?;
    let begun: Vec<StartedExam> = allocated
        .into_iter()
        .zip(starts)
        .map(|(id, (new, begin))| StartedExam::new(id, new, begin))
        .collect();
    let mut exams: Vec<ExamRow> = begun.iter().map(StartedExam::row).collect();
    exams.sort_by_key(|row| row.idempotency_key);
    let following = requests.iter().filter_map(|request| match request {
        WriteRequest::Append(event) => Some(row(event.exam, &event.sealed, Some(event))),
        WriteRequest::Create(..) => None,
    });
    let first = begun.iter().map(|begun| row(begun.exam.head().id, &begun.first, None));
    let mut events: Vec<EventRow> = first.chain(following).collect();
    // Of two events at one position, one is tried.
    events.sort_by_key(|row| (row.exam_id, row.seq));
    events.dedup_by_key(|row| (row.exam_id, row.seq));
    crash_points(requests, ["start.commit.before", "answer.commit.before", "complete.commit.before"]);
    let appended = statements::write(connection, &exams, &events).await?;
    crash_points(requests, ["start.commit.after", "answer.commit.after", "complete.commit.after"]);
    let mut appended: HashSet<(i64, i64)> = appended.into_iter().collect();
    let (mut begun, mut outcomes) = (begun.into_iter(), Vec::with_capacity(requests.len()));
    for request in requests {
        outcomes.push(match request {
            // Of two events at one position, the first request wins.
            WriteRequest::Append(event) if appended.remove(&(event.exam, event.sealed.entry.seq)) => {
                Outcome::Appended(Appended::Committed)
            }
            WriteRequest::Append(_) => Outcome::Appended(Appended::Conflict),
            WriteRequest::Create(..) => {
                let begun = begun.next().expect("a start should have begun");
                let is_new = appended.remove(&(begun.exam.head().id, begun.first.entry.seq));
                Outcome::Created(match is_new {
                    true => Created::New(Box::new(begun.exam)),
                    false => why_not_created(connection, &begun).await?,
                })
            }
        });
    }
    Ok(outcomes)
}

/// Why a start created no exam.
async fn why_not_created(connection: &mut Dedicated, begun: &StartedExam<'_>) -> Result<Created, Error> {
    let select = "SELECT id, fingerprint FROM exams WHERE idempotency_key = $1";
    let before: Option<(i64, String)> =
        by!(connection, pool => sqlx::query_as(select).bind(&begun.key).fetch_optional(pool).await?);
    Ok(match before {
        None => Created::SlotTaken,
        Some((id, fingerprint)) if fingerprint == begun.new.fingerprint => Created::Before(id),
        Some(_) => Created::KeyReused,
    })
}

/// The row of an event. The first event of an exam follows none.
fn row<'w>(exam: i64, sealed: &'w Sealed, follows: Option<&NewEvent>) -> EventRow<'w> {
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

/// When the exam ended, if this event ends it.
fn ended_at(sealed: &Sealed) -> Option<i64> {
    sealed.entry.event.is_ending().then_some(sealed.entry.at)
}

/// The idempotency key of a start. A start without a client key gets a generated one, so that a retried transaction
/// creates no second exam; no client can send its first character.
fn key(new: &NewExam) -> String {
    match &new.idempotency_key {
        Some(key) => key.clone(),
        None => format!("\u{1}{}.{}", new.head.seed, new.head.started_at),
    }
}

/// Passes the crash point of each request: start, answer or complete.
fn crash_points(requests: &[&WriteRequest], [start, answer, complete]: [&'static str; 3]) {
    for request in requests {
        crash::point(match request {
            WriteRequest::Create(..) => start,
            WriteRequest::Append(event) if event.sealed.entry.event.kind() == "answered" => answer,
            WriteRequest::Append(_) => complete,
        });
    }
}
