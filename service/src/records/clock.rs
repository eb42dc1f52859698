//! The clock that owns every exam's time: the database's, read from here.
//!
//! Comes in: a pool. Goes out: the time on the database's clock, without asking it each time: how far this
//! machine's clock is from it is measured now and then. Must not know: what the time is for.

use super::pool::{PATIENCE, Pool, on};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, timeout};

/// How often the distance is measured.
const LOOK: Duration = Duration::from_secs(10);
/// A measurement that took longer tells too little.
const LONGEST: Duration = Duration::from_millis(500);
/// A distance that is told: clocks this far apart are wrongly set.
const FAR: u64 = 1_000;

/// The database's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Milliseconds by which it is ahead of this machine's.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Measures once, and then now and then for as long as there is anybody who reads it.
    pub(super) async fn start(pool: Pool) -> Self {
        let clock = Self::default();
        // A file has the clock of this machine.
        if matches!(pool, Pool::Sqlite(_)) {
            return clock;
        }
        clock.measure(&pool).await;
        let ahead = Arc::downgrade(&clock.ahead);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match ahead.upgrade() {
                    Some(ahead) => Self { ahead }.measure(&pool).await,
                    None => return,
                }
            }
        });
        clock
    }

    /// The time, in milliseconds since 1970 UTC.
    pub(super) fn now(&self) -> i64 {
        here() + self.ahead.load(Ordering::Relaxed)
    }

    async fn measure(&self, pool: &Pool) {
        let (before, began) = (here(), Instant::now());
        let select = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let asked = async { on!(pool, pool => sqlx::query_scalar(select).fetch_one(pool).await) };
        let there: i64 = match timeout(PATIENCE, asked).await {
            Ok(Ok(there)) => there,
            // Whoever needs the database says that it is away.
            Ok(Err(_)) | Err(_) => return,
        };
        let took = began.elapsed();
        if took > LONGEST {
            return;
        }
        let ahead = there - before - i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let known = self.ahead.swap(ahead, Ordering::Relaxed);
        if ahead.abs_diff(known) > FAR {
            tracing::warn!(
                milliseconds = ahead,
                "this machine's clock and the database's are apart, and the database's counts"
            );
        }
    }
}

fn here() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
