//! The Redis store, in every shape: one server, the master of Sentinels, the shards of a cluster. Only this room uses the
//! Redis client.
//!
//! Input: writes. Output: snapshots. Every command is idempotent and has a deadline. A batch is one round trip to each
//! master that it concerns; a master that does not answer holds up no other. Must not know: what a snapshot's text means.

pub mod access;
mod breaker;
mod cluster;
mod link;
mod peer;
mod problem;
mod sentinels;
mod supervisor;

use super::{Error, SetupError, Write, Written};
use crate::telemetry::metrics::Metrics;
use access::{Access, StoreSecrets};
use cluster::Cluster;
pub use cluster::slot;
use contract::settings::{self, Place, RedisUrl};
use futures::future::join_all;
use link::{Failure, Link, Use};
use peer::Wanted;
use problem::Problem;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind};
use sentinels::Sentinels;
use std::sync::Arc;
use supervisor::Target;

/// Saves a snapshot unless the stored one has this version or a newer one; `version` comes first in its text. A
/// value of another type has no version and is overwritten.
const SAVE: &str = r#"
local function failed(reply, command)
  return redis.error_reply(reply.err .. ' (' .. command .. ')')
end
local found = redis.pcall('GETRANGE', KEYS[1], 0, 40)
if type(found) == 'table' and not string.find(found.err, 'WRONGTYPE') then return failed(found, 'getrange') end
local version = type(found) == 'string' and string.match(found, '^{"version":(%d+)')
if version and tonumber(version) >= tonumber(ARGV[1]) then return 0 end
local saved = redis.pcall('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
if saved.err then return failed(saved, 'set') end
return 1
"#;

/// How long replicas may take to confirm a snapshot, in milliseconds.
const WAIT_MS: u32 = 150;

#[derive(Clone, Debug)]
pub(super) struct Redis {
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Topology {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

struct Shared {
    topology: Topology,
    save: Script,
    key_prefix: String,
    ttl_seconds: u64,
    wait_replicas: u32,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("topology", &self.topology).finish_non_exhaustive()
    }
}

impl Redis {
    pub(super) fn new(
        settings: &settings::Redis,
        secrets: &StoreSecrets,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        let url =
            RedisUrl::parse(&settings.url).map_err(|reason| SetupError(format!("store.url {reason}")))?;
        let tls = url.is_tls.then(|| access::tls(secrets));
        let access = |database| Access {
            username: settings.username.clone().or(url.username.clone()),
            password: secrets.password.clone().or(url.password.clone()),
            database,
            tls: tls.clone(),
        };
        let topology = match url.place {
            Place::Server { server, database } => {
                access(database).check(&server)?;
                let target = Target::Fixed(server.clone(), access(database), Wanted::Server);
                Topology::One(supervisor::start(server.to_string(), target, metrics))
            }
            Place::Sentinels { sentinels, master, database } => {
                let of_sentinels = Access {
                    username: settings.sentinel_username.clone(),
                    password: secrets.sentinel_password.clone(),
                    ..access(0)
                };
                sentinels.first().map_or(Ok(()), |first| of_sentinels.check(first))?;
                let name = master.clone();
                let named = Sentinels { addresses: sentinels, master, access: of_sentinels };
                Topology::One(supervisor::start(name, Target::Named(named, access(database)), metrics))
            }
            Place::Cluster { nodes } => {
                nodes.first().map_or(Ok(()), |first| access(0).check(first))?;
                Topology::Cluster(Cluster::start(nodes, access(0), metrics))
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                topology,
                save: Script::new(SAVE),
                key_prefix: settings.key_prefix.clone(),
                ttl_seconds: settings.ttl_seconds,
                wait_replicas: settings.wait_replicas,
            }),
        })
    }

    fn key(&self, exam: i64) -> String {
        format!("{}{exam}", self.shared.key_prefix)
    }

    /// The shard that has an exam, as a number: the same for the same master.
    pub(super) fn shard(&self, exam: i64) -> usize {
        match &self.shared.topology {
            Topology::One(_) => 0,
            Topology::Cluster(cluster) => cluster.shard(&self.key(exam)),
        }
    }

    pub(super) async fn load(&self, exam: i64) -> Result<Option<String>, Error> {
        let key = self.key(exam);
        let mut command = redis::cmd("GET");
        command.arg(&key);
        let command = &command;
        // Read as bytes: a value that is not UTF-8 or not a string is a corrupt snapshot, not an outage.
        let get = |connection| async move {
            match command_on(command, connection).await {
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Vec::new())),
                other => other,
            }
        };
        let bytes: Option<Vec<u8>> = self.call(Use::Read, &key, get).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Writes all, in order for each exam; the result of each.
    pub(super) async fn write(&self, writes: &[Write]) -> Vec<Result<Written, Error>> {
        if let Topology::Cluster(cluster) = &self.shared.topology
            && let Err(error) = cluster.ready(Use::Write.within()).await
        {
            return writes.iter().map(|_| Err(unavailable(error.clone()))).collect();
        }
        let mut by_shard: Vec<(usize, Vec<usize>)> = Vec::new();
        for (place, write) in writes.iter().enumerate() {
            let shard = self.shard(write.exam());
            match by_shard.iter_mut().find(|(known, _)| *known == shard) {
                Some((_, places)) => places.push(place),
                None => by_shard.push((shard, vec![place])),
            }
        }
        let groups = by_shard.iter().map(|(_, places)| {
            let group: Vec<&Write> = places.iter().map(|place| &writes[*place]).collect();
            async move { self.write_group(&group).await }
        });
        let mut results: Vec<Option<Result<Written, Error>>> = writes.iter().map(|_| None).collect();
        for ((_, places), done) in by_shard.iter().zip(join_all(groups).await) {
            for (index, place) in places.iter().enumerate() {
                results[*place] = Some(match &done {
                    Ok(done) => Ok(done[index]),
                    Err(error) => Err(error.clone()),
                });
            }
        }
        results.into_iter().flatten().collect()
    }

    /// Writes what one master has, in one round trip.
    async fn write_group(&self, writes: &[&Write]) -> Result<Vec<Written>, Error> {
        let Shared { save, ttl_seconds, wait_replicas, .. } = &*self.shared;
        let Some(first) = writes.first() else { return Ok(Vec::new()) };
        let mut pipeline = Pipeline::with_capacity(writes.len() + 1);
        for write in writes {
            match write {
                Write::Save { exam, version, text } => {
                    pipeline.cmd("EVALSHA").arg(save.get_hash()).arg(1).arg(self.key(*exam));
                    pipeline.arg(version).arg(text).arg(ttl_seconds)
                }
                Write::Remove { exam } => pipeline.cmd("DEL").arg(self.key(*exam)),
            };
        }
        if *wait_replicas > 0 {
            pipeline.cmd("WAIT").arg(wait_replicas).arg(WAIT_MS);
        }
        let pipeline = &pipeline;
        let run = |mut connection: MultiplexedConnection| async move {
            match pipeline.query_async(&mut connection).await {
                // A restarted server, or a promoted replica, does not have the script.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    save.load_async(&mut connection).await?;
                    pipeline.query_async(&mut connection).await
                }
                other => other,
            }
        };
        let mut done: Vec<u32> = self.call(Use::Write, &self.key(first.exam()), run).await?;
        if *wait_replicas > 0 {
            let confirmed = done.pop().unwrap_or_default();
            if confirmed < *wait_replicas {
                let reason = format!("{confirmed} of {wait_replicas} replicas confirmed in {WAIT_MS} ms");
                return Err(Error::Unavailable(reason));
            }
        }
        let result = |(write, done): (&&Write, u32)| match (write, done) {
            (Write::Remove { .. }, _) => Written::Removed,
            (Write::Save { .. }, 0) => Written::Stale,
            (Write::Save { .. }, _) => Written::Saved,
        };
        Ok(writes.iter().zip(done).map(result).collect())
    }

    /// Sets the marker of a filled store in each shard that lacks it; the shards in which it was missing.
    pub(super) async fn set_markers(&self) -> Result<Vec<usize>, Error> {
        let prefix = &self.shared.key_prefix;
        match &self.shared.topology {
            Topology::One(link) => {
                let was_missing = set_marker(link, &format!("{prefix}filled")).await?;
                Ok(if was_missing { vec![0] } else { Vec::new() })
            }
            Topology::Cluster(cluster) => {
                let shards = cluster.shards().await.map_err(unavailable)?;
                let each = shards.iter().filter_map(|(link, ranges)| {
                    // A tag whose slot this shard has.
                    let tag = (0_u32..)
                        .map(|tag| tag.to_string())
                        .find(|tag| ranges.iter().any(|range| range.contains(&cluster::slot(tag))));
                    let key = tag.map(|tag| format!("{prefix}filled:{{{tag}}}"))?;
                    Some(async move { (Arc::as_ptr(link).addr(), set_marker(link, &key).await) })
                });
                let set = join_all(each).await;
                // A shard that does not answer is asked again later; the others are filled meanwhile.
                Ok(set
                    .into_iter()
                    .filter(|(_, set)| matches!(set, Ok(true)))
                    .map(|(shard, _)| shard)
                    .collect())
            }
        }
    }

    /// All masters that are known.
    async fn links(&self) -> Result<Vec<Arc<Link>>, Error> {
        Ok(match &self.shared.topology {
            Topology::One(link) => vec![Arc::clone(link)],
            Topology::Cluster(cluster) => {
                let shards = cluster.shards().await.map_err(unavailable)?;
                shards.into_iter().map(|(link, _)| link).collect()
            }
        })
    }

    /// Asks every master, whatever the breakers say: this is the health check.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let links = self.links().await?;
        join_all(links.iter().map(|link| link.check())).await.into_iter().collect()
    }

    /// What is wrong now, in one sentence.
    pub(super) fn problem(&self) -> Option<String> {
        let problem = match &self.shared.topology {
            Topology::One(link) => link.problem(),
            Topology::Cluster(cluster) => cluster.problem(),
        };
        problem.map(|problem| problem.text)
    }

    /// Runs a command on the master that has a key. If a node of a cluster says that the key is elsewhere, the map of slots
    /// is read again, and the command is repeated once.
    async fn call<T, F>(
        &self,
        purpose: Use,
        key: &str,
        command: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let cluster = match &self.shared.topology {
            Topology::One(link) => return link.call(purpose, command).await.map_err(|failure| failure.error),
            Topology::Cluster(cluster) => cluster,
        };
        match cluster.link(purpose.within(), key).await.map_err(unavailable)?.call(purpose, &command).await {
            Err(Failure { is_moved: true, .. }) => {
                cluster.refresh(purpose.within()).await.map_err(unavailable)?;
                let next = cluster.link(purpose.within(), key).await.map_err(unavailable)?;
                next.call(purpose, &command).await.map_err(|failure| failure.error)
            }
            other => other.map_err(|failure| failure.error),
        }
    }
}

fn unavailable(problem: Problem) -> Error {
    Error::Unavailable(problem.text)
}

async fn set_marker(link: &Link, key: &str) -> Result<bool, Error> {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(1).arg("NX");
    let command = &command;
    let set: Option<String> = link
        .call(Use::Write, |connection| command_on(command, connection))
        .await
        .map_err(|failure| failure.error)?;
    Ok(set.is_some())
}

async fn command_on<T: FromRedisValue>(
    command: &redis::Cmd,
    mut connection: MultiplexedConnection,
) -> Result<T, RedisError> {
    command.query_async(&mut connection).await
}
