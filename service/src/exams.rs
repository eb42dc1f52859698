//! HTTP for exams: parse, run the flow, reply. Bodies are read in `request` and written in `reply`.

pub mod reply;
pub mod request;

use crate::flow::{self, Flow};
use crate::problem::Problem;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use reply::{AnswerReply, CompleteReply, HealthReply, ListReply, NextReply, StartReply, StatusReply};
use std::sync::Arc;

type Body = Result<Bytes, BytesRejection>;
type Reply<T> = Result<Json<T>, Problem>;

/// `POST /start`
pub async fn start(State(flow): State<Arc<Flow>>, headers: HeaderMap, body: Body) -> Reply<StartReply> {
    let start = request::start(&headers, body)?;
    let exam = flow.start(start).await?;
    Ok(Json(StartReply::of(&exam)))
}

/// `GET /next`: a pure read; the item was chosen and committed with the answer before it.
pub async fn next(State(flow): State<Arc<Flow>>, RawQuery(query): RawQuery) -> Reply<NextReply> {
    let exam = flow.exam(request::exam_id(query)?).await?;
    Ok(Json(NextReply::of(&exam)))
}

/// `POST /answer`
pub async fn answer(State(flow): State<Arc<Flow>>, headers: HeaderMap, body: Body) -> Reply<AnswerReply> {
    let answer = request::answer(&headers, body)?;
    let (exam, seq) = flow.answer(answer).await?;
    AnswerReply::of(&exam, seq).map(Json).ok_or_else(Problem::internal)
}

/// `POST /complete`
pub async fn complete(State(flow): State<Arc<Flow>>, headers: HeaderMap, body: Body) -> Reply<CompleteReply> {
    let exam = flow.complete(request::complete(&headers, body)?).await?;
    Ok(Json(CompleteReply::of(&exam)))
}

/// `GET /status`
pub async fn status(State(flow): State<Arc<Flow>>, RawQuery(query): RawQuery) -> Reply<StatusReply> {
    let id = request::exam_id(query)?;
    let exam = flow.exam(id).await?;
    let student = flow.records.student(id).await.map_err(flow::Error::from)?;
    Ok(Json(StatusReply::of(&exam, student, flow.store.mode())))
}

/// `GET /exams`: for those who run exams.
pub async fn list(State(flow): State<Arc<Flow>>, RawQuery(query): RawQuery) -> Reply<ListReply> {
    let filter = request::filter(query)?;
    let page = flow.records.list(&filter).await.map_err(flow::Error::from)?;
    Ok(Json(ListReply::of(page)))
}

/// `GET /health/redis`: always 200; the body tells.
pub async fn health_redis(State(flow): State<Arc<Flow>>) -> Json<HealthReply> {
    let health = flow.store.health().await;
    Json(HealthReply::of(health, flow.store.mode()))
}
