//! One run of a fault: load, the fault, the store's return, and what was seen.
//!
//! Input: a fault. Output: what examinees saw, and what became of snapshots. Must not know: targets, how it is printed.

use crate::bed::Bed;
use crate::breaks;
use crate::examinees::{Crowd, Seen, Taken};
use crate::faults::Fault;
use crate::snapshots::Snapshots;
use anyhow::Result;
use harness::Postgres;
use harness::topology::Shape;
use serde_json::Value;
use service::store::redis::slot;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// New processes are slow at first.
const WARM: Duration = Duration::from_secs(2);
/// How long is measured before the fault.
const BEFORE: Duration = Duration::from_secs(2);
/// How long the load goes on after the store is back.
const AFTER: Duration = Duration::from_secs(1);
/// The slots of the first master of three.
const FIRST_SHARD: std::ops::RangeInclusive<u16> = 0..=5460;

/// A run.
pub struct Run {
    /// What examinees saw.
    pub seen: Seen,
    /// How long the store was away.
    pub back: Duration,
    /// How long the cause lasted.
    pub lasted: Duration,
    /// Answers while the store was away.
    pub away: Vec<(Duration, Taken)>,
    /// Snapshots that a planned handover lost, if that was looked at.
    pub snapshots_lost: Option<u64>,
}

impl Run {
    /// Answers of exams whose snapshots are on another shard than the one that broke.
    pub fn others(&self) -> impl Iterator<Item = Duration> {
        let taken = self.seen.then.iter();
        let elsewhere = taken
            .filter(|taken| !FIRST_SHARD.contains(&slot(&format!("{}{}", contract::KEY_PREFIX, taken.exam))));
        elsewhere.map(|taken| taken.took)
    }
}

/// Runs a fault.
pub async fn run(
    fault: Fault,
    clients: u32,
    gone: Duration,
    postgres: &Postgres,
    expected: &[Value],
) -> Result<Run> {
    let mut bed = Bed::start(fault, postgres).await?;
    let both = [bed.services[0].client(), bed.services[1].client()];
    let crowd = Crowd::start(&both, clients);
    sleep(WARM).await;
    crowd.is_warm();
    sleep(BEFORE).await;
    crowd.breaks();
    let snapshots = match fault {
        Fault::SentinelHandover => Some(Snapshots::start(&bed.topology).await?),
        _ => None,
    };
    let broken = Instant::now();
    let (lasted, _kept) = breaks::run(fault, &mut bed, gone).await?;
    bed.until("up").await?;
    let back = broken.elapsed();
    breaks::end(fault, &bed)?;
    sleep(AFTER).await;
    let snapshots_lost = match snapshots {
        Some(snapshots) => Some(snapshots.end().await?),
        None => None,
    };
    let seen = crowd.end(&both[0], expected).await?;
    let since = |taken: &Taken| taken.at.saturating_duration_since(broken);
    let away =
        seen.then.iter().map(|taken| (since(taken), *taken)).filter(|(since, _)| *since < lasted.max(back));
    let away = away.collect();
    debug_assert!(fault.shape() != Shape::Cluster || bed.topology.len() == 6);
    Ok(Run { away, seen, back, lasted, snapshots_lost })
}
