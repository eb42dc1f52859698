//! Many wishes as one transaction: a few statements of many rows, whatever their number.
//!
//! Comes in: wishes. Goes out: their fates, in the same order, once the commit is durable. Rows go in
//! few sizes, so that the database sees few different statements, and sorted by exam, so that two
//! services never wait for each other in a circle. Must not know: who waits.

use super::pool::{Pool, on};
use super::writer::{Event, Fate, Wish};
use super::{Appended, Created, Error, Examinee, NewExam, rows};
use crate::crash;
use crate::event::{self, Chain, Head};
use crate::exam::Exam;
use sqlx::{Database, Encode, QueryBuilder, Type};
use std::collections::{HashMap, HashSet};

/// Rows of a statement: at most so many.
const ROWS: usize = 128;
/// Statements of so many rows or fewer have their own size.
const FEW: usize = 8;

/// Whether an event changes nothing but the log.
fn is_plain(event: &event::Event) -> bool {
    !event.is_ending() && !event.is_timing()
}

/// Writes all of these in one transaction.
pub(super) async fn commit(pool: &Pool, wishes: &[Wish]) -> Result<Vec<Fate>, Error> {
    if let Some(events) = alone(wishes) {
        return append(pool, wishes, &events).await;
    }
    let news: Vec<&NewExam> = wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Create(new, _) => Some(new.as_ref()),
            Wish::Append(_) => None,
        })
        .collect();
    let keys: Vec<String> = news.iter().map(|new| key(new)).collect();
    on!(pool, pool => {
        let mut transaction = pool.begin().await?;
        let mut ids: HashMap<String, i64> = HashMap::new();
        let numbered: Vec<(&NewExam, &String)> = news.into_iter().zip(&keys).collect();
        for some in powers(&numbered) {
            let mut insert = QueryBuilder::new(
                "INSERT INTO exams (exam_type, policy, bank_version, seed, engine_version, started_at, \
                 idempotency_key, fingerprint, expires_at, terms) ",
            );
            insert.push_values(some, |mut row, (new, key)| {
                row.push_bind(&new.head.exam_type)
                    .push_bind(rows::policy_text(&new.head.policy))
                    .push_bind(&new.head.bank_version)
                    .push_bind(new.head.seed)
                    .push_bind(&new.head.engine_version)
                    .push_bind(new.head.started_at)
                    .push_bind(*key)
                    .push_bind(&new.fingerprint)
                    .push_bind(new.expires_at)
                    .push_bind(rows::terms_text(&new.head.terms));
            });
            insert.push(" ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, idempotency_key");
            let made: Vec<(i64, String)> = insert.build_query_as().fetch_all(&mut *transaction).await?;
            ids.extend(made.into_iter().map(|(id, key)| (key, id)));
        }
        // A slot that is taken turns its exam away; a caller without one always gets in. Who is nobody has no row.
        let mut taken: HashSet<String> = HashSet::new();
        let people: Vec<(i64, &NewExam)> = numbered
            .iter()
            .filter(|(new, _)| new.slot.is_some() || new.examinee != Examinee::default())
            .filter_map(|(new, key)| Some((*ids.get(*key)?, *new)))
            .collect();
        for some in powers(&people) {
            let mut insert =
                QueryBuilder::new("INSERT INTO examinees (exam_id, student_id, class_id, subject, slot) ");
            insert.push_values(some, |mut row, (id, new)| {
                row.push_bind(*id)
                    .push_bind(new.examinee.student_id)
                    .push_bind(new.examinee.class_id)
                    .push_bind(new.examinee.subject.as_deref())
                    .push_bind(new.slot.as_deref());
            });
            insert.push(" ON CONFLICT (slot) DO NOTHING RETURNING exam_id");
            let rows: Vec<i64> = insert.build_query_scalar().fetch_all(&mut *transaction).await?;
            for (id, new) in some.iter().filter(|(id, _)| !rows.contains(id)) {
                sqlx::query("DELETE FROM exams WHERE id = $1").bind(id).execute(&mut *transaction).await?;
                taken.extend(Some(key(new)).filter(|key| ids.remove(key).is_some()));
            }
        }
        let Sorted { mut fates, first, events } = sort(wishes, &mut ids);
        let mut inserted: HashSet<(i64, i64)> = HashSet::new();
        for some in powers(&first) {
            let mut insert = QueryBuilder::new(
                "INSERT INTO events (exam_id, seq, at, kind, body, hash, recovered) ",
            );
            insert.push_values(some, |mut row, event| {
                row.push_bind(event.exam)
                    .push_bind(event.sealed.entry.seq)
                    .push_bind(event.sealed.entry.at)
                    .push_bind(event.sealed.entry.event.kind())
                    .push_bind(&event.sealed.body)
                    .push_bind(event.sealed.after.as_str())
                    .push_bind(i64::from(event.recovered));
            });
            insert.build().execute(&mut *transaction).await?;
            inserted.extend(some.iter().map(|event| (event.exam, event.sealed.entry.seq)));
        }
        for some in powers(&events) {
            let rows: Vec<(i64, i64)> = following(some).build_query_as().fetch_all(&mut *transaction).await?;
            inserted.extend(rows);
        }
        let is_new = |event: &&Event| inserted.contains(&(event.exam, event.sealed.entry.seq));
        let ended: Vec<&Event> =
            first.iter().chain(&events).filter(is_new).filter(|event| event.sealed.entry.event.is_ending()).collect();
        for some in powers(&ended) {
            let mut update = QueryBuilder::new("UPDATE exams SET ended_at = ends.column2 FROM (");
            update.push_values(some, |mut row, event| {
                row.push("CAST(").push_bind_unseparated(event.exam).push_unseparated(" AS BIGINT)");
                row.push("CAST(").push_bind_unseparated(event.sealed.entry.at).push_unseparated(" AS BIGINT)");
            });
            update.push(") AS ends WHERE exams.id = ends.column1");
            update.build().execute(&mut *transaction).await?;
        }
        for event in events.iter().filter(is_new).filter(|event| event.sealed.entry.event.is_timing()) {
            let update = sqlx::query("UPDATE exams SET expires_at = $1 WHERE id = $2");
            update.bind(event.expires_at).bind(event.exam).execute(&mut *transaction).await?;
        }
        for (wish, fate) in wishes.iter().zip(&mut fates) {
            match (wish, &fate) {
                (Wish::Append(event), None) => *fate = Some(told(&mut inserted, event)),
                (Wish::Create(new, _), None) if taken.contains(&key(new)) => {
                    *fate = Some(Fate::Created(Created::SlotTaken));
                }
                (Wish::Create(new, _), None) => {
                    let before = sqlx::query_as("SELECT id, fingerprint FROM exams WHERE idempotency_key = $1");
                    let (id, fingerprint): (i64, String) =
                        before.bind(key(new)).fetch_one(&mut *transaction).await?;
                    let same = fingerprint == new.fingerprint;
                    *fate = Some(Fate::Created(if same { Created::Before(id) } else { Created::KeyReused }));
                }
                _ => {}
            }
        }
        pass(wishes, ["start.commit.before", "answer.commit.before", "complete.commit.before"]);
        transaction.commit().await?;
        pass(wishes, ["start.commit.after", "answer.commit.after", "complete.commit.after"]);
        Ok(fates.into_iter().flatten().collect())
    })
}

/// The events of these wishes, if they are nothing but plain events and go into one statement.
fn alone(wishes: &[Wish]) -> Option<Vec<Event>> {
    let events = wishes.iter().map(|wish| match wish {
        Wish::Append(event) if is_plain(&event.sealed.entry.event) => Some(event.clone()),
        _ => None,
    });
    let events = in_order(events.collect::<Option<_>>()?);
    (events.len() <= FEW).then_some(events)
}

/// Appends a few plain events: one statement is a transaction of its own, without the two round trips
/// that begin and end one.
async fn append(pool: &Pool, wishes: &[Wish], events: &[Event]) -> Result<Vec<Fate>, Error> {
    pass(wishes, ["start.commit.before", "answer.commit.before", "complete.commit.before"]);
    let rows: Vec<(i64, i64)> = on!(pool, pool => following(events).build_query_as().fetch_all(pool).await?);
    pass(wishes, ["start.commit.after", "answer.commit.after", "complete.commit.after"]);
    let mut inserted: HashSet<(i64, i64)> = rows.into_iter().collect();
    let fate = |wish: &Wish| match wish {
        Wish::Append(event) => told(&mut inserted, event),
        Wish::Create(..) => Fate::Appended(Appended::Conflict),
    };
    Ok(wishes.iter().map(fate).collect())
}

/// Of two at one place the first to be told has it.
fn told(inserted: &mut HashSet<(i64, i64)>, event: &Event) -> Fate {
    let first = inserted.remove(&(event.exam, event.sealed.entry.seq));
    Fate::Appended(if first { Appended::Committed } else { Appended::Conflict })
}

/// The statement that appends events. An event follows the one that its hash covers, or it is not written:
/// whoever decided it on an exam that has moved on, or on one that the database has lost, is told so.
fn following<'e, DB: Database>(events: &'e [Event]) -> QueryBuilder<DB>
where
    i64: Encode<'e, DB> + Type<DB>,
    &'e str: Encode<'e, DB> + Type<DB>,
{
    let mut insert = QueryBuilder::new(
        "INSERT INTO events (exam_id, seq, at, kind, body, hash, recovered) \
         SELECT more.column1, more.column2, more.column3, more.column4, more.column5, more.column6, \
         more.column7 FROM (",
    );
    insert.push_values(events, |mut row, event| {
        for number in [event.exam, event.sealed.entry.seq, event.sealed.entry.at] {
            row.push("CAST(").push_bind_unseparated(number).push_unseparated(" AS BIGINT)");
        }
        row.push_bind(event.sealed.entry.event.kind())
            .push_bind(event.sealed.body.as_str())
            .push_bind(event.sealed.after.as_str());
        let recovered = i64::from(event.recovered);
        row.push("CAST(").push_bind_unseparated(recovered).push_unseparated(" AS BIGINT)");
        row.push_bind(event.sealed.before.as_str());
    });
    insert.push(
        ") AS more JOIN events AS before ON before.exam_id = more.column1 \
         AND before.seq = more.column2 - 1 AND before.hash = more.column8 WHERE true \
         ON CONFLICT (exam_id, seq) DO NOTHING RETURNING exam_id, seq",
    );
    insert
}

/// By exam and place. Two at one place: one of them is enough to try.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| (event.exam, event.sealed.entry.seq));
    events.dedup_by_key(|event| (event.exam, event.sealed.entry.seq));
    events
}

/// Wishes, sorted into rows.
struct Sorted {
    /// New exams know theirs; the others are not known yet.
    fates: Vec<Option<Fate>>,
    /// Starts of new exams.
    first: Vec<Event>,
    /// The others, by exam and place.
    events: Vec<Event>,
}

fn sort(wishes: &[Wish], ids: &mut HashMap<String, i64>) -> Sorted {
    let mut sorted =
        Sorted { fates: Vec::with_capacity(wishes.len()), first: Vec::new(), events: Vec::new() };
    for wish in wishes {
        let fate = match wish {
            Wish::Append(event) => {
                sorted.events.push(event.clone());
                None
            }
            Wish::Create(new, begin) => ids.remove(&key(new)).map(|id| {
                let exam: Exam = begin(&Head { id, ..new.head.clone() });
                let root = Chain::root(exam.head());
                sorted.first.extend(exam.entries().first().map(|entry| Event {
                    exam: id,
                    sealed: root.seal(entry.clone()),
                    recovered: false,
                    expires_at: None,
                }));
                Fate::Created(Created::New(Box::new(exam)))
            }),
        };
        sorted.fates.push(fate);
    }
    sorted.events = in_order(sorted.events);
    sorted
}

/// The key of a start. One without a key of its caller's has one of its own, so that a transaction that
/// is tried again makes no second exam; no caller can send its first character.
fn key(new: &NewExam) -> String {
    match &new.idempotency_key {
        Some(key) => key.clone(),
        None => format!("\u{1}{}.{}", new.head.seed, new.head.started_at),
    }
}

/// Slices of few different sizes that make up the whole: falling powers of two, and the last few as they are.
pub(super) fn powers<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let size = match rest.len() {
            0 => return None,
            few @ 1..=FEW => few,
            many => ROWS.min(1 << many.ilog2()),
        };
        let (some, others) = rest.split_at(size);
        rest = others;
        Some(some)
    })
}

/// Passes the place of each wish's kind: start, answer, complete.
fn pass(wishes: &[Wish], [start, answer, complete]: [&'static str; 3]) {
    for wish in wishes {
        crash::point(match wish {
            Wish::Create(..) => start,
            Wish::Append(event) if event.sealed.entry.event.kind() == "answered" => answer,
            Wish::Append(_) => complete,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, ROWS, powers};

    #[test]
    fn slices_have_few_sizes_and_make_up_the_whole() {
        for count in [0_usize, 1, 2, 3, 37, 128, 129, 300] {
            let all: Vec<usize> = (0..count).collect();
            let slices: Vec<&[usize]> = powers(&all).collect();
            assert!(
                slices
                    .iter()
                    .all(|some| some.len() <= FEW || (some.len().is_power_of_two() && some.len() <= ROWS))
            );
            assert_eq!(slices.concat(), all);
        }
    }
}
