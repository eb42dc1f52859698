//! Allocation of exam ids before the exams are written.
//!
//! Input: a count. Output: that many unique ids. With its id known in advance, a start is one statement; under
//! load, ids are allocated in blocks, so that allocation needs no round trip per start. Ids that are not used
//! within a second are discarded, so ids follow the order of starts to about a second. Must not know: what is
//! written under them.

use super::dedicated::{Dedicated, by};
use super::pool::Pool;
use std::time::{Duration, Instant};

/// How long allocated ids may stay unused.
const MOMENT: Duration = Duration::from_secs(1);
/// Most ids allocated in advance.
const MOST: usize = 64;

/// SQLite: the last id that was used.
const LAST: &str = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'exams'";
/// PostgreSQL: the requested number of ids. The subquery looks the sequence up once, which costs more than an id.
const NEXT: &str = "\
SELECT nextval(sequence.name) FROM (SELECT pg_get_serial_sequence('exams', 'id')::REGCLASS AS name OFFSET 0) AS sequence, \
generate_series(1, $1)";

/// Allocated ids without an exam.
#[derive(Debug)]
pub(super) struct IdAllocator {
    /// In descending order.
    free: Vec<i64>,
    taken: Instant,
    /// Size of the last block.
    size: usize,
}

impl IdAllocator {
    pub(super) fn new() -> Self {
        Self { free: Vec::new(), taken: Instant::now(), size: 0 }
    }

    /// Allocates this many ids, in ascending order. No id is returned twice.
    pub(super) async fn take(
        &mut self,
        connection: &mut Dedicated,
        count: usize,
    ) -> Result<Vec<i64>, sqlx::Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // SQLite has a single writer, which writes them at once: no block is needed.
        if let Pool::Sqlite(pool) = &connection.pool() {
            let last: i64 = sqlx::query_scalar(LAST).fetch_one(pool).await?;
            return Ok((last + 1..).take(count).collect());
        }
        if self.taken.elapsed() > MOMENT {
            (self.free, self.size) = (Vec::new(), 0);
        }
        if self.free.len() < count {
            // Twice the size of the last block: under low load no id is discarded.
            let more = count.max(MOST.min(self.size * 2));
            let rows = i64::try_from(more).unwrap_or(i64::MAX);
            let mut free: Vec<i64> =
                by!(connection, pool => sqlx::query_scalar(NEXT).bind(rows).fetch_all(pool).await?);
            free.reverse();
            free.append(&mut self.free);
            (self.free, self.taken, self.size) = (free, Instant::now(), more);
        }
        let given = self.free.split_off(self.free.len() - count);
        Ok(given.into_iter().rev().collect())
    }
}
