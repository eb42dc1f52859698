//! The shards of a Redis Cluster: which link has a key.
//!
//! Input: addresses of some nodes. Output: the link of the master that has a slot. Each master has a link, and so a circuit
//! breaker, of its own. The map of slots is read again when a node says that a key is elsewhere, when a link fails, and
//! from time to time; one caller reads it, the others go on. Must not know: what a key means.

use super::access::Access;
use super::link::{Link, Target};
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use contract::settings::HostPort;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{ErrorKind, RedisError, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Number of slots, as Redis has it.
const SLOTS: u16 = 16384;
/// Shortest time between two readings of the map.
const PAUSE: Duration = Duration::from_millis(200);
/// How often the map is read without a reason.
const CHECK: Duration = Duration::from_secs(5);
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
    // When the map was read last, and with what result; held while it is read.
    read: Mutex<Option<(Instant, Result<(), RedisError>)>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// The slot of a key: CRC-16/XMODEM of the part between the first braces, if there is one (Redis Cluster
/// specification, "Key distribution model").
pub(super) fn slot(key: &str) -> u16 {
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
        let cluster = Arc::new(Self { seeds, access, metrics, map, read: Mutex::default() });
        tokio::spawn(watch(Arc::downgrade(&cluster)));
        cluster
    }

    /// The link of the master that has a key.
    pub(super) async fn link(&self, key: &str) -> Result<Arc<Link>, RedisError> {
        let slot = slot(key);
        if let Some(link) = self.known(slot) {
            return Ok(link);
        }
        self.refresh().await?;
        self.known(slot)
            .ok_or_else(|| (ErrorKind::Client, "the cluster", format!("no master has slot {slot}")).into())
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

    /// Reads the map if it was never read.
    pub(super) async fn ready(&self) -> Result<(), RedisError> {
        if self.map.load().links.is_empty() { self.refresh().await } else { Ok(()) }
    }

    /// All masters, each with its ranges of slots.
    pub(super) async fn shards(&self) -> Result<Vec<(Arc<Link>, Vec<RangeInclusive<u16>>)>, RedisError> {
        self.ready().await?;
        let map = self.map.load();
        let ranges = |link: &Arc<Link>| {
            let own = map.ranges.iter().filter(|(_, (_, of))| Arc::ptr_eq(of, link));
            own.map(|(last, (first, _))| *first..=*last).collect()
        };
        Ok(map.links.values().map(|link| (Arc::clone(link), ranges(link))).collect())
    }

    /// Reads the map again, unless that was done a moment ago.
    pub(super) async fn refresh(&self) -> Result<(), RedisError> {
        let mut read = self.read.lock().await;
        if let Some((_, result)) = read.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return result.clone();
        }
        let result = self.read_map().await;
        *read = Some((Instant::now(), result.clone()));
        result
    }

    async fn read_map(&self) -> Result<(), RedisError> {
        let known: Vec<HostPort> = self.map.load().links.keys().cloned().collect();
        let mut nodes: Vec<&HostPort> = known.iter().chain(&self.seeds).collect();
        nodes.dedup();
        let mut asked: FuturesUnordered<_> = nodes.into_iter().take(ASKED).map(|at| self.ask(at)).collect();
        let mut last = RedisError::from((ErrorKind::Client, "no node is named"));
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(ranges) => {
                    drop(asked);
                    self.take(&ranges);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask(&self, at: &HostPort) -> Result<Vec<(u16, u16, HostPort)>, RedisError> {
        let mut connection = self.access.connect(at).await?;
        let ranges: Vec<Value> = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
        let ranges: Vec<_> = ranges.into_iter().filter_map(|range| read(range, at)).collect();
        match ranges.is_empty() {
            true => Err((ErrorKind::Client, "the cluster", format!("{at} has no slots to tell")).into()),
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
                    let target = Target::Fixed(at.clone());
                    Link::start(at.to_string(), self.access.clone(), target, self.metrics.clone())
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

/// Reads the map from time to time, as long as there is a cluster.
async fn watch(cluster: Weak<Cluster>) {
    let mut ticks = tokio::time::interval(CHECK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match cluster.upgrade() {
            // What is wrong is told by the links.
            Some(cluster) => drop(cluster.refresh().await),
            None => return,
        }
    }
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
