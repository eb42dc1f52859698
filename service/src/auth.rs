//! The door: who calls, and whether they have called too often.
//!
//! Comes in: a request's `Authorization` header and where it came from. Goes out: the request, with its
//! [`Caller`] beside it, or a problem. Tokens are compared in constant time and never logged.
//! Must not know: what is asked for.

mod jwt;

pub use jwt::Keys;

use crate::caller::{Caller, Role};
use crate::limits::Key;
use crate::live::Live;
use crate::problem::Problem;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    /// Open to holders of a token that one of these keys has signed.
    Jwt(Arc<Keys>),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(tokens) => write!(f, "Token({} tokens)", tokens.len()),
            Self::Jwt(keys) => write!(f, "Jwt({} keys)", keys.len()),
        }
    }
}

/// Who was let in, and under which name their requests are counted.
type Admitted = (Caller, Option<Key>);

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

    fn admit(&self, presented: Option<&str>) -> Result<Admitted, String> {
        let wanted = || "send the header Authorization: Bearer <token>".to_owned();
        match self {
            Self::None => Ok((Caller::trusted(), None)),
            Self::Token(tokens) => {
                let presented = presented.ok_or_else(wanted)?;
                let found = tokens.iter().enumerate().fold(None, |found, (index, token)| {
                    let same = bool::from(token.as_bytes().ct_eq(presented.as_bytes()));
                    if same { Some(index) } else { found }
                });
                match found {
                    Some(index) => Ok((Caller::trusted(), Some(Key::Token(index)))),
                    None => Err("the token is not one of this service's".to_owned()),
                }
            }
            Self::Jwt(keys) => {
                let caller = keys.verify(presented.ok_or_else(wanted)?)?;
                let key = caller.subject.clone().map(Key::Subject);
                Ok((caller, key))
            }
        }
    }
}

/// Lets a request in, with its caller beside it, if they have this role or a greater one. Who shows no right token is
/// counted by their address, so that nobody tries out many.
///
/// # Errors
/// 401, 403, or 429.
pub fn admit(live: &Live, role: Role, request: &mut Request) -> Result<(), Problem> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let admitted = live.auth.admit(presented);
    if let Some(limits) = &live.limits {
        let address = || Key::address(origin(request.extensions(), request.headers(), limits.proxies()));
        let key = admitted.as_ref().ok().and_then(|(_, key)| key.clone()).unwrap_or_else(address);
        limits.pass(&key).map_err(Problem::too_often)?;
    }
    let unauthorized = |detail| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
    let (caller, _) = admitted.map_err(unauthorized)?;
    if caller.role < role {
        let whom = if role == Role::Admin { "admins" } else { "proctors and admins" };
        return Err(Problem::forbidden(format!("this call is for {whom}")));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Whatever stands before the door is a fault of ours.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Where a request came from: the peer, or whom the outermost of so many trusted proxies heard. What stands further
/// left in the header anybody may have written.
fn origin(extensions: &axum::http::Extensions, headers: &HeaderMap, proxies: u8) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let Some(place) = usize::from(proxies).checked_sub(1) else { return peer };
    let heard = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let heard: Vec<&str> = heard.flat_map(|value| value.split(',')).map(str::trim).collect();
    heard.iter().rev().nth(place).and_then(|text| text.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{Extensions, HeaderValue};

    #[test]
    fn only_a_whole_token_opens() {
        let auth = Auth::tokens("0123456789abcdef\n\nfedcba9876543210\n").unwrap();
        assert!(auth.admit(Some("0123456789abcdef")).is_ok());
        assert!(auth.admit(Some("fedcba9876543210")).is_ok());
        for wrong in [None, Some(""), Some("0123456789abcde"), Some("0123456789abcdef0")] {
            assert!(auth.admit(wrong).is_err(), "{wrong:?}");
        }
        assert!(Auth::None.admit(None).is_ok());
    }

    #[test]
    fn a_token_file_must_hold_safe_tokens() {
        assert!(Auth::tokens("\n").unwrap_err().contains("no token"));
        assert!(Auth::tokens("0123456789abcdef\nshort").unwrap_err().contains("token 2"));
    }

    #[test]
    fn nobody_chooses_their_own_address() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 4711))));
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 2.2.2.2"));
        headers.append("x-forwarded-for", HeaderValue::from_static("3.3.3.3"));
        let from = |proxies| origin(&extensions, &headers, proxies).to_string();
        assert_eq!(from(0), "10.0.0.9", "the header is not read");
        assert_eq!(from(1), "3.3.3.3", "what one's own proxy heard");
        assert_eq!(from(2), "2.2.2.2");
        assert_eq!(from(8), "10.0.0.9", "more proxies than there are");
    }
}
