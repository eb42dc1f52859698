//! The exam page: three embedded files.
//!
//! Input: none. Output: their texts. They load nothing from other hosts, and the Content-Security-Policy enforces
//! that. Must not know: exams.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

/// The page may only talk to this service.
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
