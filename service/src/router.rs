//! Every route, and what each group of them asks of whoever calls.

use crate::app::App;
use crate::body::{LARGE, SMALL};
use crate::caller::Role;
use crate::gate::{Asks, Gate, pass};
use crate::live::Live;
use crate::problem::Problem;
use crate::{banks, exams, openapi, ops, page};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post, put};
use std::convert::Infallible;
use std::sync::Arc;

/// The API port.
pub fn api(app: App) -> Router {
    // Written out, for a nested router would take each path apart again with each request.
    let api = |routes: Vec<(&str, MethodRouter<App>)>| {
        let add = |all: Router<App>, (path, route): (&str, _)| {
            all.route(&format!("{}{path}", contract::API_PREFIX), route)
        };
        routes.into_iter().fold(Router::new(), add)
    };
    let callers = api(vec![
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
    let admins = api(vec![
        ("/banks", put(banks::import).get(banks::list)),
        ("/banks/{version}", get(banks::survey)),
        ("/export", get(exams::export)),
    ]);
    // Whether the store is up is no secret, and a probe has no token.
    let everybody = api(vec![("/health/redis", get(exams::health_redis))])
        .merge(page::routes())
        .merge(openapi::routes())
        .fallback(unknown_path);
    let asking = |routes: Router<App>, asks: Asks| {
        let routes = routes.method_not_allowed_fallback(wrong_method).layer(DefaultBodyLimit::disable());
        routes.layer(from_fn_with_state(Gate::new(&app, asks), pass))
    };
    asking(callers, Asks::Role(Role::Student, SMALL))
        .merge(asking(proctors, Asks::Role(Role::Proctor, SMALL)))
        .merge(asking(admins, Asks::Role(Role::Admin, LARGE)))
        .merge(asking(everybody, Asks::Nothing))
        .with_state(app)
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
