//! Every route and every layer, in order.

use crate::app::App;
use crate::live::Live;
use crate::problem::Problem;
use crate::{auth, banks, body, exams, observe, openapi, ops, page};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// Longest time for a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The API port.
pub fn api(app: App) -> Router {
    let proctors = Router::new()
        .route("/exams", get(exams::list))
        .route("/pause", post(exams::pause))
        .route("/resume", post(exams::resume))
        .route("/extend", post(exams::extend))
        .layer(from_fn(body::small))
        .layer(from_fn(auth::proctors));
    let admins = Router::new()
        .route("/banks", get(banks::list).put(banks::import))
        .route("/banks/{version}", get(banks::survey))
        .route("/export", get(exams::export))
        .layer(from_fn(body::large))
        .layer(from_fn(auth::admins));
    let exams = Router::new()
        .route("/start", post(exams::start))
        .route("/next", get(exams::next))
        .route("/answer", post(exams::answer))
        .route("/complete", post(exams::complete))
        .route("/status", get(exams::status))
        .layer(from_fn(body::small))
        .merge(proctors)
        .merge(admins)
        .layer(from_fn_with_state(app.clone(), auth::check))
        // Whether the store is up is no secret, and a probe has no token.
        .route("/health/redis", get(exams::health_redis))
        .with_state(app.clone());
    Router::new()
        .nest(contract::API_PREFIX, exams)
        .merge(page::routes())
        .merge(openapi::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::disable())
        .layer(origins(app.clone()))
        .layer(from_fn(deadline))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app, observe::follow))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Which pages of others may call, as the Settings in use say; who calls is asked all the same.
fn origins(app: App) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &Parts| app.live().allows(origin.as_bytes());
    let [key, id, trace] = ["idempotency-key", "x-request-id", "traceparent"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, key, id.clone(), trace])
        .expose_headers([id, header::RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

/// The ops port.
pub fn ops(app: App) -> Router {
    Router::new()
        .route(contract::LIVEZ_PATH, get(ops::live))
        .route(contract::READYZ_PATH, get(ops::ready))
        .route(contract::METRICS_PATH, get(ops::metrics))
        .route(contract::STATE_PATH, get(ops::state))
        .with_state(app)
}

/// What runs now, for a request: taken once, and kept to its end.
pub struct Now(pub Arc<Live>);

impl FromRequestParts<App> for Now {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.live()))
    }
}

async fn unknown_path(uri: Uri) -> Problem {
    exams::request::unknown_path(uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    exams::request::wrong_method(method.as_str(), uri.path())
}

async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::too_slow().into_response(),
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let reason = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(reason, "a request panicked");
    Problem::internal().into_response()
}
