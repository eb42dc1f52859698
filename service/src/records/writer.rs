//! Those who write: all that waits goes into one transaction, and nobody is told before it is durable.
//!
//! Comes in: new exams and events, each with somebody who waits for its fate. Goes out: each one's fate.
//! PostgreSQL has a few lanes, so that one transaction is under way while another waits for the disk: starts and
//! endings, which are several statements, have one of their own, and the answers of an exam always the same. SQLite,
//! which does one thing at a time, has one. A lane's task owns the writes, so a caller that hangs up cancels nothing. A transaction that fails is tried
//! once more: what it may have committed after all comes back as a conflict, and whoever waits reads the
//! log then. If it is refused again, one request at a time shows whose fault it is.
//! Must not know: why an event was decided.

use super::pool::Pool;
use super::{Appended, Created, Error, NewExam, batch};
use crate::event::{Head, Sealed};
use crate::exam::Exam;
use crate::metrics::Metrics;
use crate::trace::{self, TARGET};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{Instrument, Span, info_span};

/// Most requests of one transaction.
const MOST: usize = 256;
/// Requests that may wait; more wait to be let in.
const WAITING: usize = 4096;
/// Lanes of plain events on PostgreSQL.
const LANES: usize = 2;
/// Longest time for a transaction: below that of a request.
const PATIENCE: Duration = Duration::from_secs(8);

/// Makes an exam once its number is known; called again when a transaction is tried again.
pub(super) type Begin = Arc<dyn Fn(&Head) -> Exam + Send + Sync>;

/// Somebody's wish.
pub(super) enum Wish {
    Create(Box<NewExam>, Begin),
    Append(Event),
}

/// An event of an exam.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub exam: i64,
    pub sealed: Sealed,
    pub recovered: bool,
    /// When the exam expires after an event about its time.
    pub expires_at: Option<i64>,
}

/// What became of a wish.
pub(super) enum Fate {
    Created(Created),
    Appended(Appended),
}

/// A wish, and whoever waits for its fate.
struct Request {
    wish: Wish,
    waiting: oneshot::Sender<Result<Fate, Error>>,
    span: Span,
}

/// The way to the tasks: the first lane, and those of plain events.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    first: mpsc::Sender<Request>,
    plain: Arc<[mpsc::Sender<Request>]>,
}

impl Writer {
    /// Starts the tasks; they end when the last way to them is gone.
    pub(super) fn start(pool: &Pool, metrics: &Metrics) -> Self {
        let lanes = match pool {
            Pool::Sqlite(_) => 0,
            Pool::Postgres(_) | Pool::Pooled(_) => LANES,
        };
        let lane = || Self::lane(pool.clone(), metrics.clone());
        Self { first: lane(), plain: (0..lanes).map(|_| lane()).collect() }
    }

    fn lane(pool: Pool, metrics: Metrics) -> mpsc::Sender<Request> {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(MOST);
            while receiver.recv_many(&mut waiting, MOST).await > 0 {
                metrics.batch(waiting.len());
                let span = transaction(&waiting);
                let (wishes, callers): (Vec<Wish>, Vec<_>) =
                    waiting.drain(..).map(|Request { wish, waiting, .. }| (wish, waiting)).unzip();
                for (caller, fate) in callers.into_iter().zip(write(&pool, wishes).instrument(span).await) {
                    // Whoever has hung up will ask again.
                    let _gone = caller.send(fate);
                }
            }
        });
        sender
    }

    /// Has a wish written.
    pub(super) async fn write(&self, wish: Wish) -> Result<Fate, Error> {
        let (waiting, fate) = oneshot::channel();
        let closed = || Error::Unavailable(sqlx::Error::PoolClosed);
        self.of(&wish).send(Request { wish, waiting, span: trace::here() }).await.map_err(|_| closed())?;
        fate.await.map_err(|_| closed())?
    }

    /// How many requests wait in all lanes.
    pub(super) fn waiting(&self) -> usize {
        let lanes = std::iter::once(&self.first).chain(self.plain.iter());
        lanes.map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }

    fn of(&self, wish: &Wish) -> &mpsc::Sender<Request> {
        let lane = match wish {
            Wish::Append(event) if batch::is_plain(&event.sealed.entry.event) => {
                usize::try_from(event.exam).ok().and_then(|exam| exam.checked_rem(self.plain.len()))
            }
            _ => None,
        };
        lane.and_then(|lane| self.plain.get(lane)).unwrap_or(&self.first)
    }
}

/// The span of a transaction: part of the trace of whoever came first, with a link to all others it is for.
fn transaction(requests: &[Request]) -> Span {
    let first = requests.first().and_then(|request| request.span.id());
    let span = info_span!(target: TARGET, parent: first, "transaction", batch = requests.len());
    for request in requests.iter().skip(1) {
        span.follows_from(&request.span);
    }
    span
}

async fn write(pool: &Pool, wishes: Vec<Wish>) -> Vec<Result<Fate, Error>> {
    let count = wishes.len();
    let error = match twice(pool, &wishes).await {
        Ok(fates) => return fates.into_iter().map(Ok).collect(),
        Err(error) => error,
    };
    let mut fates = Vec::with_capacity(count);
    let mut refused = Some(error).filter(|error| count == 1 || !is_refusal(error));
    for wish in wishes {
        if refused.is_none() {
            match twice(pool, std::slice::from_ref(&wish)).await {
                Ok(fate) => {
                    fates.extend(fate.into_iter().map(Ok));
                    continue;
                }
                Err(error) if is_refusal(&error) => {
                    fates.push(Err(error));
                    continue;
                }
                Err(error) => refused = Some(error),
            }
        }
        let told = refused.as_ref().map_or_else(String::new, ToString::to_string);
        fates.push(Err(Error::Unavailable(sqlx::Error::Protocol(told))));
    }
    fates
}

async fn twice(pool: &Pool, wishes: &[Wish]) -> Result<Vec<Fate>, Error> {
    match once(pool, wishes).await {
        Err(error) if !is_silence(&error) => {
            tracing::warn!(%error, wishes = wishes.len(), "a transaction failed and is tried once more");
            once(pool, wishes).await
        }
        settled => settled,
    }
}

async fn once(pool: &Pool, wishes: &[Wish]) -> Result<Vec<Fate>, Error> {
    match timeout(PATIENCE, batch::commit(pool, wishes)).await {
        Ok(settled) => settled,
        Err(_) => Err(Error::Unavailable(sqlx::Error::PoolTimedOut)),
    }
}

/// Whether the database answered, and said no.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Unavailable(sqlx::Error::Database(_)) | Error::Damaged(_))
}

/// Whether it did not answer at all: asking again at once would only make everybody wait.
fn is_silence(error: &Error) -> bool {
    matches!(error, Error::Unavailable(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed))
}
