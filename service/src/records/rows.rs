//! Rows as the database gives them, and the values they stand for.

use super::Error;
use crate::event::{Entry, Head};
use engine::Policy;

#[derive(sqlx::FromRow)]
pub(super) struct HeadRow {
    id: i64,
    exam_type: String,
    policy: String,
    bank_version: String,
    seed: i64,
    engine_version: String,
    started_at: i64,
}

impl HeadRow {
    pub(super) fn head(self) -> Result<Head, Error> {
        let unreadable = |error| Error::Damaged(format!("the policy of exam {}: {error}", self.id));
        Ok(Head {
            id: self.id,
            exam_type: self.exam_type,
            policy: serde_json::from_str(&self.policy).map_err(unreadable)?,
            bank_version: self.bank_version,
            seed: self.seed,
            engine_version: self.engine_version,
            started_at: self.started_at,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    seq: i64,
    at: i64,
    body: String,
}

impl EntryRow {
    pub(super) fn entry(self, exam: i64) -> Result<Entry, Error> {
        let Self { seq, at, body } = self;
        let event = serde_json::from_str(&body)
            .map_err(|error| Error::Damaged(format!("event {seq} of exam {exam}: {error}")))?;
        Ok(Entry { seq, at, event })
    }
}

pub(super) fn policy_text(policy: &Policy) -> String {
    serde_json::to_string(policy).expect("a policy should have a JSON form")
}
