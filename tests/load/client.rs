//! Load clients without think time: one connection each, the next request as soon as the reply is read.

use crate::connection::Connection;
use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
    /// Seconds of CPU of all processes but the examinees'.
    pub cpu: f64,
}

impl Measured {
    /// Seconds of CPU of all processes for each answer; other requests are part of it.
    pub fn cpu_of_answer(&self) -> f64 {
        self.cpu * self.requests / (self.answers * self.count.max(1) as f64)
    }
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
        cpu: 0.0,
    })
}

/// Opens so many exams, each with ten answers of twenty, and leaves them open.
pub async fn open(to: SocketAddr, clients: usize, exams: usize) -> Result<()> {
    let opening = (0..clients).map(|number| {
        let share = exams / clients + usize::from(number < exams % clients);
        tokio::spawn(async move {
            let mut connection = Connection::to(to).await?;
            let mut seen = Seen::default();
            for _ in 0..share {
                let (exam, mut item) = start(&mut connection, &mut seen, 20).await?;
                for _ in 0..10 {
                    let Item { id } = item.context("an exam of twenty items goes on after ten")?;
                    item = answer(&mut connection, &mut seen, exam, id).await?;
                }
            }
            Ok(())
        })
    });
    try_join_all(opening).await?.into_iter().collect()
}

async fn start(connection: &mut Connection, seen: &mut Seen, items: u32) -> Result<(i64, Option<Item>)> {
    let body = format!(r#"{{"exam_type":"placement","max_items":{items}}}"#);
    let started = call(connection, seen, "/start", Some(&body)).await?;
    Ok((started.exam_session_id.context("exam_session_id")?, started.item))
}

async fn answer(connection: &mut Connection, seen: &mut Seen, exam: i64, item: i64) -> Result<Option<Item>> {
    let correct = (exam + item * 7919) % 5 < 3;
    let body = format!(r#"{{"exam_session_id":{exam},"item_id":{item},"correct":{correct}}}"#);
    Ok(call(connection, seen, "/answer", Some(&body)).await?.item)
}

async fn sit(to: SocketAddr, flow: Flow, end: Instant) -> Result<Seen> {
    let mut connection = Connection::to(to).await?;
    let mut seen = Seen::default();
    while Instant::now() < end {
        let (exam, mut item) = start(&mut connection, &mut seen, 10).await?;
        while let Some(Item { id }) = item {
            if flow == Flow::Whole {
                call(&mut connection, &mut seen, &format!("/next?exam_session_id={exam}"), None).await?;
            }
            let asked = Instant::now();
            item = answer(&mut connection, &mut seen, exam, id).await?;
            seen.answers.push(asked.elapsed());
        }
        if flow == Flow::Whole {
            call(&mut connection, &mut seen, &format!("/status?exam_session_id={exam}"), None).await?;
        }
    }
    Ok(seen)
}

async fn call(connection: &mut Connection, seen: &mut Seen, path: &str, body: Option<&str>) -> Result<Reply> {
    loop {
        match connection.call(path, body).await? {
            (200, text) => {
                seen.requests += 1;
                return Ok(serde_json::from_slice(text)?);
            }
            (429 | 503, _) => seen.refused += 1,
            (other, text) => bail!("{path}: {other}: {}", String::from_utf8_lossy(text)),
        }
    }
}
