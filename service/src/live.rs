//! What one Settings text builds: store, exam types, banks, authentication, rate limits.
//!
//! Input: Settings, secrets, and what the Settings before them built. Output: one immutable value that a request takes
//! as a whole, so that no request sees half a change; or every fault. Listeners, database and log format are fixed
//! at start. Must not know: HTTP, files, when Settings are reloaded.

use crate::access::auth::{Auth, Keys};
use crate::access::rate_limit::RateLimits;
use crate::catalogue::Catalogue;
use crate::exposure::Shared;
use crate::flow::Flow;
use crate::flow::recent::Recent;
use crate::records::{self, DatabaseAccess, Records};
use crate::store::redis::access::StoreSecrets;
use crate::store::saver::Saver;
use crate::store::{SetupError, Store};
use crate::telemetry::metrics::Metrics;
use contract::{Fault, Settings, settings};
use std::sync::Arc;

/// What runs under one Settings text.
#[derive(Debug)]
pub struct Live {
    /// The exam calls, with all they need.
    pub flow: Flow,
    /// How callers authenticate.
    pub auth: Auth,
    /// The rate limits, if there are any.
    pub limits: Option<Arc<RateLimits>>,
    /// The hash of the Settings text.
    pub revision: Arc<str>,
    settings: Settings,
    secrets: Secrets,
}

/// The secrets that Settings name by file, read by the caller.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Those of the store.
    pub store: StoreSecrets,
    /// How the database is reached.
    pub database: DatabaseAccess,
    /// The text of the token file or of the key file.
    pub tokens: Option<String>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Every fault of banks and exam types.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
    /// The token file cannot be used.
    #[error("the token file is of no use: {0}")]
    Tokens(String),
    /// The key file cannot be used.
    #[error("auth.key_file is of no use: {0}")]
    Keys(String),
    /// The store cannot be set up.
    #[error(transparent)]
    Store(#[from] SetupError),
    /// The database of record cannot be opened.
    #[error(transparent)]
    Open(#[from] records::OpenError),
    /// The database of record failed.
    #[error(transparent)]
    Records(#[from] records::Error),
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(not shown)")
    }
}

/// A Settings text that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The hash of its text.
    pub revision: String,
    /// Every fault.
    pub reason: String,
}

impl Live {
    /// Builds what these Settings describe. A store whose settings are those of `before` is reused, with its
    /// connections and snapshots.
    ///
    /// # Errors
    /// Why they cannot run; nothing has changed then.
    pub async fn build(
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<Vec<u8>, String>,
        (records, metrics): (&Records, &Metrics),
        before: Option<&Self>,
    ) -> Result<Self, StartError> {
        let stored = Catalogue::load_stored(settings, records).await?.map_err(StartError::Faults)?;
        let catalogue = Catalogue::build(settings, read, Some(&stored)).map_err(StartError::Faults)?;
        catalogue.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
        let auth = build_auth(&settings.auth, secrets)?;
        // Unchanged rate limits keep their counts.
        let limits = match before.filter(|before| before.settings.limits == settings.limits) {
            Some(before) => before.limits.clone(),
            None => settings.limits.map(|limits| Arc::new(RateLimits::new(limits))),
        };
        catalogue.store_banks(records).await?;
        let exposure = Shared::of(&catalogue, records).await?;
        let same = before.filter(|before| {
            before.settings.store == settings.store && before.secrets.store == secrets.store
        });
        // Opened last, because opening a store sets the metric of the running mode.
        let (store, saver) = match same {
            Some(before) => (before.flow.store.clone(), before.flow.saver.clone()),
            None => {
                let store = Store::open(&settings.store, &secrets.store, metrics.clone())?;
                (store.clone(), Saver::start(store))
            }
        };
        // Open exams keep their bank and policy, so cached exams stay valid.
        let recent = before.map_or_else(Recent::default, |before| before.flow.recent.clone());
        metrics.build(revision);
        let (records, metrics) = (records.clone(), metrics.clone());
        Ok(Self {
            flow: Flow {
                records,
                store,
                saver,
                catalogue: Arc::new(catalogue),
                recent,
                exposure,
                metrics,
                outage_grace: i64::from(settings.outage.grace_seconds) * 1000,
            },
            auth,
            limits,
            revision: revision.into(),
            settings: settings.clone(),
            secrets: secrets.clone(),
        })
    }

    /// Whether CORS allows pages of this origin.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.settings.api.allow_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// Whether these are the Settings and secrets in use.
    pub fn is(&self, settings: &Settings, secrets: &Secrets) -> bool {
        self.settings == *settings && self.secrets == *secrets
    }

    /// As [`Records::follow`].
    pub(crate) fn follow(&self, database: &DatabaseAccess) -> bool {
        self.flow.records.follow(&self.secrets.database, database)
    }

    /// The sections of these Settings that differ and take effect only after a restart.
    pub(crate) fn needs_restart(&self, settings: &Settings, same_database: bool) -> Vec<&'static str> {
        let (now, then) = (&self.settings, settings);
        let changed = [
            ("api.bind", now.api.bind != then.api.bind),
            ("ops", now.ops != then.ops),
            ("database", !same_database),
            ("log", now.log != then.log),
            ("trace", now.trace != then.trace),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

fn build_auth(auth: &settings::Auth, secrets: &Secrets) -> Result<Auth, StartError> {
    let text = secrets.tokens.as_deref().unwrap_or_default();
    match auth {
        settings::Auth::None { .. } => Ok(Auth::None),
        settings::Auth::Token { .. } => Auth::tokens(text).map_err(StartError::Tokens),
        settings::Auth::Jwt { algorithm, audience, issuer, .. } => {
            let keys = Keys::read(text, *algorithm, audience, issuer.as_deref()).map_err(StartError::Keys)?;
            Ok(Auth::Jwt(Arc::new(keys)))
        }
    }
}
