//! The store: snapshots of open exams, for speed alone.
//!
//! Comes in: a snapshot's version and text. Goes out: the text of the newest one that was saved.
//! A snapshot is never overwritten by an older one, and every failure here is survivable: the log
//! has everything. Which backend runs is one match, in [`Store::open`].
//! Must not know: the log, what a snapshot's text means, HTTP.

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

/// The store could not do it; the exam goes on from the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or a refusal.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It failed a moment ago and is left alone until it is tried again.
    #[error("the store failed a moment ago and is left alone for now")]
    Resting,
}

/// A change of the store. Safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Keeps a snapshot unless one as new is there, and starts its lifetime anew.
    Save {
        /// The exam.
        exam: i64,
        /// Its version, which stands first in the text.
        version: i64,
        /// The snapshot.
        text: String,
    },
    /// Forgets an exam.
    Remove {
        /// The exam.
        exam: i64,
    },
}

/// What became of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The snapshot is the newest now.
    Saved,
    /// As new a one, or a newer one, was there already.
    Stale,
    /// There is none any more.
    Removed,
}

/// Why a store cannot be set up; an unreachable one is no reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub String);

/// Whether the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Up,
    /// It does not.
    Down,
    /// There is none beside the process.
    Disabled,
}

impl Health {
    /// The word for it in `/health/redis` and `/state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Disabled => "disabled",
        }
    }
}

impl Store {
    /// Sets a store up. A Redis is not contacted before it is needed: the service starts without it.
    ///
    /// # Errors
    /// The settings cannot work, whatever the network does.
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

    /// The newest snapshot of an exam; `None` when there is none.
    ///
    /// # Errors
    /// The store did not do it.
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

    /// Does all of these, in their order, in one round trip.
    ///
    /// # Errors
    /// The store did not do them all, or its reply was lost.
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

    /// Counts an operation that was not tried.
    pub(crate) fn left_out(&self, operation: &str) {
        self.metrics.store_operation(operation, Error::Resting.outcome(), Duration::ZERO);
    }

    /// Marks the store as filled; gives whether it was not, as one that has lost everything is not. A store
    /// in the process is never lost alone.
    ///
    /// # Errors
    /// The store did not do it, or its reply was lost.
    pub async fn mark(&self) -> Result<bool, Error> {
        match &self.backend {
            Backend::Memory(_) => Ok(false),
            Backend::Redis(redis) => redis.mark().await,
        }
    }

    /// Whether the store answers just now.
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
            Self::Resting => "skipped",
        }
    }
}
