//! The snapshot store: a cache of open exams.
//!
//! Input: the version and text of a snapshot. Output: the text of the newest saved snapshot. An older snapshot
//! never overwrites a newer one. Every failure here is survivable, because the log is complete. The backend is
//! chosen in [`Store::open`]. Must not know: the log, the content of a snapshot, HTTP.

mod breaker;
mod memory;
mod redis;
pub mod saver;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::TARGET;
use contract::settings;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

/// A store of snapshots.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    metrics: Metrics,
}

#[derive(Clone, Debug)]
enum Backend {
    Memory(memory::Memory),
    Redis(redis::Redis),
}

/// A store operation failed; the exam continues from the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No reply, or an error reply.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The circuit breaker is open.
    #[error("the store failed a moment ago and is left alone for now")]
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
        password: Option<&str>,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        metrics.store_mode(settings.mode());
        let backend = match settings {
            settings::Store::Memory { ttl_seconds } => Backend::Memory(memory::Memory::new(*ttl_seconds)),
            settings::Store::Basic { url, key_prefix, ttl_seconds, .. } => {
                Backend::Redis(redis::Redis::new(url, password, key_prefix, *ttl_seconds, metrics.clone())?)
            }
        };
        Ok(Self { backend, metrics })
    }

    /// The mode's name.
    pub fn mode(&self) -> &'static str {
        match self.backend {
            Backend::Memory(_) => "memory",
            Backend::Redis(_) => "basic",
        }
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

    /// Executes all writes in order, in one round trip.
    ///
    /// # Errors
    /// The store failed on some, or its reply was lost.
    pub async fn write(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        let span = info_span!(target: TARGET, "store", otel.name = "store.write", outcome = Empty);
        let start = Instant::now();
        let writing = async {
            match &self.backend {
                Backend::Memory(memory) => Ok(writes.iter().map(|write| memory.write(write)).collect()),
                Backend::Redis(redis) => redis.write(writes).await,
            }
        };
        let done: Result<Vec<Written>, Error> = writing.instrument(span.clone()).await;
        let took = start.elapsed();
        for (place, write) in writes.iter().enumerate() {
            let outcome = match &done {
                Ok(done) if done.get(place) == Some(&Written::Stale) => "stale",
                Ok(_) => "ok",
                Err(error) => error.outcome(),
            };
            self.metrics.store_operation(write.operation(), outcome, took);
        }
        span.record("outcome", done.as_ref().map_or_else(Error::outcome, |_| "ok"));
        done
    }

    /// Counts an operation that was not attempted.
    pub(crate) fn count_skipped(&self, operation: &str) {
        self.metrics.store_operation(operation, Error::BreakerOpen.outcome(), Duration::ZERO);
    }

    /// Sets the marker of a filled store; returns whether it was missing, which means that the store lost its
    /// content. The memory store is never lost alone.
    ///
    /// # Errors
    /// The store failed, or its reply was lost.
    pub async fn set_marker(&self) -> Result<bool, Error> {
        match &self.backend {
            Backend::Memory(_) => Ok(false),
            Backend::Redis(redis) => redis.set_marker().await,
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
}

impl Write {
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
