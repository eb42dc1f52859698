//! The access log: metrics, spans and log context of every request on the API port.
//!
//! Input: requests with their id. Output: the same requests, and their responses. Recorded are the route template,
//! the method if it is served, and the status; never the requested path, the query, or a header. Must not know:
//! exams.

use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::{self, TARGET};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Measures a request and adds it to the log and trace while `answer` handles it.
pub async fn follow(
    metrics: &Metrics,
    request: Box<Request>,
    answer: impl AsyncFnOnce(Box<Request>) -> Response,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or("none", MatchedPath::as_str).to_owned();
    // Only served methods become labels, because a client may send any word.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let trace_span = trace_span(&request, id, &route, method);
    // At error level, so that it is enabled whenever errors are logged.
    let context = tracing::error_span!("request", request_id = id, route, method, exam = Empty);
    let _in_flight = metrics.in_flight();
    let start = Instant::now();
    let handled = async {
        let response = answer(request).await;
        let took = start.elapsed();
        tracing::debug!(status = response.status().as_u16(), ?took, "handled");
        metrics.request(&route, method, response.status().as_u16(), took);
        response
    };
    let response = handled.instrument(context).instrument(trace_span.clone()).await;
    trace_span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        trace_span.record("otel.status_code", "ERROR");
    }
    response
}

/// The span of a request, in the caller's trace if there is one.
fn trace_span(request: &Request, id: &str, route: &str, method: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        request_id = id,
    );
    if !span.is_disabled() {
        trace::continued(&span, request.headers());
    }
    span
}
