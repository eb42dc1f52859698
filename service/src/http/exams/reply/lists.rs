//! Replies to proctors, admins and probes.
//!
//! Input: pages, counts, health. Output: reply bodies. Must not know: HTTP.

use super::result::time;
use crate::flow::{By, Extended};
use crate::records::{ExternalId, Listed, Page};
use crate::store::Health;
use jiff::Timestamp;
use serde::Serialize;

/// Reply of `GET /exams`.
#[derive(Debug, Serialize)]
pub struct ListReply {
    count: i64,
    exams: Vec<ListedReply>,
    /// Pass it as `after` for the next page; `null` on a page that is empty.
    next_after: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ListedReply {
    exam_session_id: i64,
    status: &'static str,
    exam_type: String,
    student_id: Option<ExternalId>,
    items_completed: i64,
    started_at: String,
    ended_at: Option<String>,
}

impl ListReply {
    /// The reply with this page.
    pub fn of(page: Page) -> Self {
        let next_after = page.exams.last().map(|exam| exam.id);
        let listed = |exam: Listed| ListedReply {
            exam_session_id: exam.id,
            student_id: exam.student_id(),
            status: if exam.ended_at.is_some() { "completed" } else { "in_progress" },
            exam_type: exam.exam_type,
            items_completed: exam.items_completed,
            started_at: time(exam.started_at),
            ended_at: exam.ended_at.map(time),
        };
        Self { count: page.count, exams: page.exams.into_iter().map(listed).collect(), next_after }
    }
}

/// Reply of `GET /health/redis`.
#[derive(Debug, Serialize)]
pub struct HealthReply {
    redis: &'static str,
    mode: &'static str,
    timestamp: String,
}

impl HealthReply {
    /// The reply with the current health of the store.
    pub fn of(health: Health, mode: &'static str) -> Self {
        Self { redis: health.as_str(), mode, timestamp: Timestamp::now().to_string() }
    }
}

/// Reply of `POST /extend`.
#[derive(Debug, Serialize)]
pub struct ExtendReply {
    extended: u64,
    before: u64,
    /// Absent if each exam got back what it lost in outages.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u32>,
}

impl ExtendReply {
    /// The reply to an extension.
    pub fn of(Extended { extended, before }: Extended, by: &By) -> Self {
        let seconds = match by {
            By::Seconds(seconds, _) => Some(*seconds),
            By::Outage => None,
        };
        Self { extended, before, seconds }
    }
}
