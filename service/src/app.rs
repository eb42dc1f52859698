//! One running service: built from Settings, served on two listeners, drained at the end.
//!
//! Comes in: Settings, the secrets' texts, listeners, and a future that ends when it is time to
//! stop. Goes out: nothing but what the ports say. The caller owns sockets and signals.

use crate::catalogue::Catalogue;
use crate::listen::{self, Phase};
use crate::live::{Live, Rejected};
use crate::metrics::Metrics;
use crate::records::{self, Records};
use crate::rewarm;
use crate::router;
use crate::store::SetupError;
use crate::sweep;
use arc_swap::{ArcSwap, ArcSwapOption};
use contract::{Fault, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longest time for requests that were in flight when the end came.
const DRAIN: Duration = Duration::from_secs(15);
/// Connections to the ops port: probes, Prometheus, the operator.
const OPS_ROOM: usize = 32;

/// One running service.
#[derive(Clone, Debug)]
pub struct App {
    live: Arc<ArcSwap<Live>>,
    rejected: Arc<ArcSwapOption<Rejected>>,
    draining: Arc<AtomicBool>,
}

/// What Settings only point to, read by the caller.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The store's password.
    pub store_password: Option<String>,
    /// The database's password.
    pub database_password: Option<String>,
    /// The text of the token file, or of the key file.
    pub tokens: Option<String>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Faults of banks or exam types, each named.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
    /// The token file is of no use.
    #[error("the token file is of no use: {0}")]
    Tokens(String),
    /// The key file is of no use.
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

impl App {
    /// Builds a service; everything that can be wrong is found here. `revision` names the Settings
    /// text, `read` gives the text of a file.
    ///
    /// # Errors
    /// Why it cannot run.
    pub async fn build(
        settings: &Settings,
        revision: &str,
        secrets: &Secrets,
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, StartError> {
        // What is wrong with the settings is found before anything is made.
        Catalogue::build(settings, &read, None).map_err(StartError::Faults)?;
        let metrics = Metrics::new();
        let password = secrets.database_password.as_deref();
        let records = Records::open(&settings.database.url, password, metrics.clone()).await?;
        let live = Live::build(settings, revision, secrets, read, (&records, &metrics), None).await?;
        Ok(Self {
            live: Arc::new(ArcSwap::from_pointee(live)),
            rejected: Arc::default(),
            draining: Arc::default(),
        })
    }

    /// What runs now.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The Settings text that was refused last, unless one was adopted since.
    pub fn rejected(&self) -> Option<Arc<Rejected>> {
        self.rejected.load_full()
    }

    pub(crate) fn go_over(&self, live: Live) {
        self.live.store(Arc::new(live));
        self.rejected.store(None);
    }

    /// Says that a Settings text is refused, once.
    pub fn reject(&self, rejected: Rejected) {
        if self.rejected().is_none_or(|before| *before != rejected) {
            let Rejected { revision, reason } = &rejected;
            tracing::error!(revision, "the new settings are refused, and those in use stay: {reason}");
            self.rejected.store(Some(Arc::new(rejected)));
        }
    }

    /// Forgets a text that was refused: the one in use is the one that is wanted again.
    pub fn accept(&self) {
        self.rejected.store(None);
    }

    /// Whether the end has come and new work should go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Serves until `shutdown` ends: then readiness goes off, and for as long as `shutdown` gave, whoever still
/// comes is served and asked to go elsewhere. Then answers in flight finish, and the database is closed. The
/// ops port answers to the last. `room` is for so many connections.
///
/// # Errors
/// A listener failed.
pub async fn serve(
    api: TcpListener,
    ops: TcpListener,
    app: App,
    room: usize,
    shutdown: impl Future<Output = Duration> + Send,
) -> std::io::Result<()> {
    let (phase, phases) = watch::channel(Phase::Serving);
    let (to_the_last, at_ops) = watch::channel(Phase::Serving);
    let sweeping = tokio::spawn(sweep::run(app.clone()));
    let filling = tokio::spawn(rewarm::run(app.clone()));
    let ops = tokio::spawn(listen::serve(ops, router::ops(app.clone()), OPS_ROOM, at_ops));
    let mut api = tokio::spawn(listen::serve(api, router::api(app.clone()), room, phases));
    let stop = async {
        let linger = shutdown.await;
        app.draining.store(true, Ordering::Relaxed);
        tracing::info!(?linger, "draining: not ready any more; answers in flight finish");
        phase.send_replace(Phase::Leaving);
        tokio::time::sleep(linger).await;
        phase.send_replace(Phase::Closing);
        tokio::time::sleep(DRAIN).await;
    };
    let served = tokio::select! {
        ended = &mut api => ended.map_err(std::io::Error::other),
        () = stop => {
            tracing::warn!("some connections did not end in time and are cut");
            Ok(())
        }
    };
    sweeping.abort();
    filling.abort();
    let flow = &app.live().flow;
    flow.saver.settle().await;
    flow.records.close().await;
    ops.abort();
    drop(to_the_last);
    served
}
