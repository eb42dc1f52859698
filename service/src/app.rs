//! One running service: built from Settings, served on two listeners, drained at the end.
//!
//! Comes in: Settings, the secrets' texts, listeners, and a future that ends when it is time to
//! stop. Goes out: nothing but what the ports say. The caller owns sockets and signals.

use crate::auth::Auth;
use crate::catalogue::Catalogue;
use crate::exposure::Shared;
use crate::flow::Flow;
use crate::metrics::Metrics;
use crate::records::{self, Records};
use crate::router;
use crate::store::{SetupError, Store};
use contract::{Fault, Settings};
use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Longest time for requests that were in flight when the end came.
const DRAIN: Duration = Duration::from_secs(15);

/// One running service.
#[derive(Clone, Debug)]
pub struct App {
    /// The story of exams, with all it needs.
    pub flow: Arc<Flow>,
    /// The door.
    pub auth: Auth,
    /// Which Settings text is in use.
    pub settings_revision: Arc<str>,
    draining: Arc<AtomicBool>,
}

/// What Settings only point to, read by the caller.
#[derive(Debug, Default)]
pub struct Secrets {
    /// The store's password.
    pub store_password: Option<String>,
    /// The database's password.
    pub database_password: Option<String>,
    /// The text of the token file.
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
        let catalogue = Catalogue::build(settings, read).map_err(StartError::Faults)?;
        catalogue.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
        let auth = match &secrets.tokens {
            None => Auth::None,
            Some(text) => Auth::tokens(text).map_err(StartError::Tokens)?,
        };
        let metrics = Metrics::new();
        metrics.build(revision);
        let store = Store::open(&settings.store, secrets.store_password.as_deref(), metrics.clone())?;
        let records =
            Records::open(&settings.database.url, secrets.database_password.as_deref(), metrics.clone())
                .await?;
        catalogue.keep(&records).await?;
        let exposure = Shared::of(&catalogue, &records).await?;
        Ok(Self {
            flow: Arc::new(Flow { records, store, catalogue: Arc::new(catalogue), exposure, metrics }),
            auth,
            settings_revision: revision.into(),
            draining: Arc::default(),
        })
    }

    /// Whether the end has come and new work should go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Serves until `shutdown` ends: then readiness goes off, answers in flight finish, and the
/// database is closed. The ops port answers to the last.
///
/// # Errors
/// A listener failed.
pub async fn serve(
    api: TcpListener,
    ops: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (drain, drained) = tokio::sync::oneshot::channel::<()>();
    let draining = Arc::clone(&app.draining);
    let stop = async move {
        shutdown.await;
        draining.store(true, Ordering::Relaxed);
        tracing::info!("draining: no new connections, answers in flight finish");
        drop(drain);
    };
    let ops = tokio::spawn(axum::serve(ops, router::ops(app.clone())).into_future());
    let api = axum::serve(api, router::api(app.clone())).with_graceful_shutdown(stop).into_future();
    let overdue = async move {
        let _ended = drained.await;
        tokio::time::sleep(DRAIN).await;
    };
    let served = tokio::select! {
        served = api => served,
        () = overdue => {
            tracing::warn!("some connections did not end in time and are cut");
            Ok(())
        }
    };
    app.flow.records.close().await;
    ops.abort();
    served
}
