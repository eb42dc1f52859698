//! What is wrong with a Redis, in words for whoever runs the service: what is wrong, and which setting mends it.
//!
//! Input: errors of the client, and what a server says of itself. Output: a problem: one sentence, and one word of a bounded
//! list for a metric. Must not know: when it happened.

use contract::metrics::STORE_PROBLEMS;
use contract::settings::HostPort;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A word of [`STORE_PROBLEMS`].
    pub reason: &'static str,
    /// The sentence.
    pub text: String,
}

impl Problem {
    /// The same problem, of this server.
    pub(super) fn of(self, at: &HostPort) -> Self {
        Self { text: format!("{at}: {}", self.text), ..self }
    }

    /// Nothing came back.
    pub(super) fn unreachable(text: impl std::fmt::Display) -> Self {
        let remedy = "it does not answer: check store.url, and that Redis runs and may be reached from here";
        Self::new("unreachable", format!("{text}; {remedy}"))
    }

    pub(super) fn new(reason: &'static str, text: impl Into<String>) -> Self {
        debug_assert!(STORE_PROBLEMS.contains(&reason), "{reason}");
        Self { reason, text: text.into() }
    }
}

/// What an error means: its reason and remedy, by words in the text that servers and TLS libraries give. The first that
/// matches counts.
const BY_TEXT: &[(&[&str], &str, &str)] = &[
    (
        &["noauth", "hello must be called with the client already authenticated"],
        "password",
        "Redis wants a password: set store.password_file (and username for an ACL user)",
    ),
    (
        &["wrongpass", "invalid password", "invalid username-password", "password authentication failed"],
        "password",
        "the user or the password is refused: check store.username and store.password_file",
    ),
    (
        &["noperm", "no permissions", "acl failure in script", "user executing the script can't"],
        "permission",
        "the ACL user lacks a command or a key: docs/redis.md lists what it needs",
    ),
    (
        &["unknown command 'sentinel'", "unknown command `sentinel`"],
        "address",
        "this is a server, not a Sentinel: name Sentinels in store.url, or use redis://",
    ),
    (
        &["unknown command 'hello'", "unknown command `hello`", "wrong number of arguments for 'hello'"],
        "version",
        "this is a Redis before 6.2: Redis 6.2 or newer, or Valkey, is needed",
    ),
    (
        &["unknown command"],
        "address",
        "this is a Sentinel, or a Redis before 6.2: use redis+sentinel:// for Sentinels",
    ),
    (&["cluster support disabled"], "address", "this server is no cluster node: use redis:// in store.url"),
    (
        &["invalidcertificate", "unknownissuer", "invalid peer certificate"],
        "certificate",
        "its certificate is not trusted: check store.ca_file, and that the certificate has the name in store.url",
    ),
    (
        &["certificaterequired", "certificate required", "handshakefailure", "bad certificate"],
        "certificate",
        "it asks for a client certificate: set store.cert_file and store.key_file",
    ),
    (
        &["corrupt message", "invalidcontenttype", "invalid content type"],
        "tls",
        "it does not speak TLS: use redis instead of rediss in store.url",
    ),
    (&["tls handshake in time"], "tls", "check rediss in store.url"),
];

/// The problem that an error of the client tells.
pub(super) fn explain(error: &RedisError) -> Problem {
    let text = error.to_string();
    let lower = text.to_lowercase();
    let told = BY_TEXT.iter().find(|(words, ..)| words.iter().any(|word| lower.contains(word)));
    let (reason, remedy) = match (told, error.kind()) {
        (Some((_, reason, remedy)), _) => (*reason, *remedy),
        (None, ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
            ("address", "this is a node of a cluster: use redis+cluster:// in store.url")
        }
        (None, ErrorKind::Server(ServerErrorKind::ReadOnly)) => {
            ("replica", "this server is a replica: name the master in store.url, or use redis+sentinel://")
        }
        (None, _) if error.code() == Some("OOM") => {
            ("memory", "its memory is full (maxmemory): docs/redis.md says how to size it")
        }
        (None, _) if error.is_timeout() || error.is_connection_dropped() || error.is_connection_refusal() => {
            return Problem::unreachable(text);
        }
        (None, ErrorKind::Io) => return Problem::unreachable(text),
        (None, _) => return Problem::new("other", text),
    };
    Problem::new(reason, format!("{text}; {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_of_the_list() {
        assert!(BY_TEXT.iter().all(|(_, reason, _)| STORE_PROBLEMS.contains(reason)));
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(explain(&refused).reason, "unreachable");
        let full = RedisError::from((ErrorKind::Client, "noperm", "evalsha".to_owned()));
        assert_eq!(explain(&full).reason, "permission");
    }
}
