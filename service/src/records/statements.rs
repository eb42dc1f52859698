//! The write statements: four, which SQLite executes in one transaction, and PostgreSQL as parts of a single
//! statement.
//!
//! Input: rows. Output: which events were inserted. SQLite receives rows as JSON and PostgreSQL as arrays, so that
//! the number of rows does not change the statement. Must not know: write requests, what a conflict means.

use crate::records::dedicated::Dedicated;
use crate::records::pool::Pool;
use crate::records::transaction_pooling::TransactionPool;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Executor, Postgres, SqlitePool};
use std::sync::LazyLock;

/// A new exam and its examinee.
#[derive(Debug, Serialize)]
pub(super) struct ExamRow<'w> {
    pub id: i64,
    pub exam_type: &'w str,
    pub policy: String,
    pub bank_version: &'w str,
    pub seed: i64,
    pub engine_version: &'w str,
    pub started_at: i64,
    pub idempotency_key: &'w str,
    pub fingerprint: &'w str,
    pub ended_at: Option<i64>,
    pub expires_at: i64,
    pub terms: Option<String>,
    pub student_id: Option<i64>,
    pub class_id: Option<i64>,
    pub student: Option<&'w str>,
    pub class: Option<&'w str>,
    pub subject: Option<&'w str>,
    pub slot: Option<&'w str>,
    /// Whether there is a row in `examinees`.
    pub has_examinee: bool,
}

/// An event. The first event of an exam has no `before`.
#[derive(Debug, Serialize)]
pub(super) struct EventRow<'w> {
    pub exam_id: i64,
    pub seq: i64,
    pub at: i64,
    pub kind: &'static str,
    pub body: &'w str,
    pub hash: &'w str,
    pub recovered: i64,
    pub before: Option<&'w str>,
    /// When the exam ended, if this event ends it.
    pub ended_at: Option<i64>,
    /// Whether it changes the expiry of the exam.
    pub is_timing: bool,
    pub expires_at: Option<i64>,
}

impl EventRow<'_> {
    /// Whether it also updates the row of the exam.
    fn is_change(&self) -> bool {
        self.is_timing || self.ended_at.is_some()
    }
}

/// Input rows in PostgreSQL: one array for each column.
const ROWS_OF_POSTGRES: &str = "\
WITH new_events AS (SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], \
$7::BIGINT[], $8::TEXT[], $9::BIGINT[], $10::BOOLEAN[], $11::BIGINT[]) \
AS row (exam_id, seq, at, kind, body, hash, recovered, before, ended_at, is_timing, expires_at))";
const EXAMS_OF_POSTGRES: &str = ", \
new_exams AS (SELECT * FROM UNNEST($12::BIGINT[], $13::TEXT[], $14::TEXT[], $15::TEXT[], $16::BIGINT[], $17::TEXT[], \
$18::BIGINT[], $19::TEXT[], $20::TEXT[], $21::BIGINT[], $22::BIGINT[], $23::TEXT[], $24::BIGINT[], $25::BIGINT[], \
$26::TEXT[], $27::TEXT[], $28::BOOLEAN[], $29::TEXT[], $30::TEXT[]) \
AS row (id, exam_type, policy, bank_version, seed, engine_version, started_at, idempotency_key, fingerprint, ended_at, \
expires_at, terms, student_id, class_id, subject, slot, has_examinee, student, class))";

/// Input rows in SQLite, and which of them an earlier statement of the transaction has inserted.
const ROWS_OF_SQLITE: &str = "\
WITH new_events AS MATERIALIZED (SELECT value->>'exam_id' AS exam_id, value->>'seq' AS seq, value->>'at' AS at, \
value->>'kind' AS kind, value->>'body' AS body, value->>'hash' AS hash, value->>'recovered' AS recovered, \
value->>'before' AS before, value->>'ended_at' AS ended_at, value->>'is_timing' AS is_timing, \
value->>'expires_at' AS expires_at FROM json_each($1)), \
appended AS MATERIALIZED (SELECT events.exam_id, events.seq FROM new_events AS new JOIN events ON events.exam_id = new.exam_id \
AND events.seq = new.seq AND events.hash = new.hash) ";
const EXAMS_OF_SQLITE: &str = ", \
new_exams AS MATERIALIZED (SELECT value->>'id' AS id, value->>'exam_type' AS exam_type, value->>'policy' AS policy, \
value->>'bank_version' AS bank_version, value->>'seed' AS seed, value->>'engine_version' AS engine_version, \
value->>'started_at' AS started_at, value->>'idempotency_key' AS idempotency_key, \
value->>'fingerprint' AS fingerprint, value->>'ended_at' AS ended_at, value->>'expires_at' AS expires_at, \
value->>'terms' AS terms, value->>'student_id' AS student_id, value->>'class_id' AS class_id, \
value->>'subject' AS subject, value->>'slot' AS slot, value->>'has_examinee' AS has_examinee, value->>'student' AS student, value->>'class' AS class FROM json_each($2)), \
made AS MATERIALIZED (SELECT id FROM exams WHERE id IN (SELECT id FROM new_exams)) ";

/// An exam whose key or slot is taken is not inserted; an exam without a slot always is.
const EXAMS: &str = "\
INSERT INTO exams (id, exam_type, policy, bank_version, seed, engine_version, started_at, idempotency_key, fingerprint, \
ended_at, expires_at, terms) \
SELECT id, exam_type, policy, bank_version, seed, engine_version, started_at, idempotency_key, fingerprint, ended_at, \
expires_at, terms FROM new_exams AS new \
WHERE NOT EXISTS (SELECT 1 FROM examinees WHERE examinees.slot = new.slot) \
ON CONFLICT (idempotency_key) DO NOTHING RETURNING id";

/// If two services insert the same slot at the same time, the later transaction fails and is retried.
const EXAMINEES: &str = "\
INSERT INTO examinees (exam_id, student_id, class_id, subject, slot, student, class) \
SELECT new.id, student_id, class_id, subject, slot, student, class FROM new_exams AS new JOIN made ON made.id = new.id \
WHERE has_examinee";

/// The first event of an exam is inserted with the exam.
const FIRST: &str = "\
SELECT new.exam_id, new.seq, new.at, new.kind, new.body, new.hash, new.recovered \
FROM new_events AS new JOIN made ON made.id = new.exam_id WHERE new.before IS NULL UNION ALL ";

const INTO_EVENTS: &str = "INSERT INTO events (exam_id, seq, at, kind, body, hash, recovered) ";

/// The compare-and-set: an event is inserted only after the event that its hash covers. An event decided on an
/// outdated exam, or on events that the database has lost, is a conflict.
const FOLLOWING: &str = "\
SELECT new.exam_id, new.seq, new.at, new.kind, new.body, new.hash, new.recovered \
FROM new_events AS new JOIN events AS last ON last.exam_id = new.exam_id AND last.seq = new.seq - 1 \
AND last.hash = new.before WHERE true ON CONFLICT (exam_id, seq) DO NOTHING RETURNING exam_id, seq";

/// Columns of the exam that lists and the expiry job read. An exam is open after a change of its time.
const CHANGES: &str = "\
UPDATE exams SET ended_at = CASE WHEN new.is_timing THEN NULL ELSE COALESCE(new.ended_at, exams.ended_at) END, \
expires_at = CASE WHEN new.is_timing THEN new.expires_at ELSE exams.expires_at END \
FROM new_events AS new JOIN appended ON appended.exam_id = new.exam_id AND appended.seq = new.seq \
WHERE exams.id = new.exam_id AND (new.ended_at IS NOT NULL OR new.is_timing)";

/// The events that this statement inserted.
const DONE: &str = "SELECT exam_id, seq FROM appended";

struct OfPostgres {
    plain: String,
    changes: String,
    all: String,
}

static OF_POSTGRES: LazyLock<OfPostgres> = LazyLock::new(|| OfPostgres {
    plain: format!("{ROWS_OF_POSTGRES} {INTO_EVENTS}{FOLLOWING}"),
    changes: format!(
        "{ROWS_OF_POSTGRES}, appended AS ({INTO_EVENTS}{FOLLOWING}), changed AS ({CHANGES}) {DONE}"
    ),
    all: format!(
        "{ROWS_OF_POSTGRES}{EXAMS_OF_POSTGRES}, made AS ({EXAMS}), known AS ({EXAMINEES}), \
         appended AS ({INTO_EVENTS}{FIRST}{FOLLOWING}), changed AS ({CHANGES}) {DONE}"
    ),
});

struct OfSqlite {
    exams: String,
    examinees: String,
    first: String,
    following: String,
    changes: String,
}

static OF_SQLITE: LazyLock<OfSqlite> = LazyLock::new(|| OfSqlite {
    exams: format!("{ROWS_OF_SQLITE}{EXAMS_OF_SQLITE}{EXAMS}"),
    examinees: format!("{ROWS_OF_SQLITE}{EXAMS_OF_SQLITE}{EXAMINEES}"),
    first: format!("{ROWS_OF_SQLITE}{EXAMS_OF_SQLITE}{INTO_EVENTS}{FIRST}{FOLLOWING}"),
    following: format!("{ROWS_OF_SQLITE}{INTO_EVENTS}{FOLLOWING}"),
    changes: format!("{ROWS_OF_SQLITE}{CHANGES}"),
});

/// Writes rows in one transaction and returns the inserted events by exam and seq. An exam was inserted if its
/// first event was.
pub(super) async fn write(
    connection: &mut Dedicated,
    exams: &[ExamRow<'_>],
    events: &[EventRow<'_>],
) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    match connection.pool() {
        Pool::Sqlite(pool) => in_turn(&pool, exams, events).await,
        Pool::Postgres(pool) => {
            let mut held = connection.take(&pool).await?;
            let appended = at_once(&mut *held, exams, events).await?;
            connection.give_back(held);
            Ok(appended)
        }
        Pool::TransactionPooled(pool) => at_once(TransactionPool(&pool), exams, events).await,
    }
}

async fn at_once<'p>(
    pool: impl Executor<'p, Database = Postgres>,
    exams: &[ExamRow<'_>],
    events: &[EventRow<'_>],
) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let OfPostgres { plain, changes, all } = &*OF_POSTGRES;
    let text = match exams {
        [_, ..] => all,
        [] if events.iter().any(EventRow::is_change) => changes,
        [] => plain,
    };
    macro_rules! column {
        ($rows:ident.$name:ident) => {
            $rows.iter().map(|row| row.$name).collect::<Vec<_>>()
        };
    }
    let mut query = sqlx::query_as(AssertSqlSafe(text.as_str()))
        .bind(column!(events.exam_id))
        .bind(column!(events.seq))
        .bind(column!(events.at))
        .bind(column!(events.kind))
        .bind(column!(events.body))
        .bind(column!(events.hash))
        .bind(column!(events.recovered))
        .bind(column!(events.before))
        .bind(column!(events.ended_at))
        .bind(column!(events.is_timing))
        .bind(column!(events.expires_at));
    if !exams.is_empty() {
        query = query
            .bind(column!(exams.id))
            .bind(column!(exams.exam_type))
            .bind(exams.iter().map(|row| row.policy.as_str()).collect::<Vec<_>>())
            .bind(column!(exams.bank_version))
            .bind(column!(exams.seed))
            .bind(column!(exams.engine_version))
            .bind(column!(exams.started_at))
            .bind(column!(exams.idempotency_key))
            .bind(column!(exams.fingerprint))
            .bind(column!(exams.ended_at))
            .bind(column!(exams.expires_at))
            .bind(exams.iter().map(|row| row.terms.as_deref()).collect::<Vec<_>>())
            .bind(column!(exams.student_id))
            .bind(column!(exams.class_id))
            .bind(column!(exams.subject))
            .bind(column!(exams.slot))
            .bind(column!(exams.has_examinee))
            .bind(column!(exams.student))
            .bind(column!(exams.class));
    }
    query.fetch_all(pool).await
}

async fn in_turn(
    pool: &SqlitePool,
    exams: &[ExamRow<'_>],
    events: &[EventRow<'_>],
) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let OfSqlite { exams: first_exams, examinees, first, following, changes } = &*OF_SQLITE;
    let of_events = json(events);
    let is_change = events.iter().any(EventRow::is_change);
    if exams.is_empty() && !is_change {
        return sqlx::query_as(AssertSqlSafe(following.as_str())).bind(of_events).fetch_all(pool).await;
    }
    let mut transaction = pool.begin().await?;
    let appended = if exams.is_empty() {
        let query = sqlx::query_as(AssertSqlSafe(following.as_str())).bind(&of_events);
        query.fetch_all(&mut *transaction).await?
    } else {
        let of_exams = json(exams);
        for text in [first_exams, examinees] {
            let query = sqlx::query(AssertSqlSafe(text.as_str())).bind(&of_events).bind(&of_exams);
            query.execute(&mut *transaction).await?;
        }
        let query = sqlx::query_as(AssertSqlSafe(first.as_str())).bind(&of_events).bind(&of_exams);
        query.fetch_all(&mut *transaction).await?
    };
    if is_change {
        sqlx::query(AssertSqlSafe(changes.as_str())).bind(&of_events).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(appended)
}

fn json(rows: &[impl Serialize]) -> String {
    serde_json::to_string(rows).expect("rows should have a JSON form")
}
