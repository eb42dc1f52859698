//! The faults, and what is promised of each.
//!
//! Input: a fault. Output: its name, the Redis that it breaks, and its targets. Must not know: how it breaks, how it is
//! printed.

use harness::topology::Shape;
use std::time::Duration;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing breaks: the figures to compare with.
    None,
    /// The master of Sentinels is killed.
    SentinelKill,
    /// The master of Sentinels is frozen, and goes on later.
    SentinelFreeze,
    /// The master of Sentinels is shut down.
    SentinelShutdown,
    /// The master of Sentinels is handed over as planned: PAUSE WRITE, WAIT, FAILOVER, demotion, UNPAUSE.
    SentinelHandover,
    /// The master of a shard is killed.
    ClusterKill,
    /// The master of a shard is frozen, and goes on later.
    ClusterFreeze,
    /// The only Redis is gone for a while, and comes back empty.
    Gone,
    /// The only Redis forgets everything.
    Flushed,
    /// Every snapshot is overwritten with something else, again and again.
    Corrupted,
    /// The only Redis has no memory left, for a while.
    Full,
    /// Each reply of the only Redis comes 200 ms late, for a while.
    Slow,
    /// Every connection is cut in mid-word, ten times.
    Cut,
    /// Nothing passes between service and Redis, and nobody is told, for a while.
    Silent,
    /// A few bytes a second pass between service and Redis, for a while.
    Throttled,
    /// The password is rotated: both are valid for a while, then only the new one.
    Password,
    /// Authority, certificates and keys are replaced: both are valid for a while, then only the new ones.
    Certificates,
    /// The name of the only Redis gets another address; the old one is gone.
    Renamed,
}

/// Whose p99 of an answer is limited, as a multiple of that before the fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// It is only printed.
    None,
    /// That of all examinees while the store is of no use, from so long after the fault on.
    Then(f64, Duration),
    /// That of exams whose snapshots are on another shard.
    OtherShards(f64),
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::None,
        Self::SentinelKill,
        Self::SentinelFreeze,
        Self::SentinelShutdown,
        Self::SentinelHandover,
        Self::ClusterKill,
        Self::ClusterFreeze,
        Self::Gone,
        Self::Flushed,
        Self::Corrupted,
        Self::Full,
        Self::Slow,
        Self::Cut,
        Self::Silent,
        Self::Throttled,
        Self::Password,
        Self::Certificates,
        Self::Renamed,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none (one Redis)",
            Self::SentinelKill => "sentinel: master killed",
            Self::SentinelFreeze => "sentinel: master frozen",
            Self::SentinelShutdown => "sentinel: master shut down",
            Self::SentinelHandover => "sentinel: planned handover",
            Self::ClusterKill => "cluster: a master killed",
            Self::ClusterFreeze => "cluster: a master frozen",
            Self::Gone => "basic: gone, then back empty",
            Self::Flushed => "basic: FLUSHALL",
            Self::Corrupted => "basic: snapshots corrupted",
            Self::Full => "basic: maxmemory reached",
            Self::Slow => "basic: replies 200 ms late",
            Self::Cut => "basic: connections cut",
            Self::Silent => "basic: half-open connections",
            Self::Throttled => "basic: 2 kB/s",
            Self::Password => "basic: password rotated",
            Self::Certificates => "basic: certificates replaced",
            Self::Renamed => "basic: name moves to another",
        }
    }

    /// The Redis that it breaks.
    pub fn shape(self) -> Shape {
        match self {
            Self::SentinelKill | Self::SentinelFreeze | Self::SentinelShutdown | Self::SentinelHandover => {
                Shape::Sentinel
            }
            Self::ClusterKill | Self::ClusterFreeze => Shape::Cluster,
            _ => Shape::Basic,
        }
    }

    /// Whether it takes TLS and ACL users.
    pub fn is_guarded(self) -> bool {
        matches!(self, Self::Password | Self::Certificates)
    }

    /// Whether it happens between service and Redis.
    pub fn is_on_the_way(self) -> bool {
        matches!(self, Self::Slow | Self::Cut | Self::Silent | Self::Throttled)
    }

    /// How long the store may be away: where a replica is promoted, until that (down-after or node timeout 2 s, and an
    /// election) and 5 s; elsewhere 5 s after the cause has gone. `None`: it is never away, or that is no question.
    pub fn back_limit(self, lasted: Duration) -> Option<Duration> {
        match self {
            Self::SentinelKill
            | Self::SentinelFreeze
            | Self::SentinelShutdown
            | Self::SentinelHandover
            | Self::ClusterKill
            | Self::ClusterFreeze => Some(Duration::from_secs(10)),
            Self::Gone | Self::Slow | Self::Silent | Self::Throttled | Self::Renamed => {
                Some(lasted + Duration::from_secs(5))
            }
            _ => None,
        }
    }

    /// Its limit of the p99.
    pub fn limit(self) -> Limit {
        match self {
            Self::ClusterKill | Self::ClusterFreeze => Limit::OtherShards(1.5),
            Self::Gone => Limit::Then(2.0, Duration::ZERO),
            Self::Slow => Limit::Then(2.0, Duration::from_secs(2)),
            _ => Limit::None,
        }
    }
}
