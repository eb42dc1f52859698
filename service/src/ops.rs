//! The ops port: liveness, readiness, metrics, and what this process runs.
//!
//! Readiness means migrated and not draining. An outage of the database of record is told per
//! request with 503 and Retry-After, and an outage of the store is not told at all: neither is a
//! reason to take every pod out of its Service.

use crate::app::App;
use crate::metrics::Now;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// `GET /livez`
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`
pub async fn ready(State(app): State<App>) -> Response {
    match app.is_draining() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
        false => "ok\n".into_response(),
    }
}

/// `GET /metrics`
pub async fn metrics(State(app): State<App>) -> Response {
    let live = app.live();
    let records = &live.flow.records;
    let now = Now {
        open_exams: records.open_exams().await.ok(),
        database: records.usage(),
        settings_rejected: app.rejected().is_some(),
    };
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, live.flow.metrics.text(now)).into_response()
}

/// `GET /state`
pub async fn state(State(app): State<App>) -> Response {
    let live = app.live();
    match live.flow.records.open_exams().await {
        Ok(open_exams) => Json(contract::State {
            mode: live.flow.store.mode().to_owned(),
            settings_revision: live.revision.to_string(),
            settings_rejected: app.rejected().map(|rejected| rejected.revision.clone()),
            store: live.flow.store.health().await.as_str().to_owned(),
            durability: live.flow.records.durability().to_owned(),
            open_exams,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
        .into_response(),
        Err(error) => {
            tracing::error!(%error, "the state cannot be told");
            (StatusCode::SERVICE_UNAVAILABLE, "the database of record does not answer\n").into_response()
        }
    }
}
