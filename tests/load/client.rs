//! Examinees that do not think: one connection each, the next request as soon as the reply is read.

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What an examinee does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Start, ten times next and answer, status.
    Whole,
    /// Start, then ten answers.
    Answers,
}

/// What was measured at one level.
#[derive(Clone, Debug)]
pub struct Measured {
    pub clients: usize,
    /// Requests that were served.
    pub count: usize,
    pub requests: f64,
    pub answers: f64,
    pub answer_p50: f64,
    pub answer_p99: f64,
    pub refused: usize,
}

#[derive(Default)]
struct Seen {
    requests: usize,
    refused: usize,
    answers: Vec<Duration>,
}

#[derive(Deserialize)]
struct Reply {
    exam_session_id: Option<i64>,
    item: Option<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: i64,
}

/// So many examinees sit exam after exam for so long.
pub async fn load(to: SocketAddr, flow: Flow, clients: usize, time: Duration) -> Result<Measured> {
    let end = Instant::now() + time;
    let began = Instant::now();
    let sitting = (0..clients).map(|_| tokio::spawn(sit(to, flow, end)));
    let mut all = Seen::default();
    for seen in try_join_all(sitting).await? {
        let seen = seen?;
        all.requests += seen.requests;
        all.refused += seen.refused;
        all.answers.extend(seen.answers);
    }
    let took = began.elapsed().as_secs_f64();
    all.answers.sort_unstable();
    let at = |share: f64| {
        let last = all.answers.len().saturating_sub(1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a list")]
        all.answers.get((last * share) as usize).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    Ok(Measured {
        clients,
        count: all.requests,
        requests: all.requests as f64 / took,
        answers: all.answers.len() as f64 / took,
        answer_p50: at(0.5),
        answer_p99: at(0.99),
        refused: all.refused,
    })
}

async fn sit(to: SocketAddr, flow: Flow, end: Instant) -> Result<Seen> {
    let stream = TcpStream::connect(to).await.context("the service takes no connection")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut seen = Seen::default();
    while Instant::now() < end {
        let body = r#"{"exam_type":"placement","max_items":10}"#.to_owned();
        let started = call(&mut sender, &mut seen, "/start", Some(body)).await?;
        let exam = started.exam_session_id.context("exam_session_id")?;
        let mut item = started.item;
        while let Some(Item { id }) = item {
            if flow == Flow::Whole {
                call(&mut sender, &mut seen, &format!("/next?exam_session_id={exam}"), None).await?;
            }
            let correct = (exam + id * 7919) % 5 < 3;
            let body = format!(r#"{{"exam_session_id":{exam},"item_id":{id},"correct":{correct}}}"#);
            let asked = Instant::now();
            item = call(&mut sender, &mut seen, "/answer", Some(body)).await?.item;
            seen.answers.push(asked.elapsed());
        }
        if flow == Flow::Whole {
            call(&mut sender, &mut seen, &format!("/status?exam_session_id={exam}"), None).await?;
        }
    }
    drop(sender);
    connection.await??;
    Ok(seen)
}

async fn call(
    sender: &mut SendRequest<Full<Bytes>>,
    seen: &mut Seen,
    path: &str,
    body: Option<String>,
) -> Result<Reply> {
    loop {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/adaptive{path}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::from(body.clone().unwrap_or_default()))?;
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        let text = reply.into_body().collect().await?.to_bytes();
        match status {
            StatusCode::OK => {
                seen.requests += 1;
                return Ok(serde_json::from_slice(&text)?);
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => seen.refused += 1,
            other => bail!("{path}: {other}: {}", String::from_utf8_lossy(&text)),
        }
    }
}
