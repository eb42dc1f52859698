//! Problems: errors as clients read them, `application/problem+json` (RFC 9457) with a stable `code`.
//!
//! Input: errors of the flow and of access control. Output: a response. Only this module maps errors to HTTP status
//! codes. A 5xx tells the client what to do and hides internals, which are logged here, once. Must not know: how an
//! error arose.

use crate::access::auth::Denied;
use crate::flow;
use crate::http::exams::reply::ItemReply;
use crate::records;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contract::Fault;
use serde::Serialize;
use std::num::NonZeroU32;
use std::time::Duration;

/// Retry-After while the database of record is unavailable, in seconds.
const RETRY_AFTER: NonZeroU32 = NonZeroU32::MIN;

/// A problem.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// Stable code, for programs.
    pub code: &'static str,
    detail: Box<str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// The current item, where it helps the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Box<ItemReply>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<&'static str>,
    /// Retry-After, in seconds.
    #[serde(skip)]
    wait: Option<NonZeroU32>,
}

impl Problem {
    /// A problem without optional fields.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            code,
            detail: detail.into().into_boxed_str(),
            errors: Vec::new(),
            item: None,
            termination_reason: None,
            wait: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER),
        }
    }

    /// The caller lacks a right.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Fields that this caller may not send.
    pub fn not_yours(faults: Vec<Fault>) -> Self {
        let mut problem = Self::forbidden("the request holds what a student may not say; see errors");
        problem.errors = faults;
        problem
    }

    /// The caller exceeded the rate limit.
    fn too_many_requests(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        let detail = format!("too many requests; come again in {seconds} s");
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
        problem.wait = NonZeroU32::new(seconds);
        problem
    }

    /// Invalid fields, each named.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.len() {
            1 => "one field is wrong; see errors".to_owned(),
            count => format!("{count} fields are wrong; see errors"),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail);
        problem.errors = faults;
        problem
    }

    /// An internal error.
    pub fn internal() -> Self {
        let detail = "the service failed on this request; it has been logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    fn unavailable() -> Self {
        let detail = "the database of record does not answer; nothing is lost, send the same request again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail)
    }

    /// The deadline passed. The request may have been executed; a retry returns its result.
    pub fn too_slow() -> Self {
        let detail = "the request took too long; send the same request again to learn what became of it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.wait;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, seconds.get().into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthorized(detail) => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail),
            Denied::Forbidden(detail) => Self::forbidden(detail),
            Denied::TooManyRequests(wait) => Self::too_many_requests(wait),
        }
    }
}

impl From<flow::Error> for Problem {
    fn from(error: flow::Error) -> Self {
        let detail = error.to_string();
        match error {
            flow::Error::UnknownExam(_) => Self::new(StatusCode::NOT_FOUND, "exam_not_found", detail),
            flow::Error::Invalid(faults) => Self::invalid(faults),
            flow::Error::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            flow::Error::NotCurrent(exam) => {
                let problem = Self::new(StatusCode::CONFLICT, "not_current_item", detail);
                Self { item: ItemReply::current(&exam).map(Box::new), ..problem }
            }
            flow::Error::AlreadyAnswered(exam) => {
                let problem = Self::new(StatusCode::CONFLICT, "already_answered", detail);
                Self { item: ItemReply::current(&exam).map(Box::new), ..problem }
            }
            flow::Error::Paused => Self::new(StatusCode::CONFLICT, "exam_paused", detail),
            flow::Error::NoAttemptLeft(_) => Self::new(StatusCode::CONFLICT, "no_attempt_left", detail),
            flow::Error::Held(_) => Self::new(StatusCode::CONFLICT, "time_ran_out_in_outage", detail),
            flow::Error::Ended(reason) => {
                let problem = Self::new(StatusCode::GONE, "exam_finished", detail);
                Self { termination_reason: Some(reason.as_str()), ..problem }
            }
            flow::Error::Records(records::Error::Unavailable(source)) => {
                tracing::error!(error = %source, "the database of record does not answer");
                Self::unavailable()
            }
            flow::Error::Records(records::Error::Damaged(reason)) => {
                tracing::error!(reason, "the database of record holds something unreadable");
                Self::internal()
            }
        }
    }
}
