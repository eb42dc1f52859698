//! The clock of the database of record, which owns the time of every exam.
//!
//! Input: a pool. Output: the current time on the database's clock. The offset to the local clock is measured
//! periodically, so reading the time needs no round trip. Must not know: what the time is for.

use super::pool::{DEADLINE, Pool, on};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, timeout};

/// Interval of measurements.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longest round trip of a usable measurement.
const LONGEST: Duration = Duration::from_millis(500);
/// Change of the offset that is logged, in milliseconds: one of the clocks is wrong.
const MAX_DRIFT: u64 = 1_000;

/// The clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Offset to the local clock, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Measures the offset once, and then periodically until the clock is dropped.
    pub(super) async fn start(pool: Pool) -> Self {
        let clock = Self::default();
        // SQLite uses the local clock.
        if matches!(pool, Pool::Sqlite(_)) {
            return clock;
        }
        clock.measure(&pool).await;
        let ahead = Arc::downgrade(&clock.ahead);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
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
        let query = async { on!(pool, pool => sqlx::query_scalar(select).fetch_one(pool).await) };
        let there: i64 = match timeout(DEADLINE, query).await {
            Ok(Ok(there)) => there,
            // The outage is reported by the requests that need the database.
            Ok(Err(_)) | Err(_) => return,
        };
        let took = began.elapsed();
        if took > LONGEST {
            return;
        }
        let ahead = there - before - i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let known = self.ahead.swap(ahead, Ordering::Relaxed);
        if ahead.abs_diff(known) > MAX_DRIFT {
            tracing::warn!(
                milliseconds = ahead,
                "the local clock and the clock of the database differ; the database's is used"
            );
        }
    }
}

fn here() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
