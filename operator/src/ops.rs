//! The operator's ops port: liveness, readiness, metrics.
//!
//! It is alive while the API server answers it, and while it reconciles what there is: an operator
//! that is stuck is ended and started anew by the kubelet.

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

/// How often the API server is asked, by a read.
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

/// Asks the API server now and then, and notes when it answers.
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
