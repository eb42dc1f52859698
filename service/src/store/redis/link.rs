//! The link to one master: a current connection, its supervision, and the circuit breaker.
//!
//! Input: commands. Output: replies, in bounded time. A connection that is dropped, refused, too slow, or no longer that of
//! a master is given up; of all callers that find it so one connects again, to wherever the master is then. Must not
//! know: keys, the shape of the topology.

use super::super::Error;
use super::super::breaker::{Breaker, Change};
use super::access::Access;
use super::explain::explain;
use super::sentinels::Sentinels;
use crate::telemetry::metrics::Metrics;
use contract::settings::HostPort;
use rand::RngExt;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How often the role of the master is checked, in addition to what calls and Sentinels tell.
const CHECK: Duration = Duration::from_secs(2);
/// For so long after an attempt to connect that failed, others get its error: they would only wait for theirs.
const REST: Duration = Duration::from_millis(200);
/// Longest random pause before a connection is made again, so that not all services come at once.
const JITTER_MS: u64 = 50;

/// Where the master is.
#[derive(Clone)]
pub(super) enum Target {
    /// Always there.
    Fixed(HostPort),
    /// Where the Sentinels say.
    Named(Sentinels),
}

/// A connection, and which one it is.
#[derive(Clone)]
struct Current {
    connection: MultiplexedConnection,
    at: HostPort,
    generation: u64,
}

/// The connection there is, or the last attempt that failed.
#[derive(Default)]
struct Slot {
    current: Option<Current>,
    failed: Option<(Instant, RedisError)>,
}

/// The link.
pub(super) struct Link {
    name: String,
    access: Access,
    target: Target,
    // Held while connecting: one caller connects, the others wait for what comes of it.
    slot: Mutex<Slot>,
    generation: AtomicU64,
    breaker: Breaker,
    metrics: Metrics,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("name", &self.name).finish_non_exhaustive()
    }
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

impl Link {
    /// A link; it connects on first use.
    pub(super) fn start(name: String, access: Access, target: Target, metrics: Metrics) -> Arc<Self> {
        let link = Arc::new(Self {
            name,
            access,
            target,
            slot: Mutex::default(),
            generation: AtomicU64::default(),
            breaker: Breaker::default(),
            metrics,
        });
        if let Target::Named(sentinels) = &link.target {
            tokio::spawn(watch(Arc::downgrade(&link), sentinels.clone()));
        }
        link
    }

    /// Runs a command, unless the breaker is open.
    pub(super) async fn call<T, F>(
        &self,
        command: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, (Error, Option<RedisError>)>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        if !self.breaker.allows(Instant::now()) {
            return Err((Error::BreakerOpen, None));
        }
        self.attempt(command).await
    }

    /// Runs a command regardless of the breaker: this is the health check.
    pub(super) async fn attempt<T, F>(
        &self,
        command: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, (Error, Option<RedisError>)>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let mut result = self.once(&command).await;
        // A connection that was closed while idle, or whose master is a replica now, fails only on the next command.
        if result.as_ref().is_err_and(|error| trouble(error) == Trouble::Reconnect) {
            result = self.once(&command).await;
        }
        self.record(&result);
        result.map_err(|error| (Error::Unavailable(explain(&error)), Some(error)))
    }

    async fn once<T, F>(&self, command: &impl Fn(MultiplexedConnection) -> F) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let Current { connection, generation, .. } = self.current().await?;
        let result = command(connection).await;
        if result.as_ref().is_err_and(|error| trouble(error) != Trouble::None) {
            self.give_up(generation).await;
        }
        result
    }

    /// The current connection, or a new one.
    async fn current(&self) -> Result<Current, RedisError> {
        let mut slot = self.slot.lock().await;
        if let Some(current) = &slot.current {
            return Ok(current.clone());
        }
        if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| at.elapsed() < REST) {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(current) => {
                slot.failed = None;
                Ok(slot.current.insert(current).clone())
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Connects to where the master is now.
    async fn connect(&self) -> Result<Current, RedisError> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        if generation > 0 {
            let pause = rand::rng().random_range(0..=JITTER_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let at = match &self.target {
            Target::Fixed(at) => at.clone(),
            Target::Named(sentinels) => sentinels.master().await?,
        };
        let mut connection = self.access.connect(&at).await?;
        if matches!(self.target, Target::Named(_)) && !is_master(&mut connection).await? {
            let detail = format!("{at} is not a master; the Sentinels have not agreed on one yet");
            return Err((ErrorKind::Client, "the Sentinels", detail).into());
        }
        Ok(Current { connection, at, generation })
    }

    /// Gives a connection up, unless somebody did so before.
    async fn give_up(&self, generation: u64) {
        let mut slot = self.slot.lock().await;
        if slot.current.as_ref().is_some_and(|current| current.generation == generation) {
            slot.current = None;
        }
    }

    /// Gives the connection up if its server is not the master any more.
    async fn check(&self, sentinels: &Sentinels) {
        let Some(mut current) = self.slot.lock().await.current.clone() else { return };
        let is_named = sentinels.master().await.is_ok_and(|at| at == current.at);
        if !is_named || !is_master(&mut current.connection).await.unwrap_or(false) {
            self.give_up(current.generation).await;
        }
    }

    /// Logs once when the link fails and once when it recovers.
    fn record<T>(&self, result: &Result<T, RedisError>) {
        // Whoever answers, even with a refusal of one command, is there.
        let is_up = match result {
            Ok(_) => true,
            Err(error) => matches!(error.kind(), ErrorKind::Server(kind) if is_routing(kind)),
        };
        match self.breaker.record(is_up, Instant::now()) {
            Change::Opened => {
                self.metrics.breaker_open(true);
                let reason = result.as_ref().err().map(explain).unwrap_or_default();
                tracing::warn!(
                    store = self.name,
                    reason,
                    "the store does not answer; exams go on from the log"
                );
            }
            Change::Closed => {
                self.metrics.breaker_open(false);
                tracing::info!(store = self.name, "the store answers again");
            }
            Change::None => {}
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.breaker.is_open() {
            self.metrics.breaker_open(false);
        }
    }
}

/// Whether an error says only that a key is elsewhere.
fn is_routing(kind: ServerErrorKind) -> bool {
    matches!(kind, ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::TryAgain)
}

async fn is_master(connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
    let role: redis::Value = redis::cmd("ROLE").query_async(connection).await?;
    let redis::Value::Array(parts) = role else { return Ok(false) };
    let name: Option<String> = parts.into_iter().next().and_then(|name| redis::from_redis_value(name).ok());
    Ok(name.as_deref() == Some("master"))
}

/// Checks the master when the Sentinels tell a switch, and from time to time, as long as there is a link.
async fn watch(link: Weak<Link>, sentinels: Sentinels) {
    let mut ticks = tokio::time::interval(CHECK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut switched = Box::pin(sentinels.switched());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            told = &mut switched => {
                if told.is_err() {
                    // No Sentinel can be heard now; the next look asks again.
                    ticks.tick().await;
                }
                switched = Box::pin(sentinels.switched());
            }
        }
        match link.upgrade() {
            Some(link) => link.check(&sentinels).await,
            None => return,
        }
    }
}
