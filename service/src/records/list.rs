//! Lists of exams for proctors and admins: filtered, paged, with a total.
//!
//! Input: a filter. Output: pages of exams, counts. Must not know: who asks.

use super::examinees::{self, student};
use super::external_id::ExternalId;
use super::pool::on;
use super::rows::from_row;
use super::{Error, Records};
use crate::exam::event::{Event, Next};
use crate::exam::item::ItemId;

/// A filter of exams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only exams that have (`true`) or have not (`false`) ended.
    pub ended: Option<bool>,
    /// Only exams of this type.
    pub exam_type: Option<String>,
    /// Only exams of this examinee: a student id as a text, or the subject of a token.
    pub student_id: Option<String>,
    /// Only exams of this class.
    pub class_id: Option<String>,
    /// Only exams started at or after this time, in milliseconds since 1970 UTC.
    pub from: Option<i64>,
    /// Only exams started before this time.
    pub to: Option<i64>,
    /// Only exams with a greater id: the last id of the page before.
    pub after: i64,
    /// Size of the page.
    pub limit: i64,
}

/// An exam in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Number of the exam.
    pub id: i64,
    /// Its type.
    pub exam_type: String,
    /// The student, as `student!` selects it.
    student: Option<String>,
    /// Start, in milliseconds since 1970 UTC.
    pub started_at: i64,
    /// End, in milliseconds since 1970 UTC.
    pub ended_at: Option<i64>,
    /// Number of answers.
    pub items_completed: i64,
}

from_row!(Listed { id, exam_type, student, started_at, ended_at, items_completed });

impl Listed {
    /// The student, if they are identified.
    pub fn student_id(&self) -> Option<ExternalId> {
        examinees::student_id(self.student.as_deref()?)
    }
}

/// An item that an exam administered, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Number of the exam.
    pub exam: i64,
    /// Its seed.
    pub seed: i64,
    /// What followed.
    pub next: Next,
    /// The item that exposure control held back.
    pub wanted: Option<ItemId>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Number of exams that fit the filter, on all pages.
    pub count: i64,
    /// The exams of this page, by id.
    pub exams: Vec<Listed>,
}

/// The conditions; a null disables each. `$1` to `$8` in both statements.
macro_rules! fits {
    ($select:expr, $rest:literal) => {
        concat!(
            $select,
            " FROM exams LEFT JOIN examinees ON examinees.exam_id = exams.id",
            " WHERE (CAST($1 AS BIGINT) IS NULL OR ($1 = 1) = (ended_at IS NOT NULL))",
            " AND (CAST($2 AS TEXT) IS NULL OR exam_type = $2)",
            " AND (CAST($3 AS BIGINT) IS NULL OR started_at >= $3)",
            " AND (CAST($4 AS BIGINT) IS NULL OR started_at < $4)",
            " AND (CAST($5 AS TEXT) IS NULL OR student = $5 OR subject = $5 OR student_id = CAST($6 AS BIGINT))",
            " AND (CAST($7 AS TEXT) IS NULL OR class = $7 OR class_id = CAST($8 AS BIGINT))",
            $rest
        )
    };
}

/// An id as a number, if it is one.
fn number(id: Option<&str>) -> Option<i64> {
    id?.parse().ok()
}

impl Records {
    /// A page of exams that fit the filter, with the total.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, filter: &Filter) -> Result<Page, Error> {
        Ok(Page { count: self.count(filter).await?, exams: self.page(filter).await? })
    }

    /// The number of exams that fit the filter.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self, filter: &Filter) -> Result<i64, Error> {
        let ended = filter.ended.map(i64::from);
        let Filter { exam_type, student_id, class_id, from, to, .. } = filter;
        let select = fits!("SELECT COUNT(*)", "");
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select)
            .bind(ended)
            .bind(exam_type)
            .bind(from)
            .bind(to)
            .bind(student_id)
            .bind(number(student_id.as_deref()))
            .bind(class_id)
            .bind(number(class_id.as_deref()))
            .fetch_one(pool)
            .await?))
    }

    /// A page of exams that fit the filter. The cost grows with the page, not with the total.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(&self, filter: &Filter) -> Result<Vec<Listed>, Error> {
        let ended = filter.ended.map(i64::from);
        let Filter { exam_type, student_id, class_id, from, to, .. } = filter;
        let select = fits!(
            concat!(
                "SELECT id, exam_type, ",
                student!(),
                " AS student, started_at, ended_at, ",
                "(SELECT COUNT(*) FROM events WHERE exam_id = exams.id AND kind = 'answered') AS items_completed"
            ),
            " AND id > $9 ORDER BY id LIMIT $10"
        );
        on!(&self.pool, pool => Ok(sqlx::query_as(select)
            .bind(ended)
            .bind(exam_type)
            .bind(from)
            .bind(to)
            .bind(student_id)
            .bind(number(student_id.as_deref()))
            .bind(class_id)
            .bind(number(class_id.as_deref()))
            .bind(filter.after)
            .bind(filter.limit)
            .fetch_all(pool)
            .await?))
    }

    /// Open exams past their expiry, the longest overdue first; at most `most`.
    ///
    /// # Errors
    /// The database's.
    pub async fn overdue(&self, now: i64, most: i64) -> Result<Vec<i64>, Error> {
        let select = "SELECT id FROM exams WHERE ended_at IS NULL AND expires_at <= $1 \
                      ORDER BY expires_at LIMIT $2";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).bind(now).bind(most).fetch_all(pool).await?))
    }

    /// Sets the expiry of an open exam.
    ///
    /// # Errors
    /// The database's.
    pub async fn expire_at(&self, exam: i64, expires_at: Option<i64>) -> Result<(), Error> {
        let update = "UPDATE exams SET expires_at = $1 WHERE id = $2 AND ended_at IS NULL";
        on!(&self.pool, pool => sqlx::query(update).bind(expires_at).bind(exam).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Sets the expiry of open exams without one, which the first release left behind; returns their number.
    ///
    /// # Errors
    /// The database's.
    pub async fn expire_oldest_at(&self, expires_at: i64) -> Result<u64, Error> {
        let update = "UPDATE exams SET expires_at = $1 \
                      WHERE ended_at IS NULL AND expires_at IS NULL AND terms IS NULL";
        on!(&self.pool, pool => Ok(sqlx::query(update).bind(expires_at).execute(pool).await?.rows_affected()))
    }

    /// The stored hashes of an exam's events, in order.
    ///
    /// # Errors
    /// The database's.
    pub async fn hashes(&self, exam: i64) -> Result<Vec<String>, Error> {
        let select = "SELECT hash FROM events WHERE exam_id = $1 ORDER BY seq";
        on!(&self.pool, pool => Ok(sqlx::query_scalar(select).bind(exam).fetch_all(pool).await?))
    }

    /// The items that the latest exams on a bank version administered, in order; at most this many exams.
    ///
    /// # Errors
    /// Database errors, or an unreadable event.
    pub async fn given(&self, bank_version: &str, exams: i64) -> Result<Vec<Given>, Error> {
        let select = "SELECT exams.id, exams.seed, events.body FROM exams \
             JOIN events ON events.exam_id = exams.id \
             WHERE exams.id IN (SELECT id FROM exams WHERE bank_version = $1 ORDER BY id DESC LIMIT $2) \
             ORDER BY exams.id, events.seq";
        let rows: Vec<(i64, i64, String)> = on!(&self.pool, pool => {
            sqlx::query_as(select).bind(bank_version).bind(exams).fetch_all(pool).await?
        });
        let read = |(exam, seed, body): (i64, i64, String)| {
            let event = serde_json::from_str(&body)
                .map_err(|error| Error::Damaged(format!("an event of exam {exam}: {error}")))?;
            let (next, wanted) = match event {
                Event::Started { next, constrained, .. } | Event::Answered { next, constrained, .. } => {
                    (next, constrained.wanted)
                }
                Event::Completed { reason } => (Next::End(reason), None),
                // Other events administer no item.
                Event::Paused | Event::Resumed | Event::Extended { .. } | Event::Reopened { .. } => {
                    return Ok(None);
                }
            };
            Ok(Some(Given { exam, seed, next, wanted }))
        };
        rows.into_iter().map(read).filter_map(Result::transpose).collect()
    }

    /// Number of open exams.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_exams(&self) -> Result<u64, Error> {
        let select = "SELECT COUNT(*) FROM exams WHERE ended_at IS NULL";
        let count: i64 = on!(&self.pool, pool => sqlx::query_scalar(select).fetch_one(pool).await?);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
