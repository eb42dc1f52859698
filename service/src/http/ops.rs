//! The ops port: liveness, readiness, metrics, and the state of the process.
//!
//! Input: the application. Output: replies to probes, Prometheus and the operator. Ready means migrated and not
//! draining. An outage of the database is reported per request by 503 with Retry-After, and an outage of the store
//! is not an error at all: neither is a reason to remove every pod from its Service. Must not know: exams.

use crate::app::App;
use crate::flow::Flow;
use crate::telemetry::metrics::Sampled;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tokio::time::timeout;

/// How long `/metrics` and `/state` wait for the database.
const DEADLINE: Duration = Duration::from_secs(1);

/// How long `/digest` waits, which reads a row of each open exam.
const DIGEST_DEADLINE: Duration = Duration::from_secs(10);

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
    let flow = &live.flow;
    let open_exams = open_exams(flow).await;
    let sampled = Sampled {
        open_exams,
        database_up: open_exams.is_some(),
        database: flow.records.usage(),
        clock_correction: flow.records.clock_correction(),
        settings_rejected: app.rejected().is_some(),
    };
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, flow.metrics.text(sampled)).into_response()
}

/// `GET /state`
pub async fn state(State(app): State<App>) -> Json<contract::State> {
    let live = app.live();
    let flow = &live.flow;
    let (counted, store) = tokio::join!(open_exams(flow), flow.store.health());
    let rejected = app.rejected();
    Json(contract::State {
        mode: flow.store.mode().to_owned(),
        settings_revision: live.revision.to_string(),
        settings_rejected: rejected.as_ref().map(|rejected| rejected.revision.clone()),
        settings_faults: rejected.map(|rejected| rejected.reason.clone()),
        store: store.as_str().to_owned(),
        store_problem: flow.store.problem(),
        durability: flow.records.durability().to_owned(),
        database: Some(if counted.is_some() { "up" } else { "down" }.to_owned()),
        open_exams: counted.unwrap_or_else(|| flow.metrics.open_exams()),
        clock_correction_seconds: Some(flow.records.clock_correction() / 1000)
            .filter(|seconds| *seconds != 0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// `GET /digest`
pub async fn digest(State(app): State<App>) -> Response {
    let live = app.live();
    match timeout(DIGEST_DEADLINE, live.flow.records.digest()).await {
        Ok(Ok(digest)) => Json(digest).into_response(),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// Number of open exams; `None` if the database does not answer within a short time.
async fn open_exams(flow: &Flow) -> Option<u64> {
    timeout(DEADLINE, flow.records.open_exams()).await.ok()?.ok()
}
