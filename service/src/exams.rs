//! HTTP for exams: parse, run the flow, reply. Bodies are read in `request` and written in `reply`.

pub mod reply;
pub mod request;

use crate::flow;
use crate::problem::Problem;
use crate::router::Now;
use axum::Json;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use reply::{AnswerReply, CompleteReply, HealthReply, ListReply, NextReply, StartReply, StatusReply};

type Body = Result<Bytes, BytesRejection>;
type Reply<T> = Result<Json<T>, Problem>;

/// `POST /start`
pub async fn start(Now(live): Now, headers: HeaderMap, body: Body) -> Reply<StartReply> {
    let start = request::start(&headers, body)?;
    let exam = live.flow.start(start).await?;
    Ok(Json(StartReply::of(&exam)))
}

/// `GET /next`: a pure read; the item was chosen and committed with the answer before it.
pub async fn next(Now(live): Now, RawQuery(query): RawQuery) -> Reply<NextReply> {
    let exam = live.flow.exam(request::exam_id(query)?).await?;
    Ok(Json(NextReply::of(&exam)))
}

/// `POST /answer`
pub async fn answer(Now(live): Now, headers: HeaderMap, body: Body) -> Reply<AnswerReply> {
    let answer = request::answer(&headers, body)?;
    let (exam, seq) = live.flow.answer(answer).await?;
    AnswerReply::of(&exam, seq).map(Json).ok_or_else(Problem::internal)
}

/// `POST /complete`
pub async fn complete(Now(live): Now, headers: HeaderMap, body: Body) -> Reply<CompleteReply> {
    let exam = live.flow.complete(request::complete(&headers, body)?).await?;
    Ok(Json(CompleteReply::of(&exam)))
}

/// `GET /status`
pub async fn status(Now(live): Now, RawQuery(query): RawQuery) -> Reply<StatusReply> {
    let id = request::exam_id(query)?;
    let exam = live.flow.exam(id).await?;
    let student = live.flow.records.student(id).await.map_err(flow::Error::from)?;
    Ok(Json(StatusReply::of(&exam, student, live.flow.store.mode())))
}

/// `GET /exams`: for those who run exams.
pub async fn list(Now(live): Now, RawQuery(query): RawQuery) -> Reply<ListReply> {
    let filter = request::filter(query)?;
    let page = live.flow.records.list(&filter).await.map_err(flow::Error::from)?;
    Ok(Json(ListReply::of(page)))
}

/// `GET /health/redis`: always 200; the body tells.
pub async fn health_redis(Now(live): Now) -> Json<HealthReply> {
    let health = live.flow.store.health().await;
    Json(HealthReply::of(health, live.flow.store.mode()))
}
