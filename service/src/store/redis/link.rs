//! The link to one master, as its users see it: a current connection, and the circuit breaker.
//!
//! Input: commands. Output: replies, in bounded time. A connection that is dropped, refused, too slow, or no longer that of
//! a master is given up; the supervisor makes the next one, and no request waits long for it. Must not know: keys, the
//! shape of the topology.

use super::super::Error;
use super::breaker::{Breaker, Change, Outcome, SLOW};
use super::problem::{Problem, explain};
use crate::telemetry::metrics::Metrics;
use contract::settings::HostPort;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Longest time that a request waits for a connection that is being made.
const WAIT: Duration = Duration::from_millis(250);
/// Longest time that a health check waits for an attempt to connect.
const HEALTH: Duration = Duration::from_secs(2);

/// What a call is for. Each has a connection of its own: a write that waits for replicas, or for the end of a pause,
/// holds up no read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A request waits for it, and goes on from the log if it comes late.
    Read,
    /// Nobody waits for it.
    Write,
}

impl Use {
    /// Longest time of a call, with a second attempt.
    pub(super) fn within(self) -> Duration {
        match self {
            Self::Read => SLOW,
            Self::Write => Duration::from_millis(500),
        }
    }
}

/// Connections to a server, and which ones they are.
#[derive(Clone)]
pub(super) struct Current {
    pub reading: MultiplexedConnection,
    pub writing: MultiplexedConnection,
    pub at: HostPort,
    pub generation: u64,
}

/// What there is to use.
#[derive(Clone)]
pub(super) enum Connection {
    /// One is being made.
    Connecting,
    /// This one.
    Up(Current),
    /// None, for this reason; another attempt follows.
    Down(Problem),
}

/// The link.
pub(super) struct Link {
    pub name: String,
    pub connection: watch::Sender<Connection>,
    /// Asks for an attempt to connect now.
    pub wanted: Notify,
    breaker: Breaker,
    // The reason that the metric shows.
    shown: Mutex<Option<&'static str>>,
    metrics: Metrics,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: Error,
    /// Whether the key is on another node, which a cluster's map does not say yet.
    pub is_moved: bool,
}

/// What an error says about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The connection is of no use; another one may be at once.
    Reconnect,
    /// The connection is of no use, and neither may another one be for a while.
    GiveUp,
    /// It is about the command alone.
    None,
}

fn trouble(error: &RedisError) -> Trouble {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => Trouble::Reconnect,
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::ClusterDown) => Trouble::GiveUp,
        _ if error.is_timeout() => Trouble::GiveUp,
        _ if error.is_connection_dropped() => Trouble::Reconnect,
        _ if error.is_unrecoverable_error() || error.code() == Some("NOREPLICAS") => Trouble::GiveUp,
        _ => Trouble::None,
    }
}

/// The first error of those that the commands of a pipeline have: one is told, and says what to do.
fn single(error: RedisError) -> RedisError {
    let first =
        error.clone().into_server_errors().and_then(|errors| errors.first().map(|(_, first)| first.clone()));
    first.map_or(error, RedisError::from)
}

/// Whether an error says only that a key is elsewhere.
fn is_routing(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, Moved, TryAgain};
    matches!(error.kind(), ErrorKind::Server(Moved | Ask | TryAgain))
}

impl Link {
    /// A link without a connection.
    pub(super) fn new(name: String, metrics: Metrics) -> Self {
        Self {
            name,
            connection: watch::Sender::new(Connection::Connecting),
            wanted: Notify::new(),
            breaker: Breaker::default(),
            shown: Mutex::default(),
            metrics,
        }
    }

    /// Runs a command, unless the breaker is open.
    pub(super) async fn call<T, F>(
        &self,
        purpose: Use,
        command: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        if !self.breaker.allows() {
            return Err(Failure { error: Error::BreakerOpen, is_moved: false });
        }
        let attempts = async {
            match self.once(purpose, &command).await {
                // A connection that was closed while idle, or whose master is a replica now, fails only on the next
                // command.
                Err(Refusal::Reply(error)) if trouble(&error) == Trouble::Reconnect => {
                    self.once(purpose, &command).await
                }
                other => other,
            }
        };
        let start = Instant::now();
        let result = timeout(purpose.within(), attempts).await.unwrap_or(Err(Refusal::Late));
        let (outcome, result) = match result {
            Ok(reply) => (Outcome::Reply(start.elapsed()), Ok(reply)),
            Err(Refusal::Late) => {
                let error =
                    Error::Unavailable(format!("no reply within {} ms", purpose.within().as_millis()));
                (Outcome::Reply(start.elapsed()), Err(Failure { error, is_moved: false }))
            }
            Err(Refusal::NoConnection(problem)) => {
                let error = Error::Unavailable(problem.text.clone());
                (Outcome::Failed(problem), Err(Failure { error, is_moved: false }))
            }
            Err(Refusal::Reply(error)) => {
                let problem = explain(&error);
                let is_moved = is_routing(&error);
                let failure = Failure { error: Error::Unavailable(problem.text.clone()), is_moved };
                let outcome = match trouble(&error) {
                    _ if is_moved => Outcome::Reply(start.elapsed()),
                    Trouble::None => Outcome::Refused(problem),
                    Trouble::Reconnect | Trouble::GiveUp => Outcome::Failed(problem),
                };
                (outcome, Err(failure))
            }
        };
        self.tell(self.breaker.record(outcome, slow, Instant::now()));
        result
    }

    async fn once<T, F>(
        &self,
        purpose: Use,
        command: &impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let found = timeout(WAIT, self.current(purpose)).await.unwrap_or_else(|_| Err(too_late()));
        let (connection, generation) = found.map_err(Refusal::NoConnection)?;
        let result = command(connection).await.map_err(single);
        if result.as_ref().is_err_and(|error| trouble(error) != Trouble::None) {
            self.give_up(generation);
        }
        result.map_err(Refusal::Reply)
    }

    /// The current connection for a use, or the one that is being made; and its generation.
    async fn current(&self, purpose: Use) -> Result<(MultiplexedConnection, u64), Problem> {
        let of = |connection: &Connection| match connection {
            Connection::Up(Current { reading, writing, generation, .. }) => Some(Ok(match purpose {
                Use::Read => (reading.clone(), *generation),
                Use::Write => (writing.clone(), *generation),
            })),
            Connection::Down(problem) => Some(Err(problem.clone())),
            Connection::Connecting => None,
        };
        if let Some(found) = of(&self.connection.borrow()) {
            return found;
        }
        let mut connection = self.connection.subscribe();
        let made = connection.wait_for(|connection| !matches!(connection, Connection::Connecting)).await;
        made.ok().and_then(|made| of(&made)).unwrap_or_else(|| Err(too_late()))
    }

    /// Gives a connection up, unless that was done before.
    pub(super) fn give_up(&self, generation: u64) {
        self.connection.send_if_modified(|connection| {
            let is_this = matches!(connection, Connection::Up(current) if current.generation == generation);
            if is_this {
                *connection = Connection::Connecting;
            }
            is_this
        });
    }

    /// Whether the server is well now, asked anew, whatever the breaker says: this is the health check.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) async fn check(&self) -> Result<(), Error> {
        if matches!(&*self.connection.borrow(), Connection::Down(_)) {
            // The last attempt failed: its result may be old.
            let mut next = self.connection.subscribe();
            next.mark_unchanged();
            self.wanted.notify_one();
            let _late = timeout(HEALTH, next.changed()).await;
        }
        let asked = timeout(HEALTH, async {
            let (mut connection, generation) = self.current(Use::Read).await?;
            let pong: Result<(), RedisError> = redis::cmd("PING").query_async(&mut connection).await;
            pong.map_err(|error| {
                self.give_up(generation);
                explain(&error)
            })
        });
        let asked = asked.await.unwrap_or_else(|_| Err(too_late()));
        if let Err(problem) = asked {
            let error = Error::Unavailable(problem.text.clone());
            self.tell(self.breaker.record(Outcome::Failed(problem), slow, Instant::now()));
            return Err(error);
        }
        match self.breaker.allows() {
            true => Ok(()),
            false => Err(Error::Unavailable(self.problem().map(|problem| problem.text).unwrap_or_default())),
        }
    }

    /// Whether requests are kept away from it.
    pub(super) fn is_open(&self) -> bool {
        !self.breaker.allows()
    }

    /// What is wrong now.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.breaker.problem(Instant::now())
    }

    /// Takes the result of a probe.
    pub(super) fn probed(&self, result: Result<Duration, Problem>) {
        let outcome = result.map_or_else(Outcome::Failed, Outcome::Reply);
        self.tell(self.breaker.probed(outcome, slow, Instant::now()));
    }

    /// Logs a change once, and shows it in the metrics.
    fn tell(&self, change: Change) {
        match change {
            Change::Opened(Problem { reason, text }) => {
                self.metrics.breaker_open(true);
                tracing::warn!(
                    store = self.name,
                    reason,
                    "the store cannot be used; exams go on from the log: {text}"
                );
            }
            Change::Closed => {
                self.metrics.breaker_open(false);
                tracing::info!(store = self.name, "the store answers again");
            }
            Change::Refused(Problem { reason, text }) => {
                tracing::warn!(store = self.name, reason, "the store refuses a command: {text}");
            }
            Change::None => return,
        }
        self.show();
    }

    /// Shows the reason of now in the metrics.
    pub(super) fn show(&self) {
        let now = self.problem().map(|problem| problem.reason);
        let mut shown = self.shown.lock().expect("no holder of the reason should panic");
        if *shown != now {
            self.metrics.store_problem(std::mem::replace(&mut *shown, now), now);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.is_open() {
            self.metrics.breaker_open(false);
        }
        let shown = self.shown.get_mut().expect("no holder of the reason should panic").take();
        self.metrics.store_problem(shown, None);
    }
}

/// Why there is no reply that counts.
enum Refusal {
    /// None came within the time of the call.
    Late,
    /// There is no connection.
    NoConnection(Problem),
    /// The reply, or its absence, is an error.
    Reply(RedisError),
}

fn too_late() -> Problem {
    Problem::unreachable("no connection in time")
}

fn slow() -> Problem {
    Problem::new("slow", format!("every reply takes longer than {} ms", SLOW.as_millis()))
}
