//! The running service: what is live, which Settings were rejected last, whether it is draining.
//!
//! Input: Settings, the texts of secrets, and a function that reads files. Output: the state that handlers and
//! background jobs share. Must not know: HTTP, sockets, signals.

use crate::catalogue::Catalogue;
use crate::live::{Live, Rejected, Secrets, StartError};
use crate::records::Records;
use crate::telemetry::metrics::Metrics;
use arc_swap::{ArcSwap, ArcSwapOption};
use contract::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One running service.
#[derive(Clone, Debug)]
pub struct App {
    live: Arc<ArcSwap<Live>>,
    rejected: Arc<ArcSwapOption<Rejected>>,
    draining: Arc<AtomicBool>,
}

impl App {
    /// Builds a service and reports everything that is wrong with its Settings. `revision` is the hash of the
    /// Settings text, `read` returns the text of a file.
    ///
    /// # Errors
    /// Why it cannot run.
    pub async fn build(
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Self, StartError> {
        // Settings are checked before any resource is opened.
        Catalogue::build(settings, &read, None).map_err(StartError::Faults)?;
        let metrics = Metrics::new();
        let records = Records::open(&secrets.database, metrics.clone()).await?;
        let live = Live::build(settings, revision, secrets, read, (&records, &metrics), None).await?;
        Ok(Self {
            live: Arc::new(ArcSwap::from_pointee(live)),
            rejected: Arc::default(),
            draining: Arc::default(),
        })
    }

    /// What is live now.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The Settings text that was rejected last; `None` once a text was adopted after it.
    pub fn rejected(&self) -> Option<Arc<Rejected>> {
        self.rejected.load_full()
    }

    /// Adopts new Settings. Requests in flight end on the Settings they began with.
    ///
    /// # Errors
    /// Why the new Settings cannot run; those in use stay.
    pub async fn adopt(
        &self,
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(), StartError> {
        let before = self.live();
        // First: with the old password the database may not answer what else is asked.
        let same_database = before.follow(&secrets.database);
        let with = (&before.flow.records, &before.flow.metrics);
        let live = Live::build(settings, revision, secrets, read, with, Some(&before)).await?;
        let restart = before.needs_restart(settings, same_database);
        if !restart.is_empty() {
            tracing::warn!(
                sections = restart.join(", "),
                "changed settings that take effect after a restart"
            );
        }
        tracing::info!(revision, store = live.flow.store.mode(), auth = ?live.auth, "settings adopted");
        self.live.store(Arc::new(live));
        self.rejected.store(None);
        Ok(())
    }

    /// Records that a Settings text was rejected; logs it once.
    pub fn reject(&self, rejected: Rejected) {
        if self.rejected().is_none_or(|before| *before != rejected) {
            let Rejected { revision, reason } = &rejected;
            tracing::error!(revision, "the new settings are rejected and those in use stay: {reason}");
            self.rejected.store(Some(Arc::new(rejected)));
        }
    }

    /// Clears the rejection, because the Settings text is again the one in use.
    pub fn accept(&self) {
        self.rejected.store(None);
    }

    /// Whether the service drains, so that clients should connect elsewhere.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Begins to drain: readiness is withdrawn from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
