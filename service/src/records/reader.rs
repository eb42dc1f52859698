//! The reader task: batches queries for the end of logs and for student ids.
//!
//! Input: exam ids. Output: the end of each log, or the student id. Every read request needs one of them, so a busy
//! service sends few large queries; an idle one sends each at once. Must not know: why they are requested.

use super::dedicated::{Dedicated, by};
use super::examinees::{self, student};
use super::external_id::ExternalId;
use super::rows::from_row;
use super::{Error, Tip};
use crate::batch_receive::receive_batch;
use sqlx::QueryBuilder;
use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Most requests in one batch.
const MAX_BATCH: usize = 128;
/// Capacity of the queue; senders wait while it is full.
const QUEUE: usize = 4096;
/// Most exams in one statement.
const ROWS: usize = 128;
/// Up to this number of exams, each count has a statement of its own.
const FEW: usize = 8;
/// Deadline of a query; below that of a request.
const DEADLINE: Duration = Duration::from_secs(8);

struct Request {
    exam: i64,
    /// Whether the student id is needed.
    with_student: bool,
    waiting: oneshot::Sender<Result<Option<Row>, Error>>,
}

/// The row of an exam.
#[derive(Clone, Debug)]
struct Row {
    id: i64,
    seq: Option<i64>,
    ended_at: Option<i64>,
    /// As `student!` selects it; only if a request of the batch needs it.
    student: Option<String>,
}

from_row!(Row { id, seq, ended_at, student });

/// A handle to the task.
#[derive(Clone, Debug)]
pub(super) struct Reader(mpsc::Sender<Request>);

impl Reader {
    /// Starts the task; it ends when the last handle is dropped, or the database is closed.
    pub(super) fn start(mut connection: Dedicated) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let pool = connection.pool();
            let mut closed = pin!(pool.closed());
            let mut waiting: Vec<Request> = Vec::with_capacity(MAX_BATCH);
            while receive_batch(&mut receiver, &mut waiting, MAX_BATCH, closed.as_mut()).await {
                let mut exams: Vec<i64> = waiting.iter().map(|request| request.exam).collect();
                exams.sort_unstable();
                exams.dedup();
                let with_student = waiting.iter().any(|request| request.with_student);
                let late = || Err(Error::Unavailable(sqlx::Error::PoolTimedOut));
                let found = timeout(DEADLINE, find(&mut connection, &exams, with_student))
                    .await
                    .unwrap_or_else(|_| late());
                for Request { exam, waiting, .. } in waiting.drain(..) {
                    // The client disconnected.
                    let _disconnected = waiting.send(match &found {
                        Ok(found) => Ok(found.get(&exam).cloned()),
                        Err(error) => Err(Error::Unavailable(sqlx::Error::Protocol(error.to_string()))),
                    });
                }
            }
        });
        Self(sender)
    }

    /// The end of an exam's log; `None` if there is no such exam.
    pub(super) async fn tip(&self, exam: i64) -> Result<Option<Tip>, Error> {
        match self.query(exam, false).await? {
            None => Ok(None),
            Some(Row { seq: Some(seq), ended_at, .. }) => Ok(Some(Tip { seq, ended: ended_at.is_some() })),
            Some(Row { seq: None, .. }) => Err(Error::Damaged(format!("exam {exam} has no event"))),
        }
    }

    /// The student of an exam, if they are identified.
    pub(super) async fn student(&self, exam: i64) -> Result<Option<ExternalId>, Error> {
        Ok(self.query(exam, true).await?.and_then(|row| examinees::student_id(&row.student?)))
    }

    async fn query(&self, exam: i64, with_student: bool) -> Result<Option<Row>, Error> {
        let (waiting, reply) = oneshot::channel();
        let closed = || Error::Unavailable(sqlx::Error::PoolClosed);
        self.0.send(Request { exam, with_student, waiting }).await.map_err(|_| closed())?;
        reply.await.map_err(|_| closed())?
    }
}

async fn find(
    connection: &mut Dedicated,
    exams: &[i64],
    with_student: bool,
) -> Result<HashMap<i64, Row>, Error> {
    let mut found = HashMap::with_capacity(exams.len());
    for some in powers(exams) {
        let rows: Vec<Row> = by!(connection, pool => {
            let mut select = QueryBuilder::new(
                "SELECT id, (SELECT seq FROM events WHERE exam_id = exams.id ORDER BY seq DESC LIMIT 1) AS seq, \
                 ended_at, ",
            );
            select.push(match with_student {
                true => concat!("(SELECT ", student!(), " FROM examinees WHERE exam_id = exams.id)"),
                false => "CAST(NULL AS TEXT)",
            });
            let mut list = select.push(" AS student FROM exams WHERE id IN (").separated(", ");
            for exam in some {
                list.push_bind(*exam);
            }
            select.push(")").build_query_as().fetch_all(pool).await?
        });
        found.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    Ok(found)
}

/// Splits a slice into descending powers of two and a short rest, so that few different statements are prepared.
fn powers<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
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
