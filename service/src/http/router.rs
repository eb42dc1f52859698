//! Every route, and the access that each group of routes requires.
//!
//! Input: the application. Output: the two routers. Must not know: what handlers do.

use super::body::{LARGE, SMALL};
use super::middleware::{Middleware, RouteAccess, handle};
use super::problem::Problem;
use super::{banks, exam_types, exams, openapi, ops, page};
use crate::access::caller::Role;
use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post, put};

/// The API port.
pub fn api(app: App) -> Router {
    // Full paths instead of a nested router, which would match the prefix again on each request.
    let api = |routes: Vec<(&str, MethodRouter<App>)>| {
        let add = |all: Router<App>, (path, route): (&str, _)| {
            all.route(&format!("{}{path}", contract::API_PREFIX), route)
        };
        routes.into_iter().fold(Router::new(), add)
    };
    let callers = api(vec![
        ("/exam-types", get(exam_types::list)),
        ("/start", post(exams::start)),
        ("/next", get(exams::next)),
        ("/answer", post(exams::answer)),
        ("/complete", post(exams::complete)),
        ("/status", get(exams::status)),
    ]);
    let proctors = api(vec![
        ("/exams", get(exams::list)),
        ("/pause", post(exams::pause)),
        ("/resume", post(exams::resume)),
        ("/extend", post(exams::extend)),
    ]);
    let reopening = api(vec![("/reopen", post(exams::reopen))]);
    let admins = api(vec![
        ("/banks", put(banks::import).get(banks::list)),
        ("/banks/{version}", get(banks::survey)),
        ("/export", get(exams::export)),
    ]);
    // The health of the store is not secret, and probes have no token.
    let public = api(vec![("/health/redis", get(exams::health_redis))])
        .merge(page::routes())
        .merge(openapi::routes())
        .fallback(unknown_path);
    let guarded = |routes: Router<App>, access: RouteAccess| {
        let routes = routes.method_not_allowed_fallback(wrong_method).layer(DefaultBodyLimit::disable());
        routes.layer(from_fn_with_state(Middleware::new(&app, access), handle))
    };
    guarded(callers, RouteAccess::Role(Role::Student, SMALL))
        .merge(guarded(proctors, RouteAccess::Role(Role::Proctor, SMALL)))
        .merge(guarded(reopening, RouteAccess::Role(Role::Admin, SMALL)))
        .merge(guarded(admins, RouteAccess::Role(Role::Admin, LARGE)))
        .merge(guarded(public, RouteAccess::Public))
        .with_state(app)
}

/// The ops port.
pub fn ops(app: App) -> Router {
    Router::new()
        .route(contract::LIVEZ_PATH, get(ops::live))
        .route(contract::READYZ_PATH, get(ops::ready))
        .route(contract::METRICS_PATH, get(ops::metrics))
        .route(contract::STATE_PATH, get(ops::state))
        .route(contract::DIGEST_PATH, get(ops::digest))
        .with_state(app)
}

async fn unknown_path(uri: Uri) -> Problem {
    exams::request::unknown_path(uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    exams::request::wrong_method(method.as_str(), uri.path())
}
