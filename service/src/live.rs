//! What may change while the service runs: store, exam types, banks, and who may call.
//!
//! Comes in: Settings that differ from those in use. Goes out: one value that requests take whole, so that
//! none sees half a change; or every fault, and what is in use stays. Listeners, database and log form are
//! fixed at the start. Must not know: HTTP; files; when to look for a change.

use crate::app::{App, Secrets, StartError};
use crate::auth::{Auth, Keys};
use crate::catalogue::Catalogue;
use crate::exposure::Shared;
use crate::flow::Flow;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::records::Records;
use crate::saver::Saver;
use crate::store::Store;
use contract::{Settings, settings};
use std::sync::Arc;

/// What runs under one Settings text.
#[derive(Debug)]
pub struct Live {
    /// The story of exams, with all it needs.
    pub flow: Flow,
    /// The door.
    pub auth: Auth,
    /// How often one caller may call.
    pub limits: Option<Arc<Limits>>,
    /// Which Settings text this is.
    pub revision: Arc<str>,
    settings: Settings,
    secrets: Secrets,
}

/// A Settings text that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which.
    pub revision: String,
    /// Why.
    pub reason: String,
}

impl Live {
    /// Builds what these Settings want. What is the same as `before` is kept: a store with its
    /// connections and its snapshots.
    ///
    /// # Errors
    /// Why they cannot run; then nothing has changed.
    pub async fn build(
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<String, String>,
        (records, metrics): (&Records, &Metrics),
        before: Option<&Self>,
    ) -> Result<Self, StartError> {
        let kept = Catalogue::kept(settings, records).await?.map_err(StartError::Faults)?;
        let catalogue = Catalogue::build(settings, read, Some(&kept)).map_err(StartError::Faults)?;
        catalogue.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
        let auth = door(&settings.auth, secrets)?;
        // Who has called how often is not forgotten with every change.
        let limits = match before.filter(|before| before.settings.limits == settings.limits) {
            Some(before) => before.limits.clone(),
            None => settings.limits.map(|limits| Arc::new(Limits::new(limits))),
        };
        catalogue.keep(records).await?;
        let exposure = Shared::of(&catalogue, records).await?;
        let same = before.filter(|before| {
            before.settings.store == settings.store && before.secrets.store_password == secrets.store_password
        });
        // Last of all: what is counted of the store tells what runs.
        let (store, saver) = match same {
            Some(before) => (before.flow.store.clone(), before.flow.saver.clone()),
            None => {
                let password = secrets.store_password.as_deref();
                let store = Store::open(&settings.store, password, metrics.clone())?;
                (store.clone(), Saver::start(store))
            }
        };
        // An exam keeps its bank and its rules, whatever the Settings say now.
        let recent = before.map_or_else(Recent::default, |before| before.flow.recent.clone());
        metrics.build(revision);
        let (records, metrics) = (records.clone(), metrics.clone());
        Ok(Self {
            flow: Flow { records, store, saver, catalogue: Arc::new(catalogue), recent, exposure, metrics },
            auth,
            limits,
            revision: revision.into(),
            settings: settings.clone(),
            secrets: secrets.clone(),
        })
    }

    /// Whether a page of this origin may call the service.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.settings.api.allow_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// Whether these are the Settings and secrets in use.
    pub fn is(&self, settings: &Settings, secrets: &Secrets) -> bool {
        self.settings == *settings && self.secrets == *secrets
    }

    /// What these Settings change that takes effect only after a restart.
    fn after_restart(&self, settings: &Settings) -> Vec<&'static str> {
        let (now, then) = (&self.settings, settings);
        let changed = [
            ("api.bind", now.api.bind != then.api.bind),
            ("ops", now.ops != then.ops),
            ("database", now.database != then.database),
            ("log", now.log != then.log),
            ("trace", now.trace != then.trace),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

fn door(auth: &settings::Auth, secrets: &Secrets) -> Result<Auth, StartError> {
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

impl App {
    /// Goes over to these Settings. Requests that are under way end on what they began with.
    ///
    /// # Errors
    /// Why they cannot run; what is in use stays.
    pub async fn adopt(
        &self,
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), StartError> {
        let before = self.live();
        let with = (&before.flow.records, &before.flow.metrics);
        let live = Live::build(settings, revision, secrets, read, with, Some(&before)).await?;
        let restart = before.after_restart(settings);
        if !restart.is_empty() {
            tracing::warn!(
                sections = restart.join(", "),
                "changed settings that take effect after a restart"
            );
        }
        tracing::info!(revision, store = live.flow.store.mode(), auth = ?live.auth, "settings adopted");
        self.go_over(live);
        Ok(())
    }
}
