//! Examinees: who took which exam. Stored apart from the measurement, and erasable.
//!
//! Input: an examinee as a caller identifies them. Output: their exams. Must not know: what was measured.

use super::external_id::ExternalId;
use super::pool::on;
use super::rows::from_row;
use super::{Error, Records};

/// SQL: the student of a row of `examinees`, with a mark of the kind: `n` for an integer, `t` for a text. It is the id
/// that a trusted caller gave, otherwise the subject of the token.
macro_rules! student {
    () => {
        "COALESCE('t' || student, 'n' || CAST(student_id AS TEXT), 't' || subject)"
    };
}
pub(super) use student;

/// Reads what `student!` selects.
pub(super) fn student_id(marked: &str) -> Option<ExternalId> {
    match marked.strip_prefix('n') {
        Some(number) => number.parse().ok().map(ExternalId::Number),
        None => marked.strip_prefix('t').map(|text| ExternalId::Text(text.to_owned())),
    }
}

/// An examinee, as far as the caller identifies them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examinee {
    /// Their id, from a trusted caller.
    pub student_id: Option<ExternalId>,
    /// The id of their class.
    pub class_id: Option<ExternalId>,
    /// The subject of their signed tokens.
    pub subject: Option<String>,
}

impl Examinee {
    /// Whether the examinee is identified.
    pub fn is_known(&self) -> bool {
        self.subject.is_some() || self.student_id.is_some()
    }

    /// The examinee's name, whoever gave it: the subject of the token, otherwise the student id as a text.
    fn name(&self) -> Option<String> {
        self.subject.clone().or_else(|| self.student_id.as_ref().map(ToString::to_string))
    }

    /// The slot of an attempt at an exam type, counted from 1: at most one exam has it.
    pub fn slot(&self, exam_type: &str, attempt: usize) -> Option<String> {
        match (&self.subject, &self.student_id) {
            (Some(subject), _) => Some(format!("{exam_type}\u{1f}{attempt}\u{1f}subject {subject}")),
            (None, Some(student)) => Some(format!("{exam_type}\u{1f}{attempt}\u{1f}student {student}")),
            (None, None) => None,
        }
    }
}

/// One of an examinee's exams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Number of the exam.
    pub id: i64,
    /// End, in milliseconds since 1970 UTC, if it has ended.
    pub ended_at: Option<i64>,
}

from_row!(Attempt { id, ended_at });

impl Records {
    /// An examinee's exams of a type, by id. One indexed read.
    ///
    /// # Errors
    /// The database's.
    pub async fn attempts(&self, exam_type: &str, examinee: &Examinee) -> Result<Vec<Attempt>, Error> {
        let select = "SELECT exams.id, ended_at FROM examinees JOIN exams ON exams.id = exam_id \
                      WHERE (subject = $1 OR student = $1 OR student_id = $2) AND exam_type = $3 ORDER BY exams.id";
        let Some(name) = examinee.name() else { return Ok(Vec::new()) };
        let number: Option<i64> = name.parse().ok();
        on!(&self.pool, pool => {
            Ok(sqlx::query_as(select).bind(&name).bind(number).bind(exam_type).fetch_all(pool).await?)
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

    /// The student of an exam, if they are identified. One indexed read, batched with others.
    ///
    /// # Errors
    /// The database's.
    pub async fn student(&self, exam: i64) -> Result<Option<ExternalId>, Error> {
        self.reader.student(exam).await
    }
}
