//! The snapshot store: a cache of open exams.
//!
//! Input: the version and text of a snapshot. Output: the text of the newest saved snapshot. An older snapshot
//! never overwrites a newer one. Every failure here is survivable, because the log is complete. The backend is
//! chosen in [`Store::open`]. Must not know: the log, the content of a snapshot, HTTP.

mod memory;
pub mod redis;
pub mod saver;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::TARGET;
use contract::settings;
use redis::access::StoreSecrets;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

/// A store of snapshots.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    mode: &'static str,
    metrics: Metrics,
}

#[derive(Clone, Debug)]
enum Backend {
    Memory(memory::Memory),
    Redis(redis::Redis),
}

/// A store operation failed; the exam continues from the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No reply, an error reply, or a server that is not what is wanted.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The circuit breaker is open.
    #[error("the store is left alone until it is well again")]
    BreakerOpen,
}

/// A write. Idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Saves a snapshot unless one of this version or newer exists; resets its TTL.
    Save {
        /// The exam.
        exam: i64,
        /// Its version, which comes first in the text.
        version: i64,
        /// The snapshot.
        text: String,
    },
    /// Removes the snapshot of an exam.
    Remove {
        /// The exam.
        exam: i64,
    },
}

/// The result of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The snapshot was saved.
    Saved,
    /// A snapshot of this version or newer exists.
    Stale,
    /// There is no snapshot any more.
    Removed,
}

/// Why a store cannot be set up. An unreachable store is not an error here.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub String);

/// The health of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Up,
    /// It does not answer.
    Down,
    /// There is no external store.
    Disabled,
}

impl Health {
    /// Its name in `/health/redis` and `/state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Disabled => "disabled",
        }
    }
}

impl Store {
    /// Sets a store up. Redis is connected on first use, so the service starts without it.
    ///
    /// # Errors
    /// The settings are unusable.
    pub fn open(
        settings: &settings::Store,
        secrets: &StoreSecrets,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        metrics.store_mode(settings.mode());
        let backend = match settings {
            settings::Store::Memory { ttl_seconds } => Backend::Memory(memory::Memory::new(*ttl_seconds)),
            settings::Store::Basic(redis)
            | settings::Store::Sentinel(redis)
            | settings::Store::Cluster(redis) => {
                Backend::Redis(redis::Redis::new(redis, secrets, metrics.clone())?)
            }
        };
        Ok(Self { backend, mode: settings.mode(), metrics })
    }

    /// The mode's name.
    pub fn mode(&self) -> &'static str {
        self.mode
    }

    /// The newest snapshot of an exam, if there is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn load(&self, exam: i64) -> Result<Option<String>, Error> {
        let span = info_span!(target: TARGET, "store", otel.name = "store.load", outcome = Empty);
        let start = Instant::now();
        let loading = async {
            match &self.backend {
                Backend::Memory(memory) => Ok(memory.load(exam)),
                Backend::Redis(redis) => redis.load(exam).await,
            }
        };
        let loaded: Result<Option<String>, Error> = loading.instrument(span.clone()).await;
        let outcome = match &loaded {
            Ok(Some(_)) => "ok",
            Ok(None) => "missing",
            Err(error) => error.outcome(),
        };
        self.metrics.store_operation("load", outcome, start.elapsed());
        span.record("outcome", outcome);
        loaded
    }

    /// Executes all writes, in order for each exam, in one round trip to each server that it concerns.
    ///
    /// # Errors
    /// The store failed on some, or its reply was lost.
    pub async fn write(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        let span = info_span!(target: TARGET, "store", otel.name = "store.write", outcome = Empty);
        let start = Instant::now();
        let writing = async {
            match &self.backend {
                Backend::Memory(memory) => writes.iter().map(|write| Ok(memory.write(write))).collect(),
                Backend::Redis(redis) => redis.write(writes).await,
            }
        };
        let done: Vec<Result<Written, Error>> = writing.instrument(span.clone()).await;
        let took = start.elapsed();
        for (write, done) in writes.iter().zip(&done) {
            let outcome = match done {
                Ok(Written::Stale) => "stale",
                Ok(_) => "ok",
                Err(error) => error.outcome(),
            };
            self.metrics.store_operation(write.operation(), outcome, took);
        }
        let done: Result<Vec<Written>, Error> = done.into_iter().collect();
        span.record("outcome", done.as_ref().map_or_else(Error::outcome, |_| "ok"));
        done
    }

    /// The part of the store that has an exam, as a number: parts fail and are lost apart.
    pub(crate) fn shard(&self, exam: i64) -> usize {
        match &self.backend {
            Backend::Memory(_) => 0,
            Backend::Redis(redis) => redis.shard(exam),
        }
    }

    /// Counts an operation that was not attempted.
    pub(crate) fn count_skipped(&self, operation: &str) {
        self.metrics.store_operation(operation, Error::BreakerOpen.outcome(), Duration::ZERO);
    }

    /// Sets the marker of a filled store in each of its parts; returns those where it was missing, which means that
    /// they lost their content. The memory store is never lost alone.
    ///
    /// # Errors
    /// The store failed, or its reply was lost.
    pub async fn set_markers(&self) -> Result<Vec<usize>, Error> {
        match &self.backend {
            Backend::Memory(_) => Ok(Vec::new()),
            Backend::Redis(redis) => redis.set_markers().await,
        }
    }

    /// Whether the store answers now.
    pub async fn health(&self) -> Health {
        match &self.backend {
            Backend::Memory(_) => Health::Disabled,
            Backend::Redis(redis) => match redis.ping().await {
                Ok(()) => Health::Up,
                Err(_) => Health::Down,
            },
        }
    }

    /// What is wrong with the store now, in one sentence.
    pub fn problem(&self) -> Option<String> {
        match &self.backend {
            Backend::Memory(_) => None,
            Backend::Redis(redis) => redis.problem(),
        }
    }

    /// Asks every server, and writes, reads and removes snapshots that no exam has, as a store that can be used allows. The
    /// memory store is always there.
    ///
    /// # Errors
    /// What is wrong, and which setting mends it.
    pub async fn check(&self) -> Result<(), Error> {
        let Backend::Redis(redis) = &self.backend else { return Ok(()) };
        redis.ping().await?;
        redis.load(0).await?;
        let save = |exam| Write::Save { exam, version: 0, text: "{\"version\":0}".to_owned() };
        // Several keys, so that several masters of a cluster have one.
        let nobodys: Vec<i64> = (-15..=0).collect();
        let saves: Vec<Write> = nobodys.iter().map(|exam| save(*exam)).collect();
        let removals: Vec<Write> = nobodys.iter().map(|exam| Write::Remove { exam: *exam }).collect();
        let mut done = redis.write(&saves).await;
        done.extend(redis.write(&removals).await);
        done.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }
}

impl Write {
    /// The exam.
    pub(crate) fn exam(&self) -> i64 {
        match self {
            Self::Save { exam, .. } | Self::Remove { exam } => *exam,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Save { .. } => "save",
            Self::Remove { .. } => "remove",
        }
    }
}

impl Error {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "error",
            Self::BreakerOpen => "skipped",
        }
    }
}
