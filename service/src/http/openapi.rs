//! What the API is, for machines and for people: `openapi.json` and Swagger UI, both part of the program.
//!
//! Comes in: nothing. Goes out: the document, and the pages that show it. The test bed holds every reply of
//! every test to the document. Must not know: exams.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Where the document is.
const PATH: &str = "/openapi.json";
/// OpenAPI 3.1.
pub const DOCUMENT: &str = include_str!("../../openapi.json");

/// The routes of the document and its pages.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let document = ([(header::CONTENT_TYPE, "application/json")], DOCUMENT);
    Router::new()
        .route(PATH, get(async move || document))
        .merge(SwaggerUi::new("/docs").config(Config::from(PATH)))
}
