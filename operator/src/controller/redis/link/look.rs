//! Looks at a Redis and at a Sentinel: what it says of itself. They only read.
//!
//! Input: a pod. Output: its word. Must not know: what follows from it.

use super::{Access, command};
use crate::controller::redis::auth::hex;
use crate::controller::redis::facts::{AuthWord, Role, SentinelWord, Tuning, Word};
use crate::controller::redis::users::{Process, User};
use crate::names::SENTINEL_MASTER;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Access {
    /// What a Redis says.
    pub(super) async fn word(&self, pod: &str) -> Result<Word, RedisError> {
        let mut connection = self.connect(pod, Process::Redis).await?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
        let info = Info::of(&info);
        let is_loading = info.get("loading") == Some("1");
        if is_loading {
            return Ok(Word { is_loading, ..Word::default() });
        }
        let keys = redis::cmd("DBSIZE").query_async(&mut connection).await?;
        let mut set = HashMap::new();
        for name in ["min-replicas-to-write", "maxmemory", "replica-priority", "masterauth"] {
            let pair: HashMap<String, String> =
                redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await?;
            set.extend(pair);
        }
        let number =
            |name: &str| set.get(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
        let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
        let is_master = info.get("role") == Some("master");
        Ok(Word {
            role: match is_master {
                true => Role::Master,
                false => Role::Replica {
                    of: info.get("master_host").and_then(|host| self.pod(host)),
                    is_linked: info.get("master_link_status") == Some("up")
                        && info.get("master_sync_in_progress") != Some("1"),
                },
            },
            keys,
            offset: info.number(if is_master { "master_repl_offset" } else { "slave_repl_offset" }),
            replicas: u32::try_from(info.number("connected_slaves")).unwrap_or(u32::MAX),
            is_loading,
            tuning: Tuning {
                min_replicas: small("min-replicas-to-write"),
                max_memory: number("maxmemory"),
                priority: small("replica-priority"),
            },
            auth: AuthWord {
                accepts: accepts(&mut connection).await?,
                presents: set.get("masterauth").map(|password| hex(password)).unwrap_or_default(),
            },
            certificate: self.place(pod, Process::Redis)?.certificate().await?,
        })
    }

    /// What a Sentinel says.
    pub(super) async fn sentinel(&self, pod: &str) -> Result<SentinelWord, RedisError> {
        let mut connection = self.connect(pod, Process::Sentinel).await?;
        let master: HashMap<String, String> =
            redis::cmd("SENTINEL").arg("MASTER").arg(SENTINEL_MASTER).query_async(&mut connection).await?;
        let quorum: Result<String, RedisError> =
            redis::cmd("SENTINEL").arg("CKQUORUM").arg(SENTINEL_MASTER).query_async(&mut connection).await;
        let set: HashMap<String, String> =
            command(&["SENTINEL", "CONFIG", "GET", "sentinel-pass"]).query_async(&mut connection).await?;
        let number = |name: &str| master.get(name).and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(SentinelWord {
            master: master.get("ip").and_then(|host| self.pod(host)),
            has_quorum: quorum.is_ok(),
            is_failing_over: master.get("flags").is_some_and(|flags| flags.contains("failover_in_progress")),
            replicas: number("num-slaves"),
            quorum: number("quorum"),
            down_after: number("down-after-milliseconds"),
            auth: AuthWord {
                accepts: accepts(&mut connection).await?,
                presents: set.get("sentinel-pass").map(|password| hex(password)).unwrap_or_default(),
            },
        })
    }
}

/// The passwords that a process accepts, by user, as hashes. Users of others are none of ours.
async fn accepts(
    connection: &mut MultiplexedConnection,
) -> Result<BTreeMap<String, BTreeSet<String>>, RedisError> {
    let lines: Vec<String> = command(&["ACL", "LIST"]).query_async(connection).await?;
    Ok(lines.iter().filter_map(|line| accepted(line)).collect())
}

/// A line of `ACL LIST`.
fn accepted(line: &str) -> Option<(String, BTreeSet<String>)> {
    let mut words = line.split(' ').skip(1);
    let name = words.next()?;
    let is_known = name == "default" || User::ALL.iter().any(|user| user.name() == name);
    let rest: Vec<&str> = words.collect();
    let passwords = rest.iter().filter_map(|word| match *word {
        "nopass" => Some("nopass"),
        word => word.strip_prefix('#'),
    });
    (is_known && rest.contains(&"on")).then(|| (name.to_owned(), passwords.map(str::to_owned).collect()))
}

/// The reply to `INFO`.
struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.trim().split_once(':')).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).copied()
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}
