//! What stands before every route of the API port, in one piece: the request's id, what is seen of it, its deadline,
//! its caller, its body.
//!
//! Comes in: a request, and what its routes ask of whoever calls them. Goes out: the same request with its [`Caller`]
//! and its whole body, and the reply with its id; or a problem. It is one layer and not eight, for each layer of a
//! router is copied anew for each request. Must not know: what is asked for.
//!
//! [`Caller`]: crate::caller::Caller

use crate::app::App;
use crate::caller::Role;
use crate::problem::Problem;
use crate::{auth, body, observe};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Longest time for a request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Names a request, in its reply and in the log.
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a group of routes asks of whoever calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Nothing: anybody may call, and no body is read.
    Nothing,
    /// A caller with at least this role, and a body of at most so many bytes.
    Role(Role, usize),
}

/// The gate of a group of routes.
#[derive(Clone, Debug)]
pub struct Gate {
    app: App,
    asks: Asks,
}

impl Gate {
    /// The gate of routes that ask this.
    pub fn new(app: &App, asks: Asks) -> Arc<Self> {
        Arc::new(Self { app: app.clone(), asks })
    }
}

/// Takes a request through the gate, to its route, and its reply back.
pub async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(ID).cloned().unwrap_or_else(new_id);
    request.headers_mut().insert(ID, id.clone());
    let live = gate.app.live();
    // Boxed, for every future that it is handed on through would have its room twice.
    let mut response = observe::follow(&live.flow.metrics, Box::new(request), async |request| {
        // Apart, for a timer has a cache line's alignment, and would give it to every future around it.
        let mut late = Box::pin(sleep(TIMEOUT));
        tokio::select! {
            biased;
            answered = AssertUnwindSafe(answer(gate, request, next)).catch_unwind() => match answered {
                Ok(response) => response,
                Err(panic) => panicked(&*panic).into_response(),
            },
            () = &mut late => Problem::too_slow().into_response(),
        }
    })
    .await;
    response.headers_mut().insert(ID, id);
    response
}

fn new_id() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    HeaderValue::try_from(id.to_string()).expect("a UUID should be a header's value")
}

/// The reply; to the page of somebody else with what its browser wants to know.
async fn answer(gate: Arc<Gate>, request: Box<Request>, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let origins = origins(gate.app.clone());
        let admitted = move |request| {
            let (gate, next) = (Arc::clone(&gate), next.clone());
            async move { Ok::<_, Infallible>(admitted(&gate, Box::new(request), next).await) }
        };
        // Apart, since most requests have no need of the room it takes.
        let Ok(response) = origins.layer(service_fn(admitted)).oneshot(*request).boxed().await;
        return response;
    }
    let mut response = admitted(&gate, request, next).await;
    // A cache between is told that a page's browser would be told more.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    response
}

async fn admitted(gate: &Gate, mut request: Box<Request>, next: Next) -> Response {
    if let Asks::Role(role, largest) = gate.asks {
        if let Err(problem) = auth::admit(&gate.app.live(), role, &mut request) {
            return problem.into_response();
        }
        if let Err(problem) = body::whole(&mut request, largest).await {
            return problem.into_response();
        }
    }
    next.run(*request).await
}

/// Which pages of others may call, as the Settings in use say; who calls is asked all the same.
fn origins(app: App) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &Parts| app.live().allows(origin.as_bytes());
    let [key, trace] = ["idempotency-key", "traceparent"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, key, ID, trace])
        .expose_headers([ID, header::RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let reason = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(reason, "a request panicked");
    Problem::internal()
}
