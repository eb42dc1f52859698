//! The store: snapshots of open exams, for speed alone.
//!
//! Comes in: a snapshot's version and text. Goes out: the text of the newest one that was saved.
//! A snapshot is never overwritten by an older one, and every failure here is survivable: the log
//! has everything. Which backend runs is one match, in [`Store::open`].
//! Must not know: the log, what a snapshot's text means, HTTP.

mod breaker;
mod memory;
mod redis;

use crate::metrics::Metrics;
use crate::trace::TARGET;
use contract::settings;
use std::time::Instant;
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

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The snapshot is the newest now.
    Written,
    /// As new a one, or a newer one, was there already.
    Stale,
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
        let loading = async {
            match &self.backend {
                Backend::Memory(memory) => Ok(memory.load(exam)),
                Backend::Redis(redis) => redis.load(exam).await,
            }
        };
        let word = |loaded: &Option<String>| if loaded.is_some() { "ok" } else { "missing" };
        self.observed("load", loading, word).await
    }

    /// Keeps a snapshot unless one as new is there, and starts its lifetime anew. Safe to repeat.
    ///
    /// # Errors
    /// The store did not do it, or its reply was lost.
    pub async fn save(&self, exam: i64, version: i64, text: &str) -> Result<Saved, Error> {
        let saving = async {
            match &self.backend {
                Backend::Memory(memory) => Ok(memory.save(exam, version, text)),
                Backend::Redis(redis) => redis.save(exam, version, text).await,
            }
        };
        let word = |saved: &Saved| match saved {
            Saved::Written => "ok",
            Saved::Stale => "stale",
        };
        self.observed("save", saving, word).await
    }

    /// Forgets an exam. Safe to repeat.
    ///
    /// # Errors
    /// The store did not do it, or its reply was lost.
    pub async fn remove(&self, exam: i64) -> Result<(), Error> {
        let removing = async {
            match &self.backend {
                Backend::Memory(memory) => {
                    memory.remove(exam);
                    Ok(())
                }
                Backend::Redis(redis) => redis.remove(exam).await,
            }
        };
        self.observed("remove", removing, |()| "ok").await
    }

    /// Does it, and tells metrics and trace how it went; `word` says so of what went well.
    async fn observed<T>(
        &self,
        operation: &'static str,
        doing: impl Future<Output = Result<T, Error>>,
        word: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, Error> {
        let span =
            info_span!(target: TARGET, "store", otel.name = format!("store.{operation}"), outcome = Empty);
        let start = Instant::now();
        let done = doing.instrument(span.clone()).await;
        let outcome = done.as_ref().map_or_else(Error::outcome, word);
        self.metrics.store_operation(operation, outcome, start.elapsed());
        span.record("outcome", outcome);
        done
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

impl Error {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "error",
            Self::Resting => "skipped",
        }
    }
}
