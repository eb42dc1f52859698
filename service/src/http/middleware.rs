//! The middleware of the API port: request id, access log, deadline, CORS, authorization, body.
//!
//! Input: a request, and the access that its group of routes requires. Output: the request with its [`Caller`] and
//! its complete body, then the reply with its request id; or a problem. It is one layer and not eight, because axum
//! clones every layer of a router for each request. Must not know: what the handlers do.
//!
//! [`Caller`]: crate::access::caller::Caller

use super::problem::Problem;
use super::{access_log, body};
use crate::access::auth::authorize;
use crate::access::caller::Role;
use crate::access::rate_limit::client_address;
use crate::app::App;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Deadline of a request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The request id, in the reply and in the log.
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// The access that a group of routes requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// No credentials; no body is read.
    Public,
    /// A caller with at least this role; a body of at most this many bytes.
    Role(Role, usize),
}

/// The middleware of a group of routes.
#[derive(Clone, Debug)]
pub struct Middleware {
    app: App,
    access: RouteAccess,
}

impl Middleware {
    /// The middleware of routes that require this access.
    pub fn new(app: &App, access: RouteAccess) -> Arc<Self> {
        Arc::new(Self { app: app.clone(), access })
    }
}

/// Handles one request, from its id to its reply.
pub async fn handle(State(middleware): State<Arc<Middleware>>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(ID).cloned().unwrap_or_else(new_id);
    request.headers_mut().insert(ID, id.clone());
    let live = middleware.app.live();
    // Boxed, because each future it is passed through would otherwise hold it twice.
    let mut response = access_log::follow(&live.flow.metrics, Box::new(request), async |request| {
        // Boxed, because a timer is aligned to a cache line and would impose that on every future around it.
        let mut deadline = Box::pin(sleep(TIMEOUT));
        tokio::select! {
            biased;
            result = AssertUnwindSafe(cors(middleware, request, next)).catch_unwind() => match result {
                Ok(response) => response,
                Err(panic) => panicked(&*panic).into_response(),
            },
            () = &mut deadline => Problem::too_slow().into_response(),
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

/// Adds the CORS headers for a request that a browser sends from another origin.
async fn cors(middleware: Arc<Middleware>, request: Box<Request>, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let layer = cors_layer(middleware.app.clone());
        let inner = move |request| {
            let (middleware, next) = (Arc::clone(&middleware), next.clone());
            async move { Ok::<_, Infallible>(guarded(&middleware, Box::new(request), next).await) }
        };
        // Boxed, because most requests carry no Origin and should not pay for its size.
        let Ok(response) = layer.layer(service_fn(inner)).oneshot(*request).boxed().await;
        return response;
    }
    let mut response = guarded(&middleware, request, next).await;
    // Shared caches must not serve this reply to a page of another origin.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    response
}

/// Authorizes the caller and reads the body, then runs the handler.
async fn guarded(middleware: &Middleware, mut request: Box<Request>, next: Next) -> Response {
    if let RouteAccess::Role(role, max_body) = middleware.access {
        let live = middleware.app.live();
        let authorization =
            request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let address = |proxies| address(&request, proxies);
        match authorize(&live.auth, live.limits.as_deref(), role, authorization, address) {
            Ok(caller) => drop(request.extensions_mut().insert(caller)),
            Err(denied) => return Problem::from(denied).into_response(),
        }
        drop(live);
        if let Err(problem) = body::read(&mut request, max_body).await {
            return problem.into_response();
        }
    }
    next.run(*request).await
}

/// The client address of a request behind this many trusted proxies.
fn address(request: &Request, proxies: u8) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let headers = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    client_address(peer, headers.flat_map(|value| value.split(',')).map(str::trim), proxies)
}

/// The CORS rules of the Settings in use. They allow pages of an origin; they do not replace authorization.
fn cors_layer(app: App) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &Parts| app.live().allows(origin.as_bytes());
    let [key, trace] = ["idempotency-key", "traceparent"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, key, ID, trace])
        .expose_headers([ID, header::RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

/// Logs a panic of a handler.
fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let reason = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(reason, "a request panicked");
    Problem::internal()
}
