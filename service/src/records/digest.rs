//! How far all open exams are, as one number: to tell before and after a change whether they are the same.
//!
//! Input: the database of record. Output: a count and a digest, in which the order of exams does not matter. Cost: one row for
//! each open exam. Must not know: exams' content.

use super::pool::on;
use super::{Error, Records};
use contract::OpenExams;
use sha2::{Digest, Sha256};
use std::num::Wrapping;

impl Records {
    /// Number of open exams, and the digest of (exam, last event) over them.
    ///
    /// # Errors
    /// The database's.
    pub async fn digest(&self) -> Result<OpenExams, Error> {
        let select = "SELECT exams.id, MAX(events.seq) FROM exams JOIN events ON events.exam_id = exams.id \
                      WHERE exams.ended_at IS NULL GROUP BY exams.id";
        let rows: Vec<(i64, i64)> = on!(&self.pool, pool => sqlx::query_as(select).fetch_all(pool).await?);
        Ok(of(&rows))
    }
}

fn of(rows: &[(i64, i64)]) -> OpenExams {
    let one = |(exam, seq): &(i64, i64)| {
        let hash = Sha256::new().chain_update(exam.to_be_bytes()).chain_update(seq.to_be_bytes()).finalize();
        hash.iter().take(8).fold(Wrapping(0_u64), |number, byte| (number << 8) | Wrapping(u64::from(*byte)))
    };
    let sum: Wrapping<u64> = rows.iter().map(one).sum();
    OpenExams { count: u64::try_from(rows.len()).unwrap_or(u64::MAX), digest: format!("{sum:016x}") }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn order_does_not_matter_and_all_else_does() {
        let digest = |rows: &[(i64, i64)]| of(rows).digest;
        assert_eq!(of(&[]).digest, "0000000000000000");
        assert_eq!(digest(&[(1, 5), (2, 7)]), digest(&[(2, 7), (1, 5)]));
        let others = [&[(1, 5)][..], &[(1, 5), (2, 8)], &[(1, 7), (2, 5)], &[(1, 5), (2, 7), (3, 0)]];
        for other in others {
            assert_ne!(digest(other), digest(&[(1, 5), (2, 7)]), "{other:?}");
        }
        assert_eq!(of(&[(1, 5), (2, 7)]).count, 2);
    }
}
