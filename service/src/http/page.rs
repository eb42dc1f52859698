//! The page to take an exam: three files that are part of the program.
//!
//! Comes in: nothing. Goes out: their texts. They ask for nothing from elsewhere, and the browser is told
//! to hold them to that. Must not know: exams.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

/// What the page may do: talk to this service, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type File = ([(HeaderName, &'static str); 4], &'static str);

fn file(kind: &'static str, text: &'static str) -> File {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}

/// The page's routes.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("../../web/index.html"))))
        .route(
            "/page.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("../../web/page.js"))),
        )
        .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("../../web/page.css"))))
}
