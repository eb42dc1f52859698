//! Who may call: everybody, or those who hold a token.
//!
//! Comes in: the `Authorization` header. Goes out: the request, let through, or a problem.
//! Both modes mean a trusted caller, who may grade. Tokens are compared in constant time and never
//! logged. Must not know: what is asked for.

use crate::problem::Problem;
use crate::router::Now;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Shortest token that is accepted, in bytes.
const SHORTEST: usize = 16;

/// The door.
#[derive(Clone)]
pub enum Auth {
    /// Open.
    None,
    /// Open to holders of one of these.
    Token(Arc<Vec<String>>),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(tokens) => write!(f, "Token({} tokens)", tokens.len()),
        }
    }
}

impl Auth {
    /// Reads a token file: one token a line; blank lines are passed over.
    ///
    /// # Errors
    /// There is none, or one is too short to be safe.
    pub fn tokens(text: &str) -> Result<Self, String> {
        let tokens: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        match tokens.iter().position(|token| token.len() < SHORTEST) {
            _ if tokens.is_empty() => Err("it holds no token; put one token on a line".to_owned()),
            Some(index) => Err(format!("token {} is shorter than {SHORTEST} characters", index + 1)),
            None => Ok(Self::Token(Arc::new(tokens))),
        }
    }

    fn admits(&self, presented: Option<&str>) -> bool {
        match self {
            Self::None => true,
            Self::Token(tokens) => presented.is_some_and(|presented| {
                tokens.iter().fold(false, |found, token| {
                    found | bool::from(token.as_bytes().ct_eq(presented.as_bytes()))
                })
            }),
        }
    }
}

/// Lets a request through or answers 401.
pub async fn check(Now(live): Now, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if live.auth.admits(presented) {
        return next.run(request).await;
    }
    let detail = match presented {
        None => "send the header Authorization: Bearer <token>",
        Some(_) => "the token is not one of this service's",
    };
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_opens() {
        let auth = Auth::tokens("0123456789abcdef\n\nfedcba9876543210\n").unwrap();
        assert!(auth.admits(Some("0123456789abcdef")));
        assert!(auth.admits(Some("fedcba9876543210")));
        for wrong in [None, Some(""), Some("0123456789abcde"), Some("0123456789abcdef0")] {
            assert!(!auth.admits(wrong), "{wrong:?}");
        }
        assert!(Auth::None.admits(None));
    }

    #[test]
    fn a_token_file_must_hold_safe_tokens() {
        assert!(Auth::tokens("\n").unwrap_err().contains("no token"));
        assert!(Auth::tokens("0123456789abcdef\nshort").unwrap_err().contains("token 2"));
    }
}
