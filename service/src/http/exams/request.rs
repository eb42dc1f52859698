//! Request parsing: bytes to typed values; every fault is reported at once.
//!
//! Input: headers, a body, a query. Output: typed values, or a problem. Unknown fields are faults. Must not know:
//! the state of exams.

use crate::access::caller::{Caller, Role};
use crate::exam::item::Submitted;
use crate::export::{Format, Layout, What};
use crate::flow::{Answer, By, Start};
use crate::http::problem::Problem;
use crate::records::{Examinee, ExternalId, Filter, period};
use axum::http::{HeaderMap, StatusCode, header};
use contract::{Fault, Fields};
use serde_json::{Map, Value};

/// Longest `Idempotency-Key`, in bytes.
const KEY_LIMIT: usize = 255;
/// Largest page of a list.
const PAGE_LIMIT: i64 = 500;
/// Names of the choice field: ours, and those of the predecessor.
const CHOICE_NAMES: [&str; 3] = ["choice", "selected_choice", "submitted_answer"];

/// Most seconds of an extension.
const MOST: u32 = 604_800;
const SECONDS: &str = "must be 1 to 604800";

/// Fields of a start that students may not send.
pub const TRUSTED: [&str; 5] = ["max_items", "initial_theta", "student_id", "class_id", "extra_time"];

/// Reads the body of `POST /start`.
///
/// # Errors
/// Every fault of the body and of the `Idempotency-Key`, or fields that this caller may not send.
pub fn start(caller: &Caller, headers: &HeaderMap, body: &[u8]) -> Result<Start, Problem> {
    allow(caller.may_sit(), "proctors start no exams")?;
    let body = json(headers, body)?;
    students_do_not_say(caller, &body, &TRUSTED)?;
    read(body, |fields| {
        let exam_type = fields.required("exam_type").unwrap_or_default();
        let max_items: Option<u32> = fields.optional("max_items");
        let in_range = max_items.is_none_or(|count| (1..=500).contains(&count));
        fields.expect("max_items", in_range, "must be 1 to 500");
        let initial_theta: Option<f64> = fields.optional("initial_theta");
        let in_range = initial_theta.is_none_or(|theta| (-6.0..=6.0).contains(&theta));
        fields.expect("initial_theta", in_range, "must be -6 to 6");
        let extra_time = fields.or("extra_time", caller.extra_time);
        fields.expect("extra_time", (0.0..=2.0).contains(&extra_time), "must be 0 to 2");
        let subject = caller.subject.as_deref().filter(|_| caller.role == Role::Student);
        let examinee = Examinee {
            student_id: reference(fields, "student_id"),
            class_id: reference(fields, "class_id"),
            subject: subject.map(str::to_owned),
        };
        let idempotency_key = idempotency_key(headers, fields);
        Start { exam_type, max_items, initial_theta, examinee, extra_time, idempotency_key }
    })
}

/// Reads the body of `POST /answer`.
///
/// # Errors
/// Every fault of the body, or fields that this caller may not send.
pub fn answer(caller: &Caller, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Problem> {
    allow(caller.may_sit(), "proctors answer nobody's exam")?;
    let body = json(headers, body)?;
    students_do_not_say(caller, &body, &["correct"])?;
    read(body, |fields| {
        let exam = fields.required("exam_session_id").unwrap_or_default();
        let item = fields.required("item_id").unwrap_or_default();
        let submitted = submitted(fields);
        let response_time_ms = fields.optional("response_time_ms");
        Answer { exam, item, submitted, response_time_ms }
    })
}

/// Reads a body that holds only the id of an exam.
///
/// # Errors
/// Every fault of the body.
pub fn one_exam(headers: &HeaderMap, body: &[u8]) -> Result<i64, Problem> {
    read(json(headers, body)?, |fields| fields.required("exam_session_id").unwrap_or_default())
}

/// The exams to extend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One exam.
    One(i64),
    /// Every open exam, or those of one type.
    All(Option<String>),
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The exams.
    pub whose: Whose,
    /// By how much; a number of seconds for all exams always comes with a key.
    pub by: By,
}

/// Reads the body of `POST /extend`.
///
/// # Errors
/// Every fault of the body and of the `Idempotency-Key`.
pub fn extension(headers: &HeaderMap, body: &[u8]) -> Result<Extension, Problem> {
    read(json(headers, body)?, |fields| {
        let one: Option<i64> = fields.optional("exam_session_id");
        let exam_type: Option<String> = fields.optional("exam_type");
        let all = fields.or("all", false);
        let outage = fields.or("outage", false);
        let seconds: Option<u32> = fields.optional("seconds");
        fields.expect("seconds", outage != seconds.is_some(), "send either seconds, or outage = true");
        fields.expect("seconds", seconds.is_none_or(|seconds| (1..=MOST).contains(&seconds)), SECONDS);
        let key = idempotency_key(headers, fields);
        let named = usize::from(one.is_some()) + usize::from(exam_type.is_some()) + usize::from(all);
        fields.expect("exam_session_id", named == 1, "send one of exam_session_id, exam_type and all = true");
        let needed = outage || one.is_some() || headers.contains_key("idempotency-key");
        fields.expect(
            "Idempotency-Key",
            needed,
            "is required: with it, repeating this gives nobody time twice",
        );
        let whose = one.map_or(Whose::All(exam_type), Whose::One);
        Extension { whose, by: seconds.map_or(By::Outage, |seconds| By::Seconds(seconds, key)) }
    })
}

/// Reads the body of `POST /reopen`: the exam, and the seconds it has from now.
///
/// # Errors
/// Every fault of the body.
pub fn reopening(headers: &HeaderMap, body: &[u8]) -> Result<(i64, u32), Problem> {
    read(json(headers, body)?, |fields| {
        let exam = fields.required("exam_session_id").unwrap_or_default();
        let seconds = fields.required("seconds").unwrap_or(1);
        fields.expect("seconds", (1..=MOST).contains(&seconds), SECONDS);
        (exam, seconds)
    })
}

/// Refuses what the caller may not do.
///
/// # Errors
/// 403, with this detail.
pub fn allow(good: bool, detail: &str) -> Result<(), Problem> {
    if good { Ok(()) } else { Err(Problem::forbidden(detail)) }
}

/// Refuses fields that only trusted callers may send, each by name.
fn students_do_not_say(caller: &Caller, body: &Value, fields: &[&str]) -> Result<(), Problem> {
    let said = fields.iter().filter(|field| body.get(**field).is_some_and(|value| !value.is_null()));
    let fault = |field: &&str| Fault {
        field: (*field).to_owned(),
        message: "is not accepted from a student's token".to_owned(),
    };
    let faults: Vec<Fault> = said.filter(|_| caller.role == Role::Student).map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(Problem::not_yours(faults)) }
}

/// Reads `?exam_session_id=`.
///
/// # Errors
/// Every fault of the query.
pub fn exam_id(query: Option<String>) -> Result<i64, Problem> {
    read(parameters(query), |fields| number(fields, "exam_session_id", true).unwrap_or_default())
}

/// Reads the query of `GET /exams`.
///
/// # Errors
/// Every fault of the query.
pub fn filter(query: Option<String>) -> Result<Filter, Problem> {
    read(parameters(query), |fields| {
        let status: Option<String> = fields.optional("status");
        let ended = status.as_deref().map(|status| status == "completed");
        let known = matches!(status.as_deref(), None | Some("in_progress" | "completed"));
        fields.expect("status", known, "must be in_progress or completed");
        let limit = number(fields, "limit", false).unwrap_or(100);
        fields.expect("limit", (1..=PAGE_LIMIT).contains(&limit), format!("must be 1 to {PAGE_LIMIT}"));
        Filter {
            ended,
            exam_type: fields.optional("exam_type"),
            student_id: fields.optional("student_id"),
            class_id: fields.optional("class_id"),
            from: from(fields),
            to: to(fields),
            after: number(fields, "after", false).unwrap_or(0),
            limit,
        }
    })
}

/// Parses an untrusted value and collects every fault.
///
/// # Errors
/// All faults.
pub fn read<T>(value: Value, read: impl FnOnce(&mut Fields<'_>) -> T) -> Result<T, Problem> {
    if holds_nul(&value) {
        // PostgreSQL cannot store this character.
        let message = "must not hold the character U+0000".to_owned();
        return Err(Problem::invalid(vec![Fault { field: String::new(), message }]));
    }
    let mut faults = Vec::new();
    let mut fields = Fields::open(value, &mut faults);
    let read = read(&mut fields);
    fields.finish();
    if faults.is_empty() { Ok(read) } else { Err(Problem::invalid(faults)) }
}

fn json(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        let detail = "send the body as JSON, with the header Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {error}"))
    })
}

/// A query as an object of strings; a repeated name becomes an array, which every parser refuses.
pub fn parameters(query: Option<String>) -> Value {
    let query = query.unwrap_or_default();
    let mut map = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Value::String(value.into_owned());
        match map.get_mut(name.as_ref()) {
            Some(kept) => *kept = Value::Array(vec![kept.take(), value]),
            None => drop(map.insert(name.into_owned(), value)),
        }
    }
    Value::Object(map)
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Reads the query of `GET /export`.
///
/// # Errors
/// Every fault of the query.
pub fn export(query: Option<String>) -> Result<(Filter, What, Format), Problem> {
    read(parameters(query), |fields| {
        let what: Option<String> = fields.optional("what");
        let known = matches!(what.as_deref(), None | Some("answers" | "exams"));
        fields.expect("what", known, "must be answers or exams");
        let format: Option<String> = fields.optional("format");
        let known = matches!(format.as_deref(), None | Some("csv" | "jsonl"));
        fields.expect("format", known, "must be csv or jsonl");
        let filter = Filter {
            exam_type: fields.optional("exam_type"),
            student_id: fields.optional("student_id"),
            class_id: fields.optional("class_id"),
            from: from(fields),
            to: to(fields),
            ..Filter::default()
        };
        let what = if what.as_deref() == Some("exams") { What::Exams } else { What::Answers };
        let layout = layout(fields, format.as_deref());
        let format = if format.as_deref() == Some("jsonl") { Format::JsonLines } else { Format::Csv(layout) };
        (filter, what, format)
    })
}

/// How CSV is written: `for` and `locale`.
fn layout(fields: &mut Fields<'_>, format: Option<&str>) -> Layout {
    let reader: Option<String> = fields.optional("for");
    let language: Option<String> = fields.optional("locale");
    let excel = match reader.as_deref() {
        None => None,
        Some("excel") => Layout::excel(language.as_deref().unwrap_or("en")),
        Some(_) => {
            fields.fault("for", "must be excel");
            return Layout::PLAIN;
        }
    };
    let is_csv = reader.is_none() || format != Some("jsonl");
    fields.expect("for", is_csv, "is for the format csv");
    fields.expect("locale", language.is_none() || reader.is_some(), "comes with for=excel");
    let is_known = reader.is_none() || excel.is_some();
    fields.expect("locale", is_known, format!("must be one of {}", Layout::languages()));
    excel.unwrap_or(Layout::PLAIN)
}

/// The start of a period, in milliseconds since 1970 UTC.
fn from(fields: &mut Fields<'_>) -> Option<i64> {
    period(fields, "from").map(|period| period.0)
}

/// The end of a period, in milliseconds since 1970 UTC.
fn to(fields: &mut Fields<'_>) -> Option<i64> {
    period(fields, "to").map(|period| period.1)
}

fn period(fields: &mut Fields<'_>, name: &str) -> Option<(i64, i64)> {
    let text: String = fields.optional(name)?;
    let read = period::read(&text).map_err(|reason| fields.fault(name, reason));
    read.ok()
}

fn number(fields: &mut Fields<'_>, name: &str, required: bool) -> Option<i64> {
    let text: Option<String> = if required { fields.required(name) } else { fields.optional(name) };
    let parsed = text?.parse().ok();
    fields.expect(name, parsed.is_some(), "must be a whole number");
    parsed
}

fn reference(fields: &mut Fields<'_>, name: &str) -> Option<ExternalId> {
    let given: Value = fields.optional(name)?;
    let id: Option<ExternalId> = serde_json::from_value(given).ok().filter(ExternalId::is_valid);
    fields.expect(name, id.is_some(), ExternalId::FORM);
    id
}

fn submitted(fields: &mut Fields<'_>) -> Submitted {
    let ways = CHOICE_NAMES.into_iter().chain(["correct", "omitted"]);
    let named: Vec<&str> = ways.filter(|name| fields.has(name)).collect();
    let correct: Option<bool> = fields.optional("correct");
    let omitted: Option<bool> = fields.optional("omitted");
    fields.expect("omitted", omitted != Some(false), "must be true, or left out");
    let choices: Vec<Option<u8>> = CHOICE_NAMES.into_iter().map(|name| choice(fields, name)).collect();
    match named.as_slice() {
        [] => fields.fault("choice", "is required: choice, omitted, or correct from a trusted caller"),
        [_] => {}
        _ => {
            let all = named.join(", ");
            fields.fault("choice", format!("came more than once ({all}); send one of them"));
        }
    }
    match (choices.into_iter().flatten().next(), correct) {
        (Some(choice), _) => Submitted::Choice(choice),
        (None, Some(correct)) => Submitted::Correct(correct),
        (None, None) => Submitted::Omitted,
    }
}

/// The number of a choice, as a JSON number or a numeric string.
fn choice(fields: &mut Fields<'_>, name: &str) -> Option<u8> {
    let value: Value = fields.optional(name)?;
    let number = match &value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    let choice = number.and_then(|number| u8::try_from(number).ok()).filter(|choice| *choice > 0);
    fields.expect(name, choice.is_some(), "must be the number of a choice, from 1");
    choice
}

fn idempotency_key(headers: &HeaderMap, fields: &mut Fields<'_>) -> Option<String> {
    let value = headers.get("idempotency-key")?;
    let key = value.to_str().ok().map(str::trim).filter(|key| (1..=KEY_LIMIT).contains(&key.len()));
    if key.is_none() {
        fields.fault("Idempotency-Key", format!("must be 1 to {KEY_LIMIT} visible ASCII characters"));
    }
    key.map(str::to_owned)
}

/// The problem of an unknown path.
pub fn unknown_path(path: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {path}"))
}

/// The problem of a method that a path does not support.
pub fn wrong_method(method: &str, path: &str) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} does not take {method}"),
    )
}
