//! Those who write: all that waits goes into one transaction, and nobody is told before it is durable.
//!
//! Comes in: new exams and events, each with somebody who waits for its fate. Goes out: each one's fate.
//! A task owns the writes, so a caller that hangs up cancels nothing; while a transaction is under way, what comes
//! waits for the next, so a busy service writes many at once. A transaction that fails is tried once more: what it
//! may have committed after all comes back as a conflict, and whoever waits reads the log then. If it is refused
//! again, one request at a time shows whose fault it is.
//! Must not know: why an event was decided.

use super::numbers::Numbers;
use super::own::Own;
use super::{Appended, Created, Error, NewExam, batch};
use crate::event::{Head, Sealed};
use crate::exam::Exam;
use crate::gather::gather;
use crate::metrics::Metrics;
use crate::trace::{self, TARGET};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{Instrument, Span, info_span};

/// Most requests of one transaction. With twice as many, a thousand clients were served 4 to 7 % more slowly, and
/// PostgreSQL took more of the CPU for each.
const MOST: usize = 128;
/// Requests that may wait; more wait to be let in.
const WAITING: usize = 4096;
/// Longest time for a transaction: below that of a request.
const PATIENCE: Duration = Duration::from_secs(8);

/// Makes an exam once its number is known; called again when a transaction is tried again.
pub(super) type Begin = Arc<dyn Fn(&Head) -> Exam + Send + Sync>;

/// Somebody's wish.
pub(super) enum Wish {
    Create(Box<NewExam>, Begin),
    Append(Box<Event>),
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

/// The way to the task.
#[derive(Clone, Debug)]
pub(super) struct Writer(mpsc::Sender<Request>);

impl Writer {
    /// Starts the task; it ends when the last way to it is gone, or the database is closed.
    pub(super) fn start(mut own: Own, metrics: Metrics) -> Self {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let pool = own.pool();
            let mut closed = pin!(pool.closed());
            let mut waiting = Vec::with_capacity(MOST);
            let mut numbers = Numbers::new();
            while gather(&mut receiver, &mut waiting, MOST, closed.as_mut()).await {
                metrics.batch(waiting.len());
                let span = transaction(&waiting);
                let (wishes, callers): (Vec<Wish>, Vec<_>) =
                    waiting.drain(..).map(|Request { wish, waiting, .. }| (wish, waiting)).unzip();
                for (caller, fate) in
                    callers.into_iter().zip(write(&mut own, &mut numbers, wishes).instrument(span).await)
                {
                    // Whoever has hung up will ask again.
                    let _gone = caller.send(fate);
                }
            }
        });
        Self(sender)
    }

    /// Has a wish written.
    pub(super) async fn write(&self, wish: Wish) -> Result<Fate, Error> {
        let (waiting, fate) = oneshot::channel();
        let closed = || Error::Unavailable(sqlx::Error::PoolClosed);
        self.0.send(Request { wish, waiting, span: trace::here() }).await.map_err(|_| closed())?;
        fate.await.map_err(|_| closed())?
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
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

async fn write(own: &mut Own, numbers: &mut Numbers, wishes: Vec<Wish>) -> Vec<Result<Fate, Error>> {
    let count = wishes.len();
    let error = match twice(own, numbers, &wishes).await {
        Ok(fates) => return fates.into_iter().map(Ok).collect(),
        Err(error) => error,
    };
    let mut fates = Vec::with_capacity(count);
    let mut refused = Some(error).filter(|error| count == 1 || !is_refusal(error));
    for wish in wishes {
        if refused.is_none() {
            match twice(own, numbers, std::slice::from_ref(&wish)).await {
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

async fn twice(own: &mut Own, numbers: &mut Numbers, wishes: &[Wish]) -> Result<Vec<Fate>, Error> {
    match once(own, numbers, wishes).await {
        Err(error) if !is_silence(&error) => {
            tracing::warn!(%error, wishes = wishes.len(), "a transaction failed and is tried once more");
            once(own, numbers, wishes).await
        }
        settled => settled,
    }
}

async fn once(own: &mut Own, numbers: &mut Numbers, wishes: &[Wish]) -> Result<Vec<Fate>, Error> {
    match timeout(PATIENCE, batch::commit(own, numbers, wishes)).await {
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
