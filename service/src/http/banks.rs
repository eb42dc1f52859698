//! HTTP for banks: import, list, survey. For admins only. Replies contain neither keys nor parameters.
//!
//! Input: a bank as CSV, or as JSON with the same columns. Output: the stored version, and every quarantined row
//! with its reasons. Import is idempotent. Must not know: exams.

use super::extract::CurrentState;
use crate::exam::bank::survey::{self, Survey};
use crate::exam::bank::{Import, ItemBank};
use crate::flow;
use crate::http::exams::request::{parameters, read};
use crate::http::problem::Problem;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use contract::settings::{BankForm, BankFormat};
use contract::{Fault, Fields};
use serde::Serialize;
use serde_json::{Map, Value};

/// Reply of `PUT /banks`.
#[derive(Debug, Serialize)]
pub struct ImportReply {
    version: String,
    items: usize,
    scaling: f64,
    kept: bool,
    quarantined: Vec<Fault>,
    ignored_columns: Vec<String>,
    notices: Vec<Fault>,
    warnings: Vec<Junk>,
}

/// Reply of `GET /banks`.
#[derive(Debug, Serialize)]
pub struct BanksReply {
    banks: Vec<ListedBank>,
}

#[derive(Debug, Serialize)]
struct ListedBank {
    version: String,
    items: usize,
    scaling: f64,
    names: Vec<String>,
    exam_types: Vec<String>,
}

/// Reply of `GET /banks/{version}`.
#[derive(Debug, Serialize)]
pub struct SurveyReply {
    version: String,
    items: usize,
    scaling: f64,
    curve: Vec<At>,
    gaps: Vec<f64>,
    junk: Vec<Junk>,
}

#[derive(Debug, Serialize)]
struct At {
    theta: f64,
    information: f64,
    standard_error: f64,
}

#[derive(Debug, Serialize)]
struct Junk {
    item_id: String,
    reason: String,
}

/// `PUT /banks`
pub async fn import(
    CurrentState(live): CurrentState,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<ImportReply>, Problem> {
    let Asked { scaling, form, dry_run } = read(parameters(query), asked)?;
    let (bytes, scaling, is_json) = match kind(&headers) {
        Some(Kind::Csv) => (bytes.to_vec(), scaling, false),
        Some(Kind::Json) => {
            let (text, in_body) = rows(&bytes)?;
            (text.into_bytes(), scaling.or(in_body), true)
        }
        None => {
            let detail = "send the bank as text/csv or as application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_bank", detail));
        }
    };
    let Some(scaling) = scaling.or((form.format == BankFormat::Mirt).then_some(1.0)) else {
        let message = "is required: D of the calibration, 1, 1.7 or 1.702".to_owned();
        return Err(Problem::invalid(vec![Fault { field: "scaling".to_owned(), message }]));
    };
    let form = BankForm { scaling, ..form };
    let place = |fault: Fault| if is_json { in_json(fault) } else { fault };
    // CPU-bound for a bank of thousands of items.
    let made = tokio::task::spawn_blocking(move || ItemBank::from_csv(&bytes, &form)).await;
    let made = made.map_err(|_| Problem::internal())?;
    let Import { bank, quarantined, ignored, notices } =
        made.map_err(|faults| Problem::invalid(faults.into_iter().map(place).collect()))?;
    if !dry_run {
        live.flow.records.keep_bank(bank.version(), bank.body()).await.map_err(flow::Error::from)?;
        tracing::info!(bank = bank.version(), items = bank.len(), "a bank was imported");
    }
    Ok(Json(ImportReply {
        version: bank.version().to_owned(),
        items: bank.len(),
        scaling,
        kept: !dry_run,
        quarantined: quarantined.into_iter().map(place).collect(),
        ignored_columns: ignored,
        notices: notices.into_iter().map(place).collect(),
        warnings: survey::warnings(&bank).iter().map(junk).collect(),
    }))
}

/// `GET /banks`
pub async fn list(CurrentState(live): CurrentState) -> Result<Json<BanksReply>, Problem> {
    let flow = &live.flow;
    let mut banks = Vec::new();
    for version in flow.records.banks().await.map_err(flow::Error::from)? {
        let bank = flow.catalogue.bank(&version, &flow.records).await.map_err(flow::Error::from)?;
        let (names, exam_types) = flow.catalogue.uses(&version);
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        banks.push(ListedBank {
            items: bank.len(),
            scaling: bank.measures().scaling(),
            names: owned(names),
            exam_types: owned(exam_types),
            version,
        });
    }
    Ok(Json(BanksReply { banks }))
}

/// `GET /banks/{version}`
pub async fn survey(
    CurrentState(live): CurrentState,
    version: Result<Path<String>, PathRejection>,
) -> Result<Json<SurveyReply>, Problem> {
    let version = version.map(|Path(version)| version).unwrap_or_default();
    let is_one = version.len() == 16 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let body = match is_one {
        true => live.flow.records.bank(&version).await.map_err(flow::Error::from)?,
        false => None,
    };
    let Some(body) = body else {
        let detail = "there is no bank of this version".to_owned();
        return Err(Problem::new(StatusCode::NOT_FOUND, "bank_not_found", detail));
    };
    let survey =
        tokio::task::spawn_blocking(move || ItemBank::from_body(&body).map(|bank| Survey::of(&bank)));
    let survey = survey.await.map_err(|_| Problem::internal())?.map_err(|_| Problem::internal())?;
    let at = |(theta, information, standard_error): &(f64, f64, f64)| At {
        theta: *theta,
        information: *information,
        standard_error: *standard_error,
    };
    Ok(Json(SurveyReply {
        version,
        items: survey.items(),
        scaling: survey.scaling(),
        curve: survey.curve().iter().map(at).collect(),
        gaps: survey.gaps(),
        junk: survey.junk().iter().map(junk).collect(),
    }))
}

fn junk((item_id, reason): &(String, String)) -> Junk {
    Junk { item_id: item_id.clone(), reason: reason.clone() }
}

/// The parameters of an import.
struct Asked {
    scaling: Option<f64>,
    form: BankForm,
    dry_run: bool,
}

fn asked(fields: &mut Fields<'_>) -> Asked {
    let given = fields.has("scaling");
    let text: Option<String> = fields.optional("scaling");
    let scaling =
        text.and_then(|text| text.parse::<f64>().ok()).filter(|scaling| *scaling > 0.0 && *scaling <= 10.0);
    fields.expect("scaling", scaling.is_some() || !given, "must be above 0 and at most 10");
    let format = fields.or("format", BankFormat::default());
    let columns: String = fields.or("columns", String::new());
    let columns = columns.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let columns = columns.collect();
    let encoding = fields.optional("encoding");
    let dry_run = fields.optional::<String>("dry_run");
    let known = matches!(dry_run.as_deref(), None | Some("true" | "false"));
    fields.expect("dry_run", known, "must be true or false");
    let form = BankForm { scaling: 1.0, format, columns, encoding };
    Asked { scaling, form, dry_run: dry_run.as_deref() == Some("true") }
}

enum Kind {
    Csv,
    Json,
}

fn kind(headers: &HeaderMap) -> Option<Kind> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match value.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/csv" => Some(Kind::Csv),
        "application/json" => Some(Kind::Json),
        _ => None,
    }
}

/// Converts a JSON bank, `{"scaling": 1.7, "items": [{column: value}]}`, to CSV rows.
fn rows(bytes: &[u8]) -> Result<(String, Option<f64>), Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {error}"))
    })?;
    let (items, scaling) = read(value, |fields| {
        let scaling: Option<f64> = fields.optional("scaling");
        let good = scaling.is_none_or(|scaling| scaling > 0.0 && scaling <= 10.0);
        fields.expect("scaling", good, "must be above 0 and at most 10");
        let items: Vec<Map<String, Value>> = fields.required("items").unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            for (name, value) in item.iter().filter(|(_, value)| value.is_array() || value.is_object()) {
                fields.fault(
                    &format!("items[{index}].{name}"),
                    format!("must be a text or a number, not {value:.40}"),
                );
            }
        }
        (items, scaling)
    })?;
    let mut columns: Vec<&String> = items.iter().flat_map(Map::keys).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(&columns).and_then(|()| {
        items.iter().try_for_each(|item| {
            writer.write_record(columns.iter().map(|name| match item.get(*name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }))
        })
    });
    let text = written.ok().and_then(|()| String::from_utf8(writer.into_inner().ok()?).ok());
    Ok((text.ok_or_else(Problem::internal)?, scaling))
}

/// The field of a fault in a JSON body: line 2 of the CSV is the first item.
fn in_json(fault: Fault) -> Fault {
    let item = fault.field.strip_prefix("line ").and_then(|line| line.parse::<usize>().ok()?.checked_sub(2));
    Fault { field: item.map_or(fault.field, |item| format!("items[{item}]")), ..fault }
}
