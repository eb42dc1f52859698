//! HTTP handlers for exams: parse, call the flow, reply. Request bodies are parsed in `request`, replies built in
//! `reply`.
//!
//! Input: requests of authorized callers. Output: replies or problems. Must not know: SQL, Redis.

pub mod reply;
pub mod request;

use super::extract::CurrentState;
use crate::access::caller::Caller;
use crate::exam::Exam;
use crate::exam::time::Timing;
use crate::export::{Export, Format};
use crate::flow::{self, Extended};
use crate::http::problem::Problem;
use crate::live::Live;
use crate::records::{self, ExternalId};
use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use reply::{
    AnswerReply, CompleteReply, ExtendReply, HealthReply, ListReply, NextReply, StartReply, StatusReply,
};
use request::{Extension, Whose};

type Reply<T> = Result<Json<T>, Problem>;

/// `POST /start`
pub async fn start(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<StartReply> {
    let start = request::start(&caller, &headers, &body)?;
    let (exam, origin) = live.flow.start(start).await?;
    Ok(Json(StartReply::of(&exam, origin, caller.view(&exam), live.flow.records.now())))
}

/// `GET /next`: a pure read; the item was chosen and committed with the answer before it.
pub async fn next(
    CurrentState(live): CurrentState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Reply<NextReply> {
    let exam = live.flow.exam(&caller, request::exam_id(query)?).await?;
    Ok(Json(NextReply::of(&exam, caller.view(&exam), live.flow.records.now())))
}

/// `POST /answer`
pub async fn answer(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<AnswerReply> {
    let answer = request::answer(&caller, &headers, &body)?;
    let (exam, seq) = live.flow.answer(&caller, answer).await?;
    let reply = AnswerReply::of(&exam, seq, caller.view(&exam), live.flow.records.now());
    reply.map(Json).ok_or_else(Problem::internal)
}

/// `POST /complete`
pub async fn complete(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<CompleteReply> {
    let exam = live.flow.complete(&caller, request::one_exam(&headers, &body)?).await?;
    Ok(Json(CompleteReply::of(&exam, caller.view(&exam))))
}

/// `GET /status`
pub async fn status(
    CurrentState(live): CurrentState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Reply<StatusReply> {
    let id = request::exam_id(query)?;
    // Concurrent, so that both share one batched query.
    let (exam, student) = tokio::join!(live.flow.exam(&caller, id), live.flow.records.student(id));
    let exam = exam?;
    status_reply(&live, &caller, &exam, student)
}

/// `POST /pause`: for those who run exams.
pub async fn pause(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<StatusReply> {
    let (exam, _) = live.flow.time(request::one_exam(&headers, &body)?, &Timing::Pause).await?;
    status_reply(&live, &caller, &exam, live.flow.records.student(exam.head().id).await)
}

/// `POST /resume`: for those who run exams.
pub async fn resume(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<StatusReply> {
    let (exam, _) = live.flow.time(request::one_exam(&headers, &body)?, &Timing::Resume).await?;
    status_reply(&live, &caller, &exam, live.flow.records.student(exam.head().id).await)
}

/// `POST /extend`: for those who run exams.
pub async fn extend(CurrentState(live): CurrentState, headers: HeaderMap, body: Bytes) -> Reply<ExtendReply> {
    let Extension { whose, by } = request::extension(&headers, &body)?;
    let extended = match whose {
        Whose::One(id) => {
            let changed = live.flow.extend(id, &by).await?;
            Extended { extended: u64::from(changed), before: u64::from(!changed) }
        }
        Whose::All(exam_type) => live.flow.extend_all(exam_type, &by).await?,
    };
    Ok(Json(ExtendReply::of(extended, &by)))
}

/// `POST /reopen`: for admins; an exam that ended by time goes on.
pub async fn reopen(
    CurrentState(live): CurrentState,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply<StatusReply> {
    let (id, seconds) = request::reopening(&headers, &body)?;
    let (exam, _) = live.flow.time(id, &Timing::Reopen(seconds)).await?;
    status_reply(&live, &caller, &exam, live.flow.records.student(id).await)
}

fn status_reply(
    live: &Live,
    caller: &Caller,
    exam: &Exam,
    student: Result<Option<ExternalId>, records::Error>,
) -> Reply<StatusReply> {
    let student = student.map_err(flow::Error::from)?;
    let (view, now) = (caller.view(exam), live.flow.records.now());
    Ok(Json(StatusReply::of(exam, view, now, student, live.flow.store.mode())))
}

/// `GET /exams`: for those who run exams.
pub async fn list(CurrentState(live): CurrentState, RawQuery(query): RawQuery) -> Reply<ListReply> {
    let filter = request::filter(query)?;
    let page = live.flow.records.list(&filter).await.map_err(flow::Error::from)?;
    Ok(Json(ListReply::of(page)))
}

/// `GET /export`: for admins; a table, streamed page by page. If the database fails, the body ends early.
pub async fn export(
    CurrentState(live): CurrentState,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (filter, what, format) = request::export(query)?;
    let export = Export::new(live.flow.records.clone(), filter, what, format);
    let kind = match format {
        Format::Csv(_) => "text/csv; charset=utf-8",
        Format::JsonLines => "application/jsonl",
    };
    let pages = stream::try_unfold(export, async |mut export| {
        let page =
            export.page().await.inspect_err(|error| tracing::error!(%error, "an export was aborted"))?;
        Ok::<_, records::Error>(page.map(|(text, _)| (text, export)))
    });
    Ok(([(header::CONTENT_TYPE, kind)], Stream::from_stream(pages)).into_response())
}

/// `GET /health/redis`: always 200; the health is in the body.
pub async fn health_redis(CurrentState(live): CurrentState) -> Json<HealthReply> {
    let health = live.flow.store.health().await;
    Json(HealthReply::of(health, live.flow.store.mode()))
}
