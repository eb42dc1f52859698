//! Errors of Redis in words for whoever runs the service: what is wrong, and which setting mends it.
//!
//! Input: an error. Output: one sentence. Must not know: when it happened.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// The sentence.
pub(super) fn explain(error: &RedisError) -> String {
    let text = error.to_string();
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let remedy = if has(&["noauth", "hello must be called with the client already authenticated"]) {
        "Redis wants a password: set store.password_file (and username for an ACL user)"
    } else if has(&[
        "wrongpass",
        "invalid password",
        "invalid username-password",
        "password authentication failed",
    ]) {
        "the user or the password is refused: check store.username and store.password_file"
    } else if has(&["noperm", "no permissions"]) {
        "the ACL user lacks a command or a key: docs/redis.md lists what it needs"
    } else if has(&["unknown command 'sentinel'", "unknown command `sentinel`"]) {
        "this is a server, not a Sentinel: name Sentinels in store.url, or use redis://"
    } else if has(&["unknown command"]) {
        "this is a Sentinel, or a Redis before 6.2: use redis+sentinel:// for Sentinels"
    } else if has(&["cluster support disabled"]) {
        "this server is no cluster node: use redis:// in store.url"
    } else if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask)) {
        "this is a node of a cluster: use redis+cluster:// in store.url"
    } else if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly)) {
        "this server is a replica: name the master in store.url, or use redis+sentinel://"
    } else if has(&["invalidcertificate", "unknownissuer", "invalid peer certificate"]) {
        "its certificate is not trusted: check store.ca_file, and that the certificate has the name in store.url"
    } else if has(&["certificaterequired", "certificate required", "handshakefailure", "bad certificate"]) {
        "it asks for a client certificate: set store.cert_file and store.key_file"
    } else if has(&["corrupt message", "invalidcontenttype", "invalid content type"]) {
        "it does not speak TLS: use redis instead of rediss in store.url"
    } else if error.code() == Some("OOM") {
        "its memory is full (maxmemory): docs/redis.md says how to size it"
    } else {
        return text;
    };
    format!("{text}; {remedy}")
}
