//! The timeouts of one connection: how long a peer may take, for whatever it is doing.
//!
//! Comes in: that bytes were read, that a request began, that it was answered. Goes out: the connection's end,
//! once the peer is too slow. A head has to be whole soon after its first byte; between requests, and to take
//! an answer, there is more time. (hyper's own limit for heads also runs between requests, and would close what
//! proxies keep.) The answer's own deadline is the routes'. Must not know: HTTP.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// From the first byte of a head to its last.
const HEAD: Duration = Duration::from_secs(10);
/// Between requests; and from a request to the end of its answer. Above a minute, which is how long many
/// proxies keep a connection that they mean to use again.
const IDLE: Duration = Duration::from_secs(75);
/// How long a refused peer may go on sending what nobody reads, so that it gets to read why.
const CLOSE: Duration = Duration::from_secs(5);
/// … and how much.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// What a peer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It may send a request, or read an answer.
    Idle,
    /// It sends a head.
    Head,
    /// It waits for an answer, or sends a body.
    Response,
}

/// How long each phase may take.
#[derive(Clone, Copy, Debug)]
struct Times {
    head: Duration,
    idle: Duration,
}

#[derive(Debug)]
struct State {
    times: Times,
    phase: Phase,
    until: Instant,
    /// Whether the last answer was a refusal; then some of the request may not have been read.
    refused: bool,
}

/// The timeouts of one connection, known to its stream and to its requests.
#[derive(Clone, Debug)]
pub(super) struct Timeouts(Arc<Mutex<State>>);

impl Timeouts {
    pub(super) fn new() -> Self {
        Self::of(Times { head: HEAD, idle: IDLE })
    }

    fn of(times: Times) -> Self {
        let until = Instant::now() + times.idle;
        Self(Arc::new(Mutex::new(State { times, phase: Phase::Idle, until, refused: false })))
    }

    /// A head is whole.
    pub(super) fn request_begun(&self) {
        let mut state = self.state();
        state.phase = Phase::Response;
        state.until = Instant::now() + state.times.idle;
    }

    /// The answer stands.
    pub(super) fn response_sent(&self, well: bool) {
        let mut state = self.state();
        state.phase = Phase::Idle;
        state.until = Instant::now() + state.times.idle;
        state.refused = !well;
    }

    fn bytes_read(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.until = Instant::now() + state.times.head;
        }
    }

    fn closing(&self) {
        self.state().until = Instant::now() + CLOSE;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment after the other: a panic between them does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives a connection to its end; `None` if the peer was too slow.
    pub(super) async fn drive<T>(self, connection: impl Future<Output = T>) -> Option<T> {
        let mut connection = pin!(connection);
        let mut timer = pin!(sleep_until(self.state().until));
        poll_fn(|context| {
            if let Poll::Ready(end) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(end));
            }
            // Only what was just polled moves the moment. To a later one the timer goes when it fires, which
            // is much less often than there are requests.
            let until = self.state().until;
            if until < timer.deadline() {
                timer.as_mut().reset(until);
            }
            while timer.as_mut().poll(context).is_ready() {
                if until <= timer.deadline() {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(until);
            }
            Poll::Pending
        })
        .await
    }
}

/// A stream that tells the timeouts what is read.
#[derive(Debug)]
pub(super) struct TimedStream {
    stream: TcpStream,
    timeouts: Timeouts,
    /// Bytes that a refused peer may still send; `None` before the end.
    left: Option<usize>,
}

impl TimedStream {
    pub(super) fn new(stream: TcpStream, timeouts: Timeouts) -> Self {
        Self { stream, timeouts, left: None }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.timeouts.bytes_read();
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Says that nothing more is written. A socket that is closed with bytes unread takes its last answer with
    /// it, so what a refused peer still sends is read first, and thrown away.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = match &mut this.left {
            Some(left) => left,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
                if !this.timeouts.state().refused {
                    return Poll::Ready(Ok(()));
                }
                this.timeouts.closing();
                this.left.insert(MAX_DISCARDED)
            }
        };
        let mut bytes = [0; 8 * 1024];
        while *left > 0 {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                read => *left = left.saturating_sub(read),
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Timeouts, Times};
    use std::future::pending;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const TIMES: Times = Times { head: Duration::from_millis(100), idle: Duration::from_millis(600) };

    /// How long a peer is time_until_cut that does this, and then nothing.
    async fn time_until_cut(act: impl AsyncFn(&Timeouts)) -> Duration {
        let (timeouts, began) = (Timeouts::of(TIMES), Instant::now());
        let acting = async {
            act(&timeouts).await;
            pending::<()>().await;
        };
        assert!(timeouts.clone().drive(acting).await.is_none());
        began.elapsed()
    }

    #[tokio::test]
    async fn a_peer_has_its_time_for_each_phase_and_no_more() {
        let Times { head, idle } = TIMES;
        let silent = time_until_cut(async |_| ());
        // A head has its time from its first byte, however many follow.
        let endless = time_until_cut(async |timeouts| {
            sleep(idle / 2).await;
            loop {
                timeouts.bytes_read();
                sleep(head / 10).await;
            }
        });
        // Each answer renews the time, and the bytes of a body change nothing.
        let answered = time_until_cut(async |timeouts| {
            for _ in 0..4 {
                timeouts.bytes_read();
                timeouts.request_begun();
                timeouts.bytes_read();
                sleep(idle / 3).await;
                timeouts.response_sent(true);
                sleep(idle / 3).await;
            }
        });
        let (silent, endless, answered) = tokio::join!(silent, endless, answered);
        assert!(silent >= idle, "{silent:?}");
        assert!(endless >= idle / 2 + head && endless < idle, "{endless:?}");
        assert!(answered >= idle * 10 / 3 && answered < idle * 5, "{answered:?}");
    }

    #[tokio::test]
    async fn a_connection_that_ends_in_time_is_not_cut() {
        assert_eq!(Timeouts::new().drive(async { 7 }).await, Some(7));
    }
}
