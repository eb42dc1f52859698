//! The ops port of the operator: liveness, readiness, metrics.
//!
//! Input: a listener, metrics, a client. Output: replies to probes and Prometheus. The operator is alive while the
//! API server answers it and while it reconciles existing resources: a stuck operator is restarted by the kubelet.
//! Must not know: what a reconcile does.

use crate::crd::AdaptiveExamDeployment;
use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use kube::api::ListParams;
use kube::{Api, Client};
use std::time::Duration;
use tokio::net::TcpListener;

/// Interval of liveness reads from the API server.
const ASK: Duration = Duration::from_secs(30);

/// Serves the ops port for as long as the process runs.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: TcpListener, metrics: Metrics) -> std::io::Result<()> {
    let router = Router::new()
        .route(contract::LIVEZ_PATH, get(live))
        .route(contract::READYZ_PATH, get(|| async { "ok\n" }))
        .route(contract::METRICS_PATH, get(|State(metrics): State<Metrics>| async move { metrics.text() }))
        .with_state(metrics);
    axum::serve(listener, router).await
}

async fn live(State(metrics): State<Metrics>) -> Result<&'static str, (StatusCode, String)> {
    match metrics.fault() {
        None => Ok("ok\n"),
        Some(fault) => Err((StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n"))),
    }
}

/// Reads from the API server periodically and records when it answers.
pub async fn listen(client: Client, namespace: Option<String>, metrics: Metrics) {
    let api: Api<AdaptiveExamDeployment> = match namespace {
        Some(namespace) => Api::namespaced(client, &namespace),
        None => Api::all(client),
    };
    let mut clock = tokio::time::interval(ASK);
    loop {
        clock.tick().await;
        if let Ok(found) = api.list_metadata(&ListParams::default().limit(1)).await {
            metrics.heard(!found.items.is_empty());
        }
    }
}
