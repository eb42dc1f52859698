//! Speaking to Redis and to Sentinels: looks, which only read, and steps.
//!
//! Input: addresses of pods, a password, a step. Output: [`Facts`], or what a step did. Silence is an answer: whoever does
//! not answer within a second has no word. Must not know: why a step is taken.

use super::facts::{Facts, Node, Role, Sentinel, SentinelWord, Tuning, Word};
use super::handover::{Command, Handover, Outcome, PAUSE_MILLISECONDS, Reply};
use super::plan::{Step, Wanted};
use crate::controller::credentials::Credential;
use crate::names::{REDIS_PORT, SENTINEL_MASTER, SENTINEL_PORT};
use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Longest wait for a connection, and for a reply.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest wait for Sentinels to name another master.
const TAKEOVER: Duration = Duration::from_secs(8);
/// How often somebody is asked again meanwhile.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Where the pods of a Redis are, and its password.
#[derive(Clone, Debug)]
pub struct Access {
    /// The address of each pod that has one, by name.
    pub addresses: HashMap<String, IpAddr>,
    /// The password of all of them.
    pub password: Credential,
    /// The part of their names after the pod's own: `.SERVICE.NAMESPACE.svc`.
    pub domain: String,
}

impl Access {
    /// Asks every pod. What Kubernetes says of them is taken over.
    pub async fn look(&self, nodes: Vec<Node>, sentinels: Vec<Sentinel>) -> Facts {
        let nodes = join_all(nodes.into_iter().map(async |node| {
            let word = self.word(&node.pod).await;
            let refuses = |error: &RedisError| error.kind() == ErrorKind::AuthenticationFailed;
            Node { refuses_password: word.as_ref().is_err_and(refuses), word: word.ok(), ..node }
        }));
        let sentinels = join_all(sentinels.into_iter().map(async |sentinel| {
            let word = self.sentinel(&sentinel.pod).await.ok();
            Sentinel { word, ..sentinel }
        }));
        let (nodes, sentinels) = futures::join!(nodes, sentinels);
        Facts { nodes, sentinels }
    }

    /// Takes a step that is a command of Redis. Gives a sentence about it.
    ///
    /// # Errors
    /// What was refused, or who is silent.
    pub async fn take(&self, step: &Step, wanted: &Wanted, facts: &Facts) -> Result<String, String> {
        let failed = |error: RedisError| error.to_string();
        match step {
            Step::Promote(pod) => {
                let _: () = self.ask(pod, &["REPLICAOF", "NO", "ONE"]).await.map_err(failed)?;
                Ok(format!("{pod} is the master"))
            }
            Step::Follow { pod, master } => {
                self.follow(pod, master).await.map_err(failed)?;
                Ok(format!("{pod} follows {master}"))
            }
            Step::Tune(pod, Tuning { min_replicas, max_memory, priority }) => {
                for (name, value) in [
                    ("min-replicas-to-write", u64::from(*min_replicas)),
                    ("maxmemory", *max_memory),
                    ("replica-priority", u64::from(*priority)),
                ] {
                    let value = value.to_string();
                    let _: () = self.ask(pod, &["CONFIG", "SET", name, &value]).await.map_err(failed)?;
                }
                Ok(format!("{pod} is set: min-replicas-to-write {min_replicas}, maxmemory {max_memory}"))
            }
            Step::TuneSentinel(pod) => {
                for (name, value) in
                    [("quorum", wanted.quorum), ("down-after-milliseconds", wanted.down_after)]
                {
                    let words = ["SENTINEL", "SET", SENTINEL_MASTER, name, &value.to_string()];
                    let _: () = self.ask_sentinel(pod, &words).await.map_err(failed)?;
                }
                Ok(format!("{pod} is set: quorum {}, down-after {} ms", wanted.quorum, wanted.down_after))
            }
            Step::HandOver(from) => self.hand_over(from, None, facts).await,
            Step::Move { from, to } => self.hand_over(from, Some(to), facts).await,
            Step::Choose(_) | Step::Replace(_) => Err("that is no command of Redis".to_owned()),
        }
    }

    async fn hand_over(&self, from: &str, to: Option<&str>, facts: &Facts) -> Result<String, String> {
        let start = Instant::now();
        let replicas = facts.nodes.iter().filter(|node| node.follows(from)).count();
        let mut handover = Handover::begin(from, u32::try_from(replicas).unwrap_or(u32::MAX));
        let outcome = loop {
            let command = match handover.command() {
                Ok(command) => command,
                Err(outcome) => break outcome.clone(),
            };
            let reply = self.reply(&command, from, to, replicas, facts).await;
            tracing::info!(from, ?command, ?reply, "handover");
            handover = handover.answer(reply.unwrap_or(Reply::Failed));
        };
        match outcome {
            Outcome::HandedOver(master) => {
                Ok(format!("{from} handed over to {master} in {} ms", start.elapsed().as_millis()))
            }
            Outcome::Aborted(why) => Err(format!("{from} did not hand over: {why}")),
        }
    }

    async fn reply(
        &self,
        command: &Command,
        from: &str,
        to: Option<&str>,
        replicas: usize,
        facts: &Facts,
    ) -> Result<Reply, RedisError> {
        match command {
            Command::Pause => {
                let pause = PAUSE_MILLISECONDS.to_string();
                let _: () = self.ask(from, &["CLIENT", "PAUSE", &pause, "WRITE"]).await?;
                Ok(Reply::Done)
            }
            Command::Wait => Ok(Reply::Count(self.caught_up(from, replicas, facts).await?)),
            Command::Promote => {
                match to {
                    Some(to) => {
                        let _: () = self.ask(to, &["REPLICAOF", "NO", "ONE"]).await?;
                    }
                    None => {
                        let able = facts
                            .sentinels
                            .iter()
                            .find(|sentinel| sentinel.word.as_ref().is_some_and(|word| word.has_quorum));
                        let Some(able) = able else { return Ok(Reply::Failed) };
                        let _: () =
                            self.ask_sentinel(&able.pod, &["SENTINEL", "FAILOVER", SENTINEL_MASTER]).await?;
                    }
                }
                Ok(Reply::Done)
            }
            Command::AskMaster => Ok(self.new_master(from, to, facts).await),
            Command::Demote(master) => {
                self.follow(from, master).await?;
                Ok(Reply::Done)
            }
            Command::Unpause => {
                let _: () = self.ask(from, &["CLIENT", "UNPAUSE"]).await?;
                Ok(Reply::Done)
            }
        }
    }

    /// How many replicas have applied every byte that the paused master has written; `expected` is not waited for longer
    /// than for a reply. `WAIT` would not tell: it speaks of the writes of its own connection, which has made none.
    async fn caught_up(&self, from: &str, expected: usize, facts: &Facts) -> Result<u32, RedisError> {
        let (written, start) = (self.word(from).await?.offset, Instant::now());
        loop {
            let replicas = facts.nodes.iter().filter(|node| node.pod != from);
            let has_all = join_all(replicas.map(async |node| {
                let word = self.word(&node.pod).await.ok();
                let node = Node { word, ..node.clone() };
                node.follows(from) && node.word.is_some_and(|word| word.offset >= written)
            }))
            .await;
            let count = has_all.into_iter().filter(|has_all| *has_all).count();
            if count >= expected || start.elapsed() > PATIENCE {
                return Ok(u32::try_from(count).unwrap_or(u32::MAX));
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    /// The master that is named once it is not `from` any more, and says so itself; or whoever is named at the end.
    async fn new_master(&self, from: &str, to: Option<&str>, facts: &Facts) -> Reply {
        let (start, mut last) = (Instant::now(), Reply::Failed);
        while start.elapsed() < TAKEOVER {
            let named = match to {
                Some(to) => Some(to.to_owned()),
                None => self.named(facts).await,
            };
            if let Some(named) = named {
                let is_master = self.word(&named).await.is_ok_and(|word| word.role == Role::Master);
                if named != from && is_master {
                    return Reply::Master(named);
                }
                last = Reply::Master(from.to_owned());
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
        last
    }

    /// The pod that a majority of the Sentinels names.
    async fn named(&self, facts: &Facts) -> Option<String> {
        let get = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_MASTER];
        let names = join_all(facts.sentinels.iter().map(async |sentinel| {
            let address: Vec<String> = self.ask_sentinel(&sentinel.pod, &get).await.ok()?;
            self.pod(address.first()?)
        }))
        .await;
        let count = |name: &String| names.iter().flatten().filter(|other| *other == name).count();
        names.iter().flatten().find(|name| count(name) > facts.sentinels.len() / 2).cloned()
    }

    async fn follow(&self, pod: &str, master: &str) -> Result<(), RedisError> {
        self.ask(pod, &["REPLICAOF", &format!("{master}{}", self.domain), &REDIS_PORT.to_string()]).await
    }

    async fn word(&self, pod: &str) -> Result<Word, RedisError> {
        let mut connection = self.connect(pod, REDIS_PORT).await?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
        let info = Info::of(&info);
        let is_loading = info.get("loading") == Some("1");
        if is_loading {
            return Ok(Word { is_loading, ..Word::default() });
        }
        let keys = redis::cmd("DBSIZE").query_async(&mut connection).await?;
        let mut set = HashMap::new();
        for name in ["min-replicas-to-write", "maxmemory", "replica-priority"] {
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
        })
    }

    async fn sentinel(&self, pod: &str) -> Result<SentinelWord, RedisError> {
        let mut connection = self.connect(pod, SENTINEL_PORT).await?;
        let master: HashMap<String, String> =
            redis::cmd("SENTINEL").arg("MASTER").arg(SENTINEL_MASTER).query_async(&mut connection).await?;
        let quorum: Result<String, RedisError> =
            redis::cmd("SENTINEL").arg("CKQUORUM").arg(SENTINEL_MASTER).query_async(&mut connection).await;
        let number = |name: &str| master.get(name).and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(SentinelWord {
            master: master.get("ip").and_then(|host| self.pod(host)),
            has_quorum: quorum.is_ok(),
            is_failing_over: master.get("flags").is_some_and(|flags| flags.contains("failover_in_progress")),
            replicas: number("num-slaves"),
            quorum: number("quorum"),
            down_after: number("down-after-milliseconds"),
        })
    }

    /// The pod of a host that Redis names.
    fn pod(&self, host: &str) -> Option<String> {
        host.strip_suffix(self.domain.as_str()).map(str::to_owned)
    }

    async fn ask<T: FromRedisValue>(&self, pod: &str, words: &[&str]) -> Result<T, RedisError> {
        command(words).query_async(&mut self.connect(pod, REDIS_PORT).await?).await
    }

    async fn ask_sentinel<T: FromRedisValue>(&self, pod: &str, words: &[&str]) -> Result<T, RedisError> {
        command(words).query_async(&mut self.connect(pod, SENTINEL_PORT).await?).await
    }

    async fn connect(&self, pod: &str, port: i32) -> Result<MultiplexedConnection, RedisError> {
        let unknown = || RedisError::from((ErrorKind::Io, "a pod has no address"));
        let address = *self.addresses.get(pod).ok_or_else(unknown)?;
        let address = SocketAddr::new(address, u16::try_from(port).expect("a port should be one"));
        let info = format!("redis://{address}").into_connection_info()?;
        let settings = info.redis_settings().clone().set_password(&self.password.0);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(info.set_redis_settings(settings))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn command(words: &[&str]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    command.arg(words);
    command
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
