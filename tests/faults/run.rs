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
use serde_json::Value;
use service::store::redis::slot;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The slots of the first master of three.
const FIRST_SHARD: std::ops::RangeInclusive<u16> = 0..=5460;

/// How long each phase of a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// New processes are slow at first.
    warm: Duration,
    /// What is measured before the fault.
    before: Duration,
    /// A fault that does not end by itself.
    pub lasting: Duration,
    /// One that takes Redis away whole.
    pub gone: Duration,
    /// The load after the store is back.
    after: Duration,
}

impl Pace {
    /// Long enough for figures.
    pub fn full(gone: u64) -> Self {
        let [warm, before, lasting, after, gone] = [2, 2, 6, 1, gone].map(Duration::from_secs);
        Self { warm, before, lasting, gone, after }
    }

    /// Long enough for each fault to take its course.
    pub fn brief(gone: u64) -> Self {
        let half = Duration::from_millis(500);
        Self { warm: half, before: half, lasting: Duration::from_secs(3), after: half, ..Self::full(gone) }
    }
}

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
    pace: Pace,
    postgres: &Postgres,
    expected: &[Value],
) -> Result<Run> {
    let mut bed = Bed::start(fault, postgres).await?;
    let both = [bed.services[0].client(), bed.services[1].client()];
    let crowd = Crowd::start(&both, clients);
    sleep(pace.warm).await;
    crowd.is_warm();
    sleep(pace.before).await;
    crowd.breaks();
    let snapshots = match fault {
        Fault::SentinelHandover => Some(Snapshots::start(&bed.topology).await?),
        _ => None,
    };
    let broken = Instant::now();
    let (lasted, _kept) = breaks::run(fault, &mut bed, pace).await?;
    bed.until("up").await?;
    let back = broken.elapsed();
    breaks::end(fault, &bed)?;
    sleep(pace.after).await;
    let snapshots_lost = match snapshots {
        Some(snapshots) => Some(snapshots.end().await?),
        None => None,
    };
    let seen = crowd.end(&both[0], expected).await?;
    let since = |taken: &Taken| taken.at.saturating_duration_since(broken);
    let away =
        seen.then.iter().map(|taken| (since(taken), *taken)).filter(|(since, _)| *since < lasted.max(back));
    let away = away.collect();
    Ok(Run { away, seen, back, lasted, snapshots_lost })
}
