//! The API description: `openapi.json` and Swagger UI, both embedded.
//!
//! Input: none. Output: the document, and the pages that show it. The test suite validates every reply against the
//! document. Must not know: exams.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Path of the document.
const PATH: &str = "/openapi.json";
/// OpenAPI 3.1.
pub const DOCUMENT: &str = include_str!("../../openapi.json");

/// The routes of the document and of Swagger UI.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let document = ([(header::CONTENT_TYPE, "application/json")], DOCUMENT);
    Router::new()
        .route(PATH, get(async move || document))
        .merge(SwaggerUi::new("/docs").config(Config::from(PATH)))
}
