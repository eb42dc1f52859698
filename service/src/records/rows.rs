//! Rows as the database returns them, and the values they represent.
//!
//! Input: rows. Output: heads and entries, or why a row is unreadable. Must not know: statements.

use super::Error;
use crate::exam::event::{Entry, Head};
use crate::exam::policy::StoredPolicy;
use crate::exam::terms::Terms;

/// Reads a struct from a row, by names of columns: what `sqlx::FromRow` would derive. Deriving would have each build compile sqlx and
/// its drivers a second time, for the compiler itself.
macro_rules! from_row {
    ($name:ident { $($column:ident),* }) => {
        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($column: row.try_get(stringify!($column))?),* })
            }
        }
    };
}
pub(super) use from_row;

pub(super) struct HeadRow {
    id: i64,
    exam_type: String,
    policy: String,
    bank_version: String,
    seed: i64,
    engine_version: String,
    started_at: i64,
    terms: Option<String>,
}

from_row!(HeadRow { id, exam_type, policy, bank_version, seed, engine_version, started_at, terms });

impl HeadRow {
    pub(super) fn head(self) -> Result<Head, Error> {
        let unreadable =
            |what: &str, error| Error::Damaged(format!("the {what} of exam {}: {error}", self.id));
        let terms = self.terms.as_deref().map_or_else(|| Ok(Terms::default()), serde_json::from_str);
        Ok(Head {
            id: self.id,
            exam_type: self.exam_type,
            policy: StoredPolicy::read(&self.policy).map_err(|error| unreadable("policy", error))?,
            bank_version: self.bank_version,
            seed: self.seed,
            engine_version: self.engine_version,
            started_at: self.started_at,
            terms: terms.map_err(|error| unreadable("terms", error))?,
        })
    }
}

pub(super) struct EntryRow {
    seq: i64,
    at: i64,
    body: String,
}

from_row!(EntryRow { seq, at, body });

impl EntryRow {
    pub(super) fn entry(self, exam: i64) -> Result<Entry, Error> {
        let Self { seq, at, body } = self;
        let event = serde_json::from_str(&body)
            .map_err(|error| Error::Damaged(format!("event {seq} of exam {exam}: {error}")))?;
        Ok(Entry { seq, at, event })
    }
}

/// The terms column; null for default terms.
pub(super) fn terms_text(terms: &Terms) -> Option<String> {
    let text = || serde_json::to_string(terms).expect("terms should have a JSON form");
    (!terms.are_plain()).then(text)
}
