//! Authentication and authorization of one request.
//!
//! Input: the value of the `Authorization` header, the role a route requires, the client address if it is needed.
//! Output: the [`Caller`], or a [`Denied`]. Tokens are compared in constant time and never logged.
//! Must not know: HTTP, what the request asks for.

pub use super::jwt::Keys;

use super::caller::{Caller, Role};
use super::rate_limit::{Key, RateLimits};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Shortest token that is accepted, in bytes.
const SHORTEST: usize = 16;

/// How callers authenticate, as the Settings in use say.
#[derive(Clone)]
pub enum Auth {
    /// No authentication: every caller is trusted.
    None,
    /// One of these tokens; its holder is trusted.
    Token(Arc<Vec<String>>),
    /// A JSON Web Token signed by one of these keys.
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

/// An authenticated caller, and the key their requests are counted under; `None` in mode `none`.
type Authenticated = (Caller, Option<Key>);

/// Why a request is refused before its handler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The credentials are missing or wrong.
    Unauthorized(String),
    /// The caller is known, and their role is too small.
    Forbidden(String),
    /// The caller exceeded the rate limit and may retry after this time.
    TooManyRequests(Duration),
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

    fn authenticate(&self, presented: Option<&str>) -> Result<Authenticated, String> {
        let missing = || "send the header Authorization: Bearer <token>".to_owned();
        match self {
            Self::None => Ok((Caller::trusted(), None)),
            Self::Token(tokens) => {
                let presented = presented.ok_or_else(missing)?;
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
                let caller = keys.verify(presented.ok_or_else(missing)?)?;
                let key = caller.subject.clone().map(Key::Subject);
                Ok((caller, key))
            }
        }
    }
}

/// Authorizes one request: authenticates the caller, counts the request against the rate limit, checks the role.
/// A request without valid credentials is counted by client address, so that tokens cannot be guessed at speed.
/// `client_address` is called with the number of trusted proxies, and only if the address is needed.
///
/// # Errors
/// Why the request is refused.
pub fn authorize(
    auth: &Auth,
    limits: Option<&RateLimits>,
    role: Role,
    authorization: Option<&str>,
    client_address: impl FnOnce(u8) -> IpAddr,
) -> Result<Caller, Denied> {
    let token = authorization.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let authenticated = auth.authenticate(token);
    if let Some(limits) = limits {
        let address = || Key::address(client_address(limits.proxies()));
        let key = authenticated.as_ref().ok().and_then(|(_, key)| key.clone()).unwrap_or_else(address);
        limits.check(&key).map_err(Denied::TooManyRequests)?;
    }
    let (caller, _) = authenticated.map_err(Denied::Unauthorized)?;
    if caller.role < role {
        let allowed = if role == Role::Admin { "admins" } else { "proctors and admins" };
        return Err(Denied::Forbidden(format!("this call is for {allowed}")));
    }
    Ok(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_token_authenticates() {
        let auth = Auth::tokens("0123456789abcdef\n\nfedcba9876543210\n").unwrap();
        assert!(auth.authenticate(Some("0123456789abcdef")).is_ok());
        assert!(auth.authenticate(Some("fedcba9876543210")).is_ok());
        for wrong in [None, Some(""), Some("0123456789abcde"), Some("0123456789abcdef0")] {
            assert!(auth.authenticate(wrong).is_err(), "{wrong:?}");
        }
        assert!(Auth::None.authenticate(None).is_ok());
    }

    #[test]
    fn a_token_file_without_a_long_enough_token_is_refused() {
        assert!(Auth::tokens("\n").unwrap_err().contains("no token"));
        assert!(Auth::tokens("0123456789abcdef\nshort").unwrap_err().contains("token 2"));
    }
}
