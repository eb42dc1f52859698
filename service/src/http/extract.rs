//! What handlers extract from a request besides its body and query.
//!
//! Input: the state of the router, and what the middleware left in the request's extensions. Output: values that a
//! handler keeps for the whole request. Must not know: routes.

use super::problem::Problem;
use crate::access::caller::Caller;
use crate::app::App;
use crate::live::Live;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

/// What is live when the request begins; a reload during the request does not change it.
pub struct CurrentState(pub Arc<Live>);

impl FromRequestParts<App> for CurrentState {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.live()))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The middleware sets it on every route whose handler asks for it: its absence is our fault.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}
