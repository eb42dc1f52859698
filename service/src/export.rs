//! Export of exams and answers as tables.
//!
//! Input: a database of record and a filter. Output: the text of a table, page by page, so memory stays bounded.
//! Tables do not identify examinees: identity is separate from measurement. Must not know: where the text goes.

mod sheet;

pub use sheet::{Format, Layout};

use crate::exam::Exam;
use crate::exam::bank::ItemBank;
use crate::exam::event::{Entry, Event};
use crate::exam::item::Submitted;
use crate::records::{self, Filter, Records};
use engine::{Ability, Estimate};
use jiff::Timestamp;
use serde::Serialize;
use sheet::Sheet;
use std::collections::HashMap;
use std::sync::Arc;

/// Exams in a page.
const PAGE: i64 = 100;

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// One row for each answer.
    Answers,
    /// One row for each exam.
    Exams,
}

/// A row of the table of answers.
#[derive(Debug, Serialize)]
struct AnswerRow<'e> {
    exam_session_id: i64,
    exam_type: &'e str,
    bank_version: &'e str,
    position: usize,
    item: u32,
    item_id: &'e str,
    submitted: String,
    category: Option<u8>,
    late: bool,
    response_time_ms: Option<u32>,
    theta: f64,
    standard_error: Option<f64>,
    at: String,
}

/// A row of the table of exams.
#[derive(Debug, Serialize)]
struct ExamRow<'e> {
    exam_session_id: i64,
    exam_type: &'e str,
    status: &'static str,
    started_at: String,
    ended_at: Option<String>,
    termination_reason: Option<&'static str>,
    items_completed: usize,
    theta: f64,
    standard_error: Option<f64>,
    score: Option<f64>,
    bank_version: &'e str,
    engine_version: &'e str,
}

/// A running export.
#[derive(Debug)]
pub struct Export {
    records: Records,
    banks: HashMap<String, Arc<ItemBank>>,
    filter: Filter,
    what: What,
    format: Format,
    is_first: bool,
}

impl Export {
    /// The exams that fit the filter, by number.
    pub fn new(records: Records, filter: Filter, what: What, format: Format) -> Self {
        let filter = Filter { after: 0, limit: PAGE, ..filter };
        Self { records, banks: HashMap::new(), filter, what, format, is_first: true }
    }

    /// Number of all exams that fit the filter.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self) -> Result<i64, records::Error> {
        self.records.count(&self.filter).await
    }

    /// The text of the next page, and the number of its exams; `None` after the last.
    ///
    /// # Errors
    /// Database errors, or an unreadable exam.
    pub async fn page(&mut self) -> Result<Option<(Vec<u8>, usize)>, records::Error> {
        let page = self.records.page(&self.filter).await?;
        let Some(last) = page.last() else {
            // A table without rows has a header too.
            return Ok(if self.is_first { Some((self.sheet().end(), 0)) } else { None });
        };
        self.filter.after = last.id;
        let mut table = self.sheet();
        for listed in &page {
            let exam = self.exam(listed.id).await?;
            let written = match self.what {
                What::Answers => answers(&exam, &mut table),
                What::Exams => table.write(&exam_row(&exam)),
            };
            written.map_err(|error| records::Error::Damaged(format!("exam {}: {error}", listed.id)))?;
        }
        Ok(Some((table.end(), page.len())))
    }

    async fn exam(&mut self, id: i64) -> Result<Exam, records::Error> {
        let damaged = |reason: String| records::Error::Damaged(format!("exam {id}: {reason}"));
        let loaded = self.records.load(id).await?;
        let (head, entries) = loaded.ok_or_else(|| damaged("it is gone".to_owned()))?;
        if !self.banks.contains_key(&head.bank_version) {
            let body = self.records.bank(&head.bank_version).await?;
            let body = body.ok_or_else(|| damaged("its bank is not there".to_owned()))?;
            let bank = ItemBank::from_body(&body).map_err(damaged)?;
            self.banks.insert(head.bank_version.clone(), Arc::new(bank));
        }
        let bank = Arc::clone(&self.banks[&head.bank_version]);
        Exam::replay(head, bank, entries).map_err(|error| damaged(error.to_string()))
    }

    fn sheet(&mut self) -> Sheet {
        let names = match self.what {
            What::Answers => ANSWERS.as_slice(),
            What::Exams => EXAMS.as_slice(),
        };
        Sheet::new(self.format, names, std::mem::take(&mut self.is_first))
    }
}

const ANSWERS: [&str; 13] = [
    "exam_session_id",
    "exam_type",
    "bank_version",
    "position",
    "item",
    "item_id",
    "submitted",
    "category",
    "late",
    "response_time_ms",
    "theta",
    "standard_error",
    "at",
];
const EXAMS: [&str; 12] = [
    "exam_session_id",
    "exam_type",
    "status",
    "started_at",
    "ended_at",
    "termination_reason",
    "items_completed",
    "theta",
    "standard_error",
    "score",
    "bank_version",
    "engine_version",
];

fn answers(exam: &Exam, table: &mut Sheet) -> Result<(), String> {
    let mut position = 0;
    for Entry { at, event, .. } in exam.entries() {
        let Event::Answered {
            item,
            submitted,
            category,
            missing,
            response_time_ms,
            late,
            theta,
            standard_error,
            ..
        } = event
        else {
            continue;
        };
        position += 1;
        table.write(&AnswerRow {
            exam_session_id: exam.head().id,
            exam_type: &exam.head().exam_type,
            bank_version: &exam.head().bank_version,
            position,
            item: *item,
            item_id: exam.bank().item(*item).map_or("", |item| &item.code),
            submitted: match submitted {
                Submitted::Choice(choice) => choice.to_string(),
                Submitted::Correct(correct) => (if *correct { "correct" } else { "wrong" }).to_owned(),
                Submitted::Omitted => "omitted".to_owned(),
            },
            category: (!missing).then_some(*category),
            late: *late,
            response_time_ms: *response_time_ms,
            theta: *theta,
            standard_error: *standard_error,
            at: time(*at),
        })?;
    }
    Ok(())
}

fn exam_row(exam: &Exam) -> ExamRow<'_> {
    let head = exam.head();
    let Estimate { ability: Ability { theta, standard_error }, .. } = exam.result();
    ExamRow {
        exam_session_id: head.id,
        exam_type: &head.exam_type,
        status: if exam.end().is_some() { "completed" } else { "in_progress" },
        started_at: time(head.started_at),
        ended_at: exam.ended_at().map(time),
        termination_reason: exam.end().map(engine::EndReason::as_str),
        items_completed: exam.items_completed(),
        theta,
        standard_error,
        score: exam.score(),
        bank_version: &head.bank_version,
        engine_version: &head.engine_version,
    }
}

fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}
