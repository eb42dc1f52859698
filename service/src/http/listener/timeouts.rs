//! The timeouts of one connection: head, idle, write.
//!
//! Input: that bytes were read, that a request began, that its response was sent. Output: the end of the connection
//! once the peer is too slow. A request head must be complete soon after its first byte; idle connections and
//! reading the response have more time. (The head timeout of hyper also runs between requests, and would close
//! connections that proxies keep alive.) The deadline of the handler is set by the middleware. Must not know: HTTP.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// From the first byte of a request head to its last.
const HEAD: Duration = Duration::from_secs(10);
/// Between requests, and from a request to the end of its response. Longer than a minute, the keep-alive time of
/// many proxies.
const IDLE: Duration = Duration::from_secs(75);
/// How long the remaining request of a refused peer is read and discarded, so that the peer can read the response.
const CLOSE: Duration = Duration::from_secs(5);
/// Most bytes that are discarded then.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Idle, or the peer reads a response.
    Idle,
    /// The peer sends a request head.
    Head,
    /// The peer waits for a response, or sends a body.
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
    /// Whether the last response was an error; part of the request may then be unread.
    refused: bool,
}

/// The timeouts of one connection, shared by its stream and its requests.
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

    /// The request head is complete.
    pub(super) fn request_begun(&self) {
        let mut state = self.state();
        state.phase = Phase::Response;
        state.until = Instant::now() + state.times.idle;
    }

    /// The response is complete.
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
        // Changes are plain assignments, so a poisoned lock holds a valid value.
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
            // Only the poll above moves the deadline. A later deadline is set when the timer fires, which happens
            // much less often than requests.
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

/// A stream that reports reads to the timeouts.
#[derive(Debug)]
pub(super) struct TimedStream {
    stream: TcpStream,
    timeouts: Timeouts,
    /// Bytes that may still be discarded; `None` before shutdown.
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

    /// Shuts down the write side. Closing a socket with unread bytes would reset the connection and lose the
    /// response, so the remaining bytes of a refused request are read and discarded first.
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

    /// How long a connection lives whose peer does this, and then nothing.
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
        // The head timeout runs from the first byte.
        let endless = time_until_cut(async |timeouts| {
            sleep(idle / 2).await;
            loop {
                timeouts.bytes_read();
                sleep(head / 10).await;
            }
        });
        // Each response restarts the idle timeout; body bytes do not.
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
