//! Signs of life, and the outages between them.
//!
//! Input: the time. Output: outages of all replicas, as rows that every replica reads. Must not know: what an outage
//! means for an exam.

use super::pool::on;
use super::{Error, Records};
use crate::exam::outage::Outage;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Interval of heartbeats: an outage is known as precisely as this.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// A longer time without a heartbeat is an outage, in milliseconds.
pub const SILENCE: i64 = 5_000;

impl Records {
    /// Writes a sign of life, and returns the outages that this process has ended since the last call: the one that it ends,
    /// or one that a request ended before. One indexed write.
    ///
    /// # Errors
    /// The database's.
    pub async fn beat(&self) -> Result<Vec<Outage>, Error> {
        self.sign().await?;
        Ok(std::mem::take(&mut *self.untold.lock().expect("no holder of the outages should panic")))
    }

    async fn sign(&self) -> Result<(), Error> {
        let now = self.now();
        let update = "UPDATE heartbeat SET at = $1 WHERE id = 1 AND at < $1 AND at >= $2";
        let written = on!(&self.pool, pool => {
            sqlx::query(update).bind(now).bind(now - SILENCE).execute(pool).await?.rows_affected()
        });
        let outage = if written == 1 { None } else { self.end_outage(now).await? };
        self.untold.lock().expect("no holder of the outages should panic").extend(outage);
        self.beat_at.fetch_max(now, Ordering::Relaxed);
        Ok(())
    }

    /// If this fails halfway, the next heartbeat does it again: an outage is identified by its beginning.
    async fn end_outage(&self, now: i64) -> Result<Option<Outage>, Error> {
        let select = "SELECT at FROM heartbeat WHERE id = 1";
        let began_at: i64 = on!(&self.pool, pool => sqlx::query_scalar(select).fetch_one(pool).await?);
        let is_outage = began_at > 0 && began_at < now - SILENCE;
        if is_outage {
            let insert = "INSERT INTO outages (began_at, ended_at) VALUES ($1, $2) \
                          ON CONFLICT (began_at) DO UPDATE SET ended_at = excluded.ended_at";
            on!(&self.pool, pool => sqlx::query(insert).bind(began_at).bind(now).execute(pool).await.map(drop))?;
        }
        let update = "UPDATE heartbeat SET at = $1 WHERE id = 1 AND at < $1";
        on!(&self.pool, pool => sqlx::query(update).bind(now).execute(pool).await.map(drop))?;
        Ok(is_outage.then_some(Outage { began_at, ended_at: now }))
    }

    /// The outages that ended after a time, by their beginning. An outage that ends with this call is included.
    ///
    /// # Errors
    /// The database's.
    pub async fn outages(&self, since: i64) -> Result<Vec<Outage>, Error> {
        if self.now() - self.beat_at.load(Ordering::Relaxed) > SILENCE {
            self.sign().await?;
        }
        let select = "SELECT began_at, ended_at FROM outages WHERE ended_at > $1 ORDER BY began_at";
        let rows: Vec<(i64, i64)> =
            on!(&self.pool, pool => sqlx::query_as(select).bind(since).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(began_at, ended_at)| Outage { began_at, ended_at }).collect())
    }

    /// What is added to the database's clock to get the clock of exams, in milliseconds.
    pub fn clock_correction(&self) -> i64 {
        self.clock.correction()
    }
}
