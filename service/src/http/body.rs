//! Request bodies: read into memory as a whole, or refused.
//!
//! Input: a request. Output: the same request with its body in memory, or a problem. A body that is too large is
//! read and discarded within bounds, because a client that is still sending would otherwise lose the reply. Must
//! not know: what the body contains.

use crate::http::problem::Problem;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use std::mem;

/// Largest body of an exam call, in bytes.
pub const SMALL: usize = 64 * 1024;
/// Largest bank, in bytes.
pub const LARGE: usize = 16 * 1024 * 1024;
/// Most bytes of a too large body that are discarded; then the connection is closed.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// Reads the body of a request, of at most `limit` bytes.
///
/// # Errors
/// The body is too large or incomplete.
pub async fn read(request: &mut Request, limit: usize) -> Result<(), Problem> {
    let body = mem::take(request.body_mut());
    // A client that sends `Expect: 100-continue` is refused before it sends the body.
    let asks = request.headers().contains_key(header::EXPECT);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if asks && announced > limit {
        return Err(too_large(limit));
    }
    match collect(body, limit).await {
        Ok(Some(bytes)) => {
            *request.body_mut() = Body::from(bytes);
            Ok(())
        }
        Ok(None) => Err(too_large(limit)),
        Err(_) => {
            let detail = "the body ended before its time";
            Err(Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", detail))
        }
    }
}

/// The bytes of a body; `None` if there are more than `limit`.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let (mut taken, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            taken.extend_from_slice(&data);
        } else {
            taken = Vec::new();
        }
        if seen > MAX_DISCARDED {
            break;
        }
    }
    Ok((seen <= limit).then(|| taken.into()))
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {} KiB", limit / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
