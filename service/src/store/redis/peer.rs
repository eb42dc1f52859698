//! What a server says of itself: its version, whether it is a server, a Sentinel or a node of a cluster, and its role.
//!
//! Input: a connection. Output: whether its server can be used as it is meant. Must not know: how it was found.

use super::problem::Problem;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use std::collections::HashMap;

/// The oldest Redis whose commands are enough.
const OLDEST: (u32, u32) = (6, 2);

/// A server's reply to `HELLO`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    server: String,
    version: String,
    mode: String,
    role: String,
}

/// What a server is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The one that `store.url` names.
    Server,
    /// The master that Sentinels name.
    Master,
    /// The master of a shard.
    Shard,
}

impl Peer {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        let told: HashMap<String, Value> = redis::cmd("HELLO").query_async(connection).await?;
        let text = |name: &str| {
            let value = told.get(name).cloned();
            value.and_then(|value| redis::from_redis_value(value).ok()).unwrap_or_default()
        };
        Ok(Self { server: text("server"), version: text("version"), mode: text("mode"), role: text("role") })
    }

    /// What keeps it from being used as it is meant.
    pub(super) fn problem(&self, wanted: Wanted) -> Option<Problem> {
        let Self { server, version, .. } = self;
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        if let (Some(major), Some(minor)) = (parts.next(), parts.next())
            && (major, minor) < OLDEST
        {
            let text = format!("this is {server} {version}; Redis 6.2 or newer, or Valkey, is needed");
            return Some(Problem::new("version", text));
        }
        let is_replica = !matches!(self.role.as_str(), "master" | "");
        let (reason, text) = match (self.mode.as_str(), wanted) {
            ("sentinel", _) => {
                ("address", "this is a Sentinel, not a server: use redis+sentinel:// in store.url")
            }
            ("cluster", Wanted::Server | Wanted::Master) => {
                ("address", "this is a node of a cluster: use redis+cluster:// in store.url")
            }
            ("standalone", Wanted::Shard) => {
                ("address", "this server is no cluster node: use redis:// in store.url")
            }
            (_, Wanted::Server) if is_replica => (
                "replica",
                "this server is a replica: name the master in store.url, or use redis+sentinel://",
            ),
            (_, Wanted::Master) if is_replica => {
                ("replica", "the named server is not a master; the Sentinels have not agreed on one yet")
            }
            (_, Wanted::Shard) if is_replica => {
                ("replica", "this node is a replica; the map of slots is not up to date yet")
            }
            _ => return None,
        };
        Some(Problem::new(reason, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("7.0.15", "standalone", "master", Wanted::Server, None)]
    #[case("8.1.1", "cluster", "master", Wanted::Shard, None)]
    #[case("6.2.0", "standalone", "master", Wanted::Master, None)]
    #[case("255.255.255", "standalone", "master", Wanted::Server, None)]
    #[case("unstable", "standalone", "master", Wanted::Server, None)]
    #[case("6.0.16", "standalone", "master", Wanted::Server, Some("version"))]
    #[case("5.9.9", "standalone", "master", Wanted::Server, Some("version"))]
    #[case("7.0.15", "sentinel", "", Wanted::Server, Some("address"))]
    #[case("7.0.15", "cluster", "master", Wanted::Server, Some("address"))]
    #[case("7.0.15", "standalone", "master", Wanted::Shard, Some("address"))]
    #[case("7.0.15", "standalone", "replica", Wanted::Server, Some("replica"))]
    #[case("7.0.15", "standalone", "replica", Wanted::Master, Some("replica"))]
    #[case("7.0.15", "cluster", "replica", Wanted::Shard, Some("replica"))]
    fn a_server_is_used_as_what_it_is(
        #[case] version: &str,
        #[case] mode: &str,
        #[case] role: &str,
        #[case] wanted: Wanted,
        #[case] reason: Option<&str>,
    ) {
        let [server, version, mode, role] = ["redis", version, mode, role].map(str::to_owned);
        let peer = Peer { server, version, mode, role };
        assert_eq!(peer.problem(wanted).map(|problem| problem.reason), reason);
    }
}
