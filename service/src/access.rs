//! Access control: who calls, how often they may call, and what they may see.
//!
//! Input: credentials and addresses, as plain text. Output: a [`caller::Caller`], or why the call is refused.
//! Must not know: HTTP; `http::middleware` reads the headers and turns a refusal into a problem.

pub mod auth;
pub mod caller;
mod jwt;
pub mod rate_limit;
