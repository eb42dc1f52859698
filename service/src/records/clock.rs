//! The clock of exams: the clock of the database of record, without its steps.
//!
//! Input: a pool. Output: the current time. Between measurements time advances with the local monotonic clock, so
//! reading it needs no round trip. If the database's clock is set forward or back by more than a minute, a correction
//! is stored in the database, by whichever replica notices it first, and the clock of exams goes on as before. Must
//! not know: what the time is for.

use super::heartbeat::SILENCE;
use super::pool::{DEADLINE, Pool, on};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, timeout};

/// Interval of measurements.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longest round trip of a usable measurement.
const LONGEST: Duration = Duration::from_millis(500);
/// Change that is logged, in milliseconds: one of the clocks is wrong.
const MAX_DRIFT: u64 = 1_000;
/// Change that is a step of the database's clock, in milliseconds: it is corrected.
const STEP: i64 = 60_000;

/// The clock.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// Origin of the local monotonic clock.
    origin: Instant,
    shown: Arc<Shown>,
}

/// All in milliseconds.
#[derive(Debug, Default)]
struct Shown {
    /// The time at the origin, since 1970 UTC.
    origin: AtomicI64,
    /// What is added to the database's clock.
    correction: AtomicI64,
}

/// One reading of the database.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// The time at the origin by the database's clock.
    origin: i64,
    /// The stored correction.
    correction: i64,
    /// The last heartbeat.
    beat: i64,
}

impl Clock {
    /// Measures the time once, and then periodically until the clock is dropped.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn start(pool: Pool) -> Result<Self, sqlx::Error> {
        let clock = Self { origin: Instant::now(), shown: Arc::default() };
        clock.begin(&pool).await?;
        let (origin, shown) = (clock.origin, Arc::downgrade(&clock.shown));
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match shown.upgrade() {
                    Some(shown) => Self { origin, shown }.follow(&pool).await,
                    None => return,
                }
            }
        });
        Ok(clock)
    }

    /// The time, in milliseconds since 1970 UTC.
    pub(super) fn now(&self) -> i64 {
        self.shown.origin.load(Ordering::Relaxed) + self.elapsed()
    }

    /// What is added to the database's clock, in milliseconds; 0 unless it was set while exams were open.
    pub(super) fn correction(&self) -> i64 {
        self.shown.correction.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// The first measurement decides whether the clock was set while no replica ran.
    async fn begin(&self, pool: &Pool) -> Result<(), sqlx::Error> {
        let measured = self.read(pool).await?;
        let select = "SELECT COUNT(*) FROM (SELECT id FROM exams WHERE ended_at IS NULL LIMIT 1) AS open";
        let open: i64 = on!(pool, pool => sqlx::query_scalar(select).fetch_one(pool).await?);
        let now = measured.origin + self.elapsed();
        let correction = correction_at_start(now, measured, open > 0);
        if correction != measured.correction {
            tracing::warn!(
                seconds = correction / 1000,
                "the clock of the database was set while no replica ran; the clock of exams is the database's plus so many seconds"
            );
            let update = "UPDATE heartbeat SET correction = $1, at = CASE WHEN at > $2 THEN $2 ELSE at END \
                          WHERE id = 1 AND correction = $3";
            let (latest, before) = (now + correction, measured.correction);
            on!(pool, pool => sqlx::query(update).bind(correction).bind(latest).bind(before).execute(pool).await.map(drop))?;
        }
        self.show(measured.origin, correction);
        Ok(())
    }

    /// A later measurement: a small change is followed, a step is corrected.
    async fn follow(&self, pool: &Pool) {
        let began = Instant::now();
        let measured = match timeout(DEADLINE, self.read(pool)).await {
            Ok(Ok(measured)) if began.elapsed() <= LONGEST => measured,
            // The outage is reported by the requests that need the database.
            Ok(_) | Err(_) => return,
        };
        let change = measured.origin + measured.correction - self.shown.origin.load(Ordering::Relaxed);
        if change.abs() <= STEP {
            if change.unsigned_abs() > MAX_DRIFT {
                tracing::warn!(
                    milliseconds = change,
                    "the clock of the database has changed; it is followed"
                );
            }
            self.show(measured.origin, measured.correction);
            return;
        }
        let correction = measured.correction - change;
        let update = "UPDATE heartbeat SET correction = $1 WHERE id = 1 AND correction = $2";
        let stored: Result<u64, sqlx::Error> = on!(pool, pool => {
            sqlx::query(update).bind(correction).bind(measured.correction).execute(pool).await.map(|done| done.rows_affected())
        });
        // Otherwise another replica was first, or the database does not answer: the next measurement tells.
        if let Ok(1) = stored {
            tracing::error!(
                seconds = change / 1000,
                correction_seconds = correction / 1000,
                "the clock of the database was set by so many seconds; the clock of exams goes on as before, so nobody loses time"
            );
            self.show(measured.origin, correction);
        }
    }

    fn show(&self, origin: i64, correction: i64) {
        self.shown.origin.store(origin + correction, Ordering::Relaxed);
        self.shown.correction.store(correction, Ordering::Relaxed);
    }

    async fn read(&self, pool: &Pool) -> Result<Measured, sqlx::Error> {
        // SQLite uses the local clock.
        if let Pool::Sqlite(pool) = pool {
            let select = "SELECT correction, at FROM heartbeat WHERE id = 1";
            let (correction, beat) = sqlx::query_as(select).fetch_one(pool).await?;
            return Ok(Measured { origin: here() - self.elapsed(), correction, beat });
        }
        let select = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT), correction, at \
                      FROM heartbeat WHERE id = 1";
        let began = self.elapsed();
        let (wall, correction, beat): (i64, i64, i64) =
            on!(pool, pool => sqlx::query_as(select).fetch_one(pool).await?);
        Ok(Measured { origin: wall - i64::midpoint(began, self.elapsed()), correction, beat })
    }
}

/// The correction for a replica that starts at `now` on the database's clock. If the last heartbeat lies in the
/// future, the clock was set back: time goes on from the heartbeat. A correction is dropped while no replica runs and
/// no exam is open.
fn correction_at_start(now: i64, measured: Measured, is_open: bool) -> i64 {
    let ahead = measured.beat - (now + measured.correction);
    match () {
        () if ahead < -SILENCE && !is_open => 0,
        () if ahead > STEP && is_open => measured.correction + ahead,
        () if ahead > STEP => 0,
        () => measured.correction,
    }
}

fn here() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_start(beat: i64, correction: i64, is_open: bool) -> i64 {
        correction_at_start(1_000_000, Measured { origin: 0, correction, beat }, is_open)
    }

    #[test]
    fn a_clock_set_back_while_no_replica_ran_goes_on_from_the_last_heartbeat() {
        assert_eq!(at_start(999_000, 0, true), 0);
        assert_eq!(at_start(1_030_000, 0, true), 0, "replicas may differ by less than a minute");
        assert_eq!(at_start(4_600_000, 0, true), 3_600_000);
        assert_eq!(at_start(4_600_000, 0, false), 0, "nobody has time to lose");
    }

    #[test]
    fn a_correction_is_dropped_once_no_exam_is_open_and_no_replica_runs() {
        assert_eq!(at_start(995_000, -3_600_000, true), -3_600_000 + 4_595_000 - 1_000_000);
        assert_eq!(at_start(100_000, -500_000, true), -500_000);
        assert_eq!(at_start(100_000, -500_000, false), 0);
        assert_eq!(at_start(499_000, -500_000, false), -500_000, "another replica runs");
    }
}
