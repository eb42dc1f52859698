//! Examinees: who took which exam. Stored apart from the measurement, and erasable.
//!
//! Input: an examinee as a caller identifies them. Output: their exams. Must not know: what was measured.

use super::pool::on;
use super::{Error, Records};

/// An examinee, as far as the caller identifies them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examinee {
    /// Their id, from a trusted caller.
    pub student_id: Option<i64>,
    /// The id of their class.
    pub class_id: Option<i64>,
    /// The subject of their signed tokens.
    pub subject: Option<String>,
}

impl Examinee {
    /// Whether the examinee is identified.
    pub fn is_known(&self) -> bool {
        self.subject.is_some() || self.student_id.is_some()
    }

    /// The slot of an attempt at an exam type, counted from 1: at most one exam has it.
    pub fn slot(&self, exam_type: &str, attempt: usize) -> Option<String> {
        match (&self.subject, self.student_id) {
            (Some(subject), _) => Some(format!("{exam_type}\u{1f}{attempt}\u{1f}subject {subject}")),
            (None, Some(student)) => Some(format!("{exam_type}\u{1f}{attempt}\u{1f}student {student}")),
            (None, None) => None,
        }
    }
}

/// One of an examinee's exams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    /// Number of the exam.
    pub id: i64,
    /// End, in milliseconds since 1970 UTC, if it has ended.
    pub ended_at: Option<i64>,
}

impl Records {
    /// An examinee's exams of a type, by id. One indexed read.
    ///
    /// # Errors
    /// The database's.
    pub async fn attempts(&self, exam_type: &str, examinee: &Examinee) -> Result<Vec<Attempt>, Error> {
        let by_subject = "SELECT exams.id, ended_at FROM examinees JOIN exams ON exams.id = exam_id \
                          WHERE subject = $1 AND exam_type = $2 ORDER BY exams.id";
        let by_number = "SELECT exams.id, ended_at FROM examinees JOIN exams ON exams.id = exam_id \
                         WHERE student_id = $1 AND subject IS NULL AND exam_type = $2 ORDER BY exams.id";
        on!(&self.pool, pool => match (&examinee.subject, examinee.student_id) {
            (Some(subject), _) => {
                Ok(sqlx::query_as(by_subject).bind(subject).bind(exam_type).fetch_all(pool).await?)
            }
            (None, Some(student)) => {
                Ok(sqlx::query_as(by_number).bind(student).bind(exam_type).fetch_all(pool).await?)
            }
            (None, None) => Ok(Vec::new()),
        })
    }

    /// The exam that a start with this key created, and the fingerprint of its request.
    ///
    /// # Errors
    /// The database's.
    pub async fn started_under(&self, key: &str) -> Result<Option<(i64, String)>, Error> {
        let select = "SELECT id, fingerprint FROM exams WHERE idempotency_key = $1";
        on!(&self.pool, pool => Ok(sqlx::query_as(select).bind(key).fetch_optional(pool).await?))
    }

    /// The student id of an exam, if there is one. One indexed read, batched with others.
    ///
    /// # Errors
    /// The database's.
    pub async fn student(&self, exam: i64) -> Result<Option<i64>, Error> {
        self.reader.student(exam).await
    }
}
