//! Speaking to Redis and to Sentinels: looks, which only read, and steps.
//!
//! Input: addresses of pods, a password, a step. Output: [`Facts`], or what a step did. Silence is an answer: whoever does
//! not answer within a second has no word. Must not know: why a step is taken.

mod connect;
mod look;

use super::auth::RedisAuth;
use super::facts::{Facts, Node, Role, Sentinel, Tuning};
use super::handover::{Command, Handover, Outcome, PAUSE_MILLISECONDS, Reply};
use super::plan::{Step, Wanted};
use super::users::{Process, User};
use crate::controller::certificate::Certificate;
use crate::names::TLS_FOLDER;
use crate::names::{REDIS_PORT, SENTINEL_MASTER, SENTINEL_PORT};
use connect::Place;
use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, FromRedisValue, RedisError};
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
    /// The passwords of its Secret.
    pub auth: RedisAuth,
    /// The certificate of its Secret; `None`: it has no TLS.
    pub certificate: Option<Certificate>,
    /// The part of their names after the pod's own: `.SERVICE.NAMESPACE.svc`.
    pub domain: String,
    /// The same of Sentinels.
    pub sentinel_domain: String,
}

impl Access {
    /// Asks every pod. What Kubernetes says of them is taken over.
    pub async fn look(&self, nodes: Vec<Node>, sentinels: Vec<Sentinel>) -> Facts {
        let nodes = join_all(nodes.into_iter().map(async |node| {
            let word = self.word(&node.pod).await;
            Node { refuses_password: refuses(&word), word: word.ok(), ..node }
        }));
        let sentinels = join_all(sentinels.into_iter().map(async |sentinel| {
            let word = self.sentinel(&sentinel.pod).await;
            Sentinel { refuses_password: refuses(&word), word: word.ok(), ..sentinel }
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
            Step::Authorize(pods) => {
                for pod in pods {
                    self.authorize(pod, facts).await.map_err(|error| format!("{pod}: {error}"))?;
                }
                Ok(format!("{} accept and present the passwords of the Secret", pods.join(", ")))
            }
            Step::Reload(pods) => {
                for pod in pods {
                    self.reload(pod).await.map_err(|error| format!("{pod}: {error}"))?;
                }
                Ok(format!("{} show the certificate of the Secret", pods.join(", ")))
            }
            Step::HandOver(from) => self.hand_over(from, None, facts).await,
            Step::Move { from, to } => self.hand_over(from, Some(to), facts).await,
            Step::Choose(_) | Step::Replace(_) => Err("that is no command of Redis".to_owned()),
        }
    }

    /// Has a Redis or a Sentinel accept and present the passwords of the Secret. Connections that are open stay.
    async fn authorize(&self, pod: &str, facts: &Facts) -> Result<(), RedisError> {
        let at = if facts.node(pod).is_some() { Process::Redis } else { Process::Sentinel };
        let mut connection = self.connect(pod, at).await?;
        for user in User::ALL {
            let Some(rules) = self.auth.rules(user, at) else { continue };
            let mut command = command(&["ACL", "SETUSER", user.name()]);
            let _: () = command.arg(rules).query_async(&mut connection).await?;
        }
        let present = |user| self.auth.current.of(user).0.as_str();
        // What can be looked at is set last: it tells that all was set.
        let commands = match at {
            Process::Redis => vec![vec!["CONFIG", "SET", "masterauth", present(User::Replica)]],
            Process::Sentinel => vec![
                vec!["SENTINEL", "SET", SENTINEL_MASTER, "auth-pass", present(User::Sentinel)],
                vec!["SENTINEL", "CONFIG", "SET", "sentinel-pass", present(User::Sentinel)],
            ],
        };
        let off = vec!["ACL", "SETUSER", "default", "reset"];
        for words in [off].into_iter().chain(commands) {
            let _: () = command(&words).query_async(&mut connection).await?;
        }
        Ok(())
    }

    /// Has a Redis read its certificate again. Its files may be those of before for a moment.
    async fn reload(&self, pod: &str) -> Result<(), RedisError> {
        let file = format!("{TLS_FOLDER}/tls.crt");
        let _: () = self.ask(pod, &["CONFIG", "SET", "tls-cert-file", &file]).await?;
        let shown = self.place(pod, Process::Redis)?.certificate().await?;
        let wanted = self.certificate.as_ref().map(|certificate| &certificate.id);
        (shown.as_ref() == wanted).then_some(()).ok_or_else(|| {
            RedisError::from((ErrorKind::Io, "its node has not brought the files up to date yet"))
        })
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

    /// The pod of a host that Redis names.
    fn pod(&self, host: &str) -> Option<String> {
        host.strip_suffix(self.domain.as_str()).map(str::to_owned)
    }

    async fn ask<T: FromRedisValue>(&self, pod: &str, words: &[&str]) -> Result<T, RedisError> {
        command(words).query_async(&mut self.connect(pod, Process::Redis).await?).await
    }

    async fn ask_sentinel<T: FromRedisValue>(&self, pod: &str, words: &[&str]) -> Result<T, RedisError> {
        command(words).query_async(&mut self.connect(pod, Process::Sentinel).await?).await
    }

    /// Connects with the password in use; a process that started with files of before may know only the other one.
    async fn connect(&self, pod: &str, at: Process) -> Result<MultiplexedConnection, RedisError> {
        let place = self.place(pod, at)?;
        let mut last = RedisError::from((ErrorKind::Io, "there is no password"));
        for password in self.auth.valid(User::Operator) {
            match place.connect(User::Operator.name(), password).await {
                Err(error) if error.kind() == ErrorKind::AuthenticationFailed => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    fn place(&self, pod: &str, at: Process) -> Result<Place<'_>, RedisError> {
        let unknown = || RedisError::from((ErrorKind::Io, "a pod has no address"));
        let domain = if at == Process::Redis { &self.domain } else { &self.sentinel_domain };
        Ok(Place {
            address: SocketAddr::new(*self.addresses.get(pod).ok_or_else(unknown)?, port(at)),
            host: format!("{pod}{domain}"),
            authority: self.certificate.as_ref().map(|certificate| &certificate.authority),
        })
    }
}

/// Whether a process answers, but to no password.
fn refuses<T>(word: &Result<T, RedisError>) -> bool {
    word.as_ref().is_err_and(|error| error.kind() == ErrorKind::AuthenticationFailed)
}

fn port(at: Process) -> u16 {
    let port = match at {
        Process::Redis => REDIS_PORT,
        Process::Sentinel => SENTINEL_PORT,
    };
    u16::try_from(port).expect("a port should be one")
}

fn command(words: &[&str]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    command.arg(words);
    command
}
