//! IdAllocator of exams that are yet to be written.
//!
//! Comes in: how many. Goes out: as many, of which no other exam has or will have one. A start that knows its number
//! is one statement; where many start, numbers are taken some at a time, so that it is one round trip too. What is not
//! used within a moment is left out for good: numbers stay in the order in which exams start, to about a second.
//! Must not know: what is written under them.

use super::dedicated::{Dedicated, by};
use super::pool::Pool;
use std::time::{Duration, Instant};

/// How long numbers that were taken may wait for their exams.
const MOMENT: Duration = Duration::from_secs(1);
/// Most numbers that are taken before there is an exam for them.
const MOST: usize = 64;

/// Of SQLite: the last number that was used.
const LAST: &str = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'exams'";
/// Of PostgreSQL: as many numbers as asked for. What gives them is looked up once, which is dearer than a number.
const NEXT: &str = "\
SELECT nextval(sequence.name) FROM (SELECT pg_get_serial_sequence('exams', 'id')::REGCLASS AS name OFFSET 0) AS sequence, \
generate_series(1, $1)";

/// IdAllocator that are taken, and belong to no exam yet.
#[derive(Debug)]
pub(super) struct IdAllocator {
    /// In falling order.
    free: Vec<i64>,
    taken: Instant,
    /// How many were taken then.
    size: usize,
}

impl IdAllocator {
    pub(super) fn new() -> Self {
        Self { free: Vec::new(), taken: Instant::now(), size: 0 }
    }

    /// So many numbers, in rising order. One that was given is never given again.
    pub(super) async fn take(
        &mut self,
        connection: &mut Dedicated,
        count: usize,
    ) -> Result<Vec<i64>, sqlx::Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // A file has one writer, which writes them at once: none is taken before its exam.
        if let Pool::Sqlite(pool) = &connection.pool() {
            let last: i64 = sqlx::query_scalar(LAST).fetch_one(pool).await?;
            return Ok((last + 1..).take(count).collect());
        }
        if self.taken.elapsed() > MOMENT {
            (self.free, self.size) = (Vec::new(), 0);
        }
        if self.free.len() < count {
            // Twice as many as a moment ago: those who start exams one by one leave no number out.
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
