//! The shards of a Redis Cluster: which link has a key.
//!
//! Input: addresses of some nodes. Output: the link of the master that has a slot. Each master has a link, and so a circuit
//! breaker, of its own. One task reads the map of slots, off the path of requests: when a node says that a key is elsewhere,
//! often while a link is of no use, and from time to time. Must not know: what a key means.

use super::access::Access;
use super::link::Link;
use super::peer::Wanted;
use super::problem::{Problem, explain};
use super::supervisor::{self, Target};
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use contract::settings::HostPort;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// Number of slots, as Redis has it.
const SLOTS: u16 = 16384;
/// Shortest time between two readings of the map.
const PAUSE: Duration = Duration::from_millis(200);
/// How often the map is read without a reason.
const CHECK: Duration = Duration::from_secs(5);
/// How often it is read while a link is of no use.
const RETRY: Duration = Duration::from_millis(500);
/// Longest time that a health check waits for the map.
const HEALTH: Duration = Duration::from_secs(2);
/// Most nodes that are asked at once for the map.
const ASKED: usize = 6;

/// Ranges of slots, each with the link of its master, by the last slot of the range.
#[derive(Debug, Default)]
struct Map {
    ranges: BTreeMap<u16, (u16, Arc<Link>)>,
    links: BTreeMap<HostPort, Arc<Link>>,
}

/// A cluster.
pub(super) struct Cluster {
    seeds: Vec<HostPort>,
    access: Access,
    metrics: Metrics,
    map: ArcSwap<Map>,
    // Asks for a reading.
    wanted: Notify,
    // The result of the last reading, if there was one.
    read: watch::Sender<Option<Result<(), Problem>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// The slot of a key: CRC-16/XMODEM of the part between the first braces, if there is one (Redis Cluster
/// specification, "Key distribution model").
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    });
    crc % SLOTS
}

impl Cluster {
    pub(super) fn start(seeds: Vec<HostPort>, access: Access, metrics: Metrics) -> Arc<Self> {
        let map = ArcSwap::default();
        let (wanted, read) = (Notify::new(), watch::Sender::new(None));
        let cluster = Arc::new(Self { seeds, access, metrics, map, wanted, read });
        tokio::spawn(read_on(Arc::downgrade(&cluster)));
        cluster
    }

    /// The link of the master that has a key, within a time.
    pub(super) async fn link(&self, within: Duration, key: &str) -> Result<Arc<Link>, Problem> {
        let slot = slot(key);
        if let Some(link) = self.known(slot) {
            return Ok(link);
        }
        self.ready(within).await?;
        self.known(slot).ok_or_else(|| Problem::new("address", format!("no master has slot {slot}")))
    }

    fn known(&self, slot: u16) -> Option<Arc<Link>> {
        let map = self.map.load();
        let (_, (first, link)) = map.ranges.range(slot..).next()?;
        (*first <= slot).then(|| Arc::clone(link))
    }

    /// The link that a key has by the map of now, as a number that is the same for the same link.
    pub(super) fn shard(&self, key: &str) -> usize {
        self.known(slot(key)).map_or(0, |link| Arc::as_ptr(&link).addr())
    }

    /// Waits for the first reading of the map, within a time.
    pub(super) async fn ready(&self, within: Duration) -> Result<(), Problem> {
        if !self.map.load().links.is_empty() {
            return Ok(());
        }
        let mut read = self.read.subscribe();
        let first = timeout(within, read.wait_for(Option::is_some)).await;
        first.ok().and_then(Result::ok).and_then(|read| read.clone()).unwrap_or_else(|| Err(too_late()))
    }

    /// All masters, each with its ranges of slots.
    pub(super) async fn shards(&self) -> Result<Vec<(Arc<Link>, Vec<RangeInclusive<u16>>)>, Problem> {
        self.ready(HEALTH).await?;
        let map = self.map.load();
        let ranges = |link: &Arc<Link>| {
            let own = map.ranges.iter().filter(|(_, (_, of))| Arc::ptr_eq(of, link));
            own.map(|(last, (first, _))| *first..=*last).collect()
        };
        Ok(map.links.values().map(|link| (Arc::clone(link), ranges(link))).collect())
    }

    /// Has the map read again and waits for it, within a time.
    pub(super) async fn refresh(&self, within: Duration) -> Result<(), Problem> {
        let mut read = self.read.subscribe();
        read.mark_unchanged();
        self.wanted.notify_one();
        let result = timeout(within, read.changed()).await;
        let read = read.borrow().clone();
        result.ok().and(read).unwrap_or_else(|| Err(too_late()))
    }

    /// What is wrong with the last reading or with a link.
    pub(super) fn problem(&self) -> Option<Problem> {
        let of_links = || self.map.load().links.values().find_map(|link| link.problem());
        let read = self.read.borrow().clone();
        read.and_then(Result::err).or_else(of_links)
    }

    async fn read_map(&self) -> Result<(), Problem> {
        let known: Vec<HostPort> = self.map.load().links.keys().cloned().collect();
        let mut nodes: Vec<&HostPort> = known.iter().chain(&self.seeds).collect();
        nodes.dedup();
        let mut asked: FuturesUnordered<_> = nodes.into_iter().take(ASKED).map(|at| self.ask(at)).collect();
        let mut last = Problem::new("address", "no node of a cluster is named in store.url");
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(ranges) => {
                    drop(asked);
                    self.take(&ranges);
                    return Ok(());
                }
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    async fn ask(&self, at: &HostPort) -> Result<Vec<(u16, u16, HostPort)>, Problem> {
        let asked = async {
            let mut connection = self.access.connect(at).await?;
            redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await
        };
        let ranges: Vec<Value> = asked.await.map_err(|error| explain(&error).of(at))?;
        let ranges: Vec<_> = ranges.into_iter().filter_map(|range| read(range, at)).collect();
        match ranges.is_empty() {
            true => {
                Err(Problem::new("address", "this node knows no slots: has its cluster been made?").of(at))
            }
            false => Ok(ranges),
        }
    }

    /// Takes a map over; links of masters that stay are kept, with their connections.
    fn take(&self, ranges: &[(u16, u16, HostPort)]) {
        let before = self.map.load();
        let mut map = Map::default();
        for (first, last, at) in ranges {
            let link = map.links.entry(at.clone()).or_insert_with(|| match before.links.get(at) {
                Some(link) => Arc::clone(link),
                None => {
                    let target = Target::Fixed(at.clone(), self.access.clone(), Wanted::Shard);
                    supervisor::start(at.to_string(), target, self.metrics.clone())
                }
            });
            map.ranges.insert(*last, (*first, Arc::clone(link)));
        }
        self.map.store(Arc::new(map));
    }
}

/// A range of slots and its master; the host that a node does not know of itself is the one that was asked.
fn read(range: Value, asked: &HostPort) -> Option<(u16, u16, HostPort)> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let first: u16 = redis::from_redis_value(parts.next()?).ok()?;
    let last: u16 = redis::from_redis_value(parts.next()?).ok()?;
    let Value::Array(master) = parts.next()? else { return None };
    let mut master = master.into_iter();
    let host: Option<String> = redis::from_redis_value(master.next()?).ok()?;
    let port: u16 = redis::from_redis_value(master.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
    Some((first, last, HostPort { host, port }))
}

/// Reads the map as long as there is a cluster.
async fn read_on(cluster: Weak<Cluster>) {
    loop {
        let Some(known) = cluster.upgrade() else { return };
        let result = known.read_map().await;
        known.read.send_replace(Some(result.clone()));
        sleep(PAUSE).await;
        let is_well = result.is_ok() && !known.map.load().links.values().any(|link| link.is_open());
        let next = if is_well { CHECK } else { RETRY };
        let _due = timeout(next, known.wanted.notified()).await;
    }
}

fn too_late() -> Problem {
    Problem::unreachable("no node of the cluster has told the map of slots in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // CLUSTER KEYSLOT of Redis 7.0.
        for (key, expected) in [
            ("foo", 12182),
            ("123456789", 12739),
            ("{user1000}.following", 3443),
            ("a{}b", slot("a{}b")),
            ("", 0),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
        assert_eq!(slot("{user1000}.following"), slot("user1000"));
    }
}
