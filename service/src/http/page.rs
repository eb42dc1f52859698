//! The exam page: embedded files.
//!
//! Input: none. Output: their texts. They load nothing from other hosts, and the Content-Security-Policy enforces
//! that. Must not know: exams.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

/// The page may only talk to this service.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, kind and text of each file.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("../../web/index.html")),
    ("/page.css", CSS, include_str!("../../web/page.css")),
    ("/page.js", SCRIPT, include_str!("../../web/page.js")),
    ("/views.js", SCRIPT, include_str!("../../web/views.js")),
    ("/chart.js", SCRIPT, include_str!("../../web/chart.js")),
    ("/elements.js", SCRIPT, include_str!("../../web/elements.js")),
    ("/requests.js", SCRIPT, include_str!("../../web/requests.js")),
    ("/storage.js", SCRIPT, include_str!("../../web/storage.js")),
    ("/words.js", SCRIPT, include_str!("../../web/words.js")),
    ("/words/en.js", SCRIPT, include_str!("../../web/words/en.js")),
    ("/words/de.js", SCRIPT, include_str!("../../web/words/de.js")),
    ("/words/ko.js", SCRIPT, include_str!("../../web/words/ko.js")),
];

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
    FILES.into_iter().fold(Router::new(), |routes, (path, kind, text)| {
        routes.route(path, get(async move || file(kind, text)))
    })
}
