//! The Redis store: one standalone server. Only this file uses the Redis client.
//!
//! Input: writes. Output: snapshots. One multiplexed connection, opened on first use and dropped on the first
//! error: each call has a deadline, a dropped connection is retried once, then the circuit breaker rejects calls.
//! Every command is idempotent. Must not know: what a snapshot's text means.

use super::breaker::{Breaker, Change};
use super::{Error, SetupError, Write, Written};
use crate::telemetry::metrics::Metrics;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    Script, ServerErrorKind,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Deadline of a reply.
const REPLY: Duration = Duration::from_millis(250);
/// Deadline of a connection attempt.
const CONNECT: Duration = Duration::from_millis(300);
/// TCP user timeout: the kernel closes the connection when sent bytes stay unacknowledged this long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// Saves a snapshot unless the stored one has this version or a newer one; `version` comes first in its text. A
/// value of another type has no version and is overwritten.
const SAVE: &str = r#"
local found = redis.pcall('GETRANGE', KEYS[1], 0, 40)
local version = type(found) == 'string' and string.match(found, '^{"version":(%d+)')
if version and tonumber(version) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"#;

#[derive(Clone, Debug)]
pub(super) struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    // Held while connecting: one caller connects, the others wait for its connection.
    connection: Mutex<Option<MultiplexedConnection>>,
    breaker: Breaker,
    save: Script,
    key_prefix: String,
    ttl_seconds: u64,
    metrics: Metrics,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}

impl Redis {
    pub(super) fn new(
        url: &str,
        password: Option<&str>,
        key_prefix: &str,
        ttl_seconds: u64,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        let unusable =
            |error: RedisError| SetupError(format!("the URL of the store cannot be used: {error}"));
        let mut info = url.into_connection_info().map_err(unusable)?;
        if let Some(password) = password {
            info = info.clone().set_redis_settings(info.redis_settings().clone().set_password(password));
        }
        let tcp = info.tcp_settings().clone().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(unusable)?;
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                connection: Mutex::default(),
                breaker: Breaker::default(),
                save: Script::new(SAVE),
                key_prefix: key_prefix.to_owned(),
                ttl_seconds,
                metrics,
            }),
        })
    }

    fn key(&self, exam: i64) -> String {
        format!("{}{exam}", self.shared.key_prefix)
    }

    pub(super) async fn load(&self, exam: i64) -> Result<Option<String>, Error> {
        let mut command = redis::cmd("GET");
        command.arg(self.key(exam));
        let command = &command;
        // Read as bytes: a value that is not UTF-8 or not a string is a corrupt snapshot, not an outage.
        let loaded = self.call(|connection| async move {
            match command_on(command, connection).await {
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Vec::new())),
                other => other,
            }
        });
        let bytes: Option<Vec<u8>> = loaded.await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(super) async fn write(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        // An empty pipeline has no reply.
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let Shared { save, ttl_seconds, .. } = &*self.shared;
        let mut pipeline = Pipeline::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Save { exam, version, text } => {
                    pipeline.cmd("EVALSHA").arg(save.get_hash()).arg(1).arg(self.key(*exam));
                    pipeline.arg(version).arg(text).arg(ttl_seconds)
                }
                Write::Remove { exam } => pipeline.cmd("DEL").arg(self.key(*exam)),
            };
        }
        let pipeline = &pipeline;
        let done = self.call(|mut connection| async move {
            match pipeline.query_async(&mut connection).await {
                // A restarted server does not have the script.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    save.load_async(&mut connection).await?;
                    pipeline.query_async(&mut connection).await
                }
                other => other,
            }
        });
        let done: Vec<bool> = done.await?;
        let result = |(write, done): (&Write, bool)| match (write, done) {
            (Write::Remove { .. }, _) => Written::Removed,
            (Write::Save { .. }, true) => Written::Saved,
            (Write::Save { .. }, false) => Written::Stale,
        };
        Ok(writes.iter().zip(done).map(result).collect())
    }

    pub(super) async fn set_marker(&self) -> Result<bool, Error> {
        let mut command = redis::cmd("SET");
        command.arg(format!("{}filled", self.shared.key_prefix)).arg(1).arg("NX");
        let set: Option<String> = self.call(|connection| command_on(&command, connection)).await?;
        Ok(set.is_some())
    }

    /// Pings Redis regardless of the breaker: this is the health check.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let command = redis::cmd("PING");
        let pong = self.attempt(&|connection| command_on::<()>(&command, connection)).await;
        self.record(pong.as_ref().map(|_| ()).map_err(ToString::to_string));
        pong.map_err(|error| Error::Unavailable(error.to_string()))
    }

    async fn call<T, F>(&self, command: impl Fn(MultiplexedConnection) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        if !self.shared.breaker.allows(Instant::now()) {
            return Err(Error::BreakerOpen);
        }
        let mut result = self.attempt(&command).await;
        // A connection that was closed while idle fails only on the next command.
        if result.as_ref().is_err_and(RedisError::is_connection_dropped) {
            result = self.attempt(&command).await;
        }
        self.record(result.as_ref().map(|_| ()).map_err(ToString::to_string));
        result.map_err(|error| Error::Unavailable(error.to_string()))
    }

    async fn attempt<T, F>(&self, command: &impl Fn(MultiplexedConnection) -> F) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let connection = self.connection().await?;
        let result = command(connection).await;
        if result.as_ref().is_err_and(|error| error.is_unrecoverable_error() || error.is_timeout()) {
            *self.shared.connection.lock().await = None;
        }
        result
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut slot = self.shared.connection.lock().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(REPLY));
        let connection = self.shared.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(slot.insert(connection).clone())
    }

    /// Logs once when the store fails and once when it recovers.
    fn record(&self, result: Result<(), String>) {
        match self.shared.breaker.record(result.is_ok(), Instant::now()) {
            Change::Opened => {
                self.shared.metrics.breaker_open(true);
                let reason = result.err().unwrap_or_default();
                tracing::warn!(reason, "the store does not answer; exams go on from the log");
            }
            Change::Closed => {
                self.shared.metrics.breaker_open(false);
                tracing::info!("the store answers again");
            }
            Change::None => {}
        }
    }
}

async fn command_on<T: FromRedisValue>(
    command: &redis::Cmd,
    mut connection: MultiplexedConnection,
) -> Result<T, RedisError> {
    command.query_async(&mut connection).await
}
