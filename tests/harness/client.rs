//! A client of the exam API, and an examinee that answers by a fixed rule.

use crate::wait;
use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A caller of the exam API.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    is_held: bool,
    /// For how long a request that got no reply is sent again.
    patience: Duration,
    repeated: Arc<AtomicUsize>,
}

/// A reply as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// Its body, without the `time` of an exam.
    pub body: Value,
    /// The `time` of its body: the one part that differs between two replies to the same call.
    pub time: Value,
}

/// Two replies to one call are the same if they differ in nothing but the time.
impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        let of = |reply: &Self| (reply.status, reply.content_type.clone(), reply.retry_after);
        of(self) == of(other) && self.body == other.body
    }
}

impl Reply {
    /// The problem's code, if it is a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    /// A caller of the service at `base`, with a token if it has one.
    ///
    /// # Panics
    /// The system gives no HTTP client.
    pub fn new(base: String, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build();
        Self {
            http: http.expect("an HTTP client should build"),
            base,
            token,
            is_held: true,
            patience: Duration::ZERO,
            repeated: Arc::default(),
        }
    }

    /// The same caller, as a proxy is one: it gives up connections that are idle for two seconds. A pod that ends serves
    /// for three more, so it closes no connection in the moment in which a request is sent on it.
    ///
    /// # Panics
    /// The system gives no HTTP client.
    #[must_use]
    pub fn as_a_proxy(self) -> Self {
        let idle = Duration::from_secs(2);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).pool_idle_timeout(idle);
        Self { http: http.no_proxy().build().expect("an HTTP client should build"), ..self }
    }

    /// The same caller, as a proxy is one whose nodes may be lost: a request that gets no reply in two seconds is sent again
    /// on another connection, for two minutes. The same request twice counts once.
    ///
    /// # Panics
    /// The system gives no HTTP client.
    #[must_use]
    pub fn as_a_patient_proxy(self) -> Self {
        let short = Duration::from_secs(2);
        let http =
            reqwest::Client::builder().timeout(short).connect_timeout(short / 2).pool_idle_timeout(short);
        let http = http.no_proxy().build().expect("an HTTP client should build");
        Self { http, patience: Duration::from_secs(120), ..self }
    }

    /// How many requests were sent again.
    pub fn repeated(&self) -> usize {
        self.repeated.load(Ordering::Relaxed)
    }

    /// The same caller of a service of another version, which has a document of its own.
    #[must_use]
    pub fn of_another_version(self) -> Self {
        Self { is_held: false, ..self }
    }

    /// The same caller with another token, or none.
    #[must_use]
    pub fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// Sends a request to a path of the API and reads the reply, whatever its status.
    ///
    /// # Errors
    /// No reply came.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Reply> {
        let body = body.map(|body| body.to_string());
        let json = [("content-type", "application/json")];
        let start = Instant::now();
        loop {
            match self.send_as(method.clone(), path, body.clone(), &json).await {
                Err(error) if error.is::<reqwest::Error>() && start.elapsed() < self.patience => {
                    self.repeated.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(wait::LOOK).await;
                }
                result => return result,
            }
        }
    }

    /// As [`Client::send`], with a body of any bytes and headers of one's own.
    ///
    /// # Errors
    /// No reply came.
    pub async fn send_as(
        &self,
        method: Method,
        path: &str,
        body: Option<impl Into<reqwest::Body>>,
        headers: &[(&'static str, &str)],
    ) -> Result<Reply> {
        let name = method.to_string();
        let mut request = self.http.request(method, format!("{}{}{path}", self.base, ::contract::API_PREFIX));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header("content-type").unwrap_or_default().to_owned();
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let text = response.text().await?;
        let is_table = content_type.starts_with("text/csv") || content_type == "application/jsonl";
        let body = match is_table {
            true => Value::String(text),
            false => serde_json::from_str(&text).with_context(|| format!("{status}: not JSON: {text}"))?,
        };
        let path = format!("{}{path}", ::contract::API_PREFIX);
        if self.is_held {
            crate::contract::hold(&name, &path, status, &content_type, &body)?;
        }
        let mut body = body;
        let time = body.as_object_mut().and_then(|body| body.remove("time")).unwrap_or_default();
        Ok(Reply { status, content_type, retry_after, body, time })
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// No reply came.
    pub async fn post(&self, path: &str, body: Value) -> Result<Reply> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// No reply came.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    /// `next` of an exam.
    ///
    /// # Errors
    /// No reply came.
    pub async fn next(&self, exam: i64) -> Result<Reply> {
        self.get(&format!("/next?exam_session_id={exam}")).await
    }

    /// `status` of an exam.
    ///
    /// # Errors
    /// No reply came.
    pub async fn status(&self, exam: i64) -> Result<Reply> {
        self.get(&format!("/status?exam_session_id={exam}")).await
    }

    /// `answer` with a grade.
    ///
    /// # Errors
    /// No reply came.
    pub async fn answer(&self, exam: i64, item: i64, correct: bool) -> Result<Reply> {
        self.post("/answer", json!({"exam_session_id": exam, "item_id": item, "correct": correct})).await
    }
}

/// An examinee: knows some items, and answers the same way every time.
#[derive(Clone, Debug)]
pub struct Examinee {
    /// The exam.
    pub exam: i64,
    /// The item on the screen; `None` once the exam is over.
    pub item: Option<i64>,
    /// Every reply to an answer, in order.
    pub replies: Vec<Value>,
}

impl Examinee {
    /// Starts an exam of so many items.
    ///
    /// # Errors
    /// The service refused.
    pub async fn start(client: &Client, max_items: u32) -> Result<Self> {
        Self::start_as(client, json!({"exam_type": "placement", "max_items": max_items})).await
    }

    /// Starts an exam as this body asks.
    ///
    /// # Errors
    /// The service refused.
    pub async fn start_as(client: &Client, body: Value) -> Result<Self> {
        let reply = client.post("/start", body).await?;
        if reply.status != 200 {
            bail!("start: {reply:?}");
        }
        let exam = reply.body["exam_session_id"].as_i64().context("exam_session_id")?;
        Ok(Self { exam, item: reply.body["item"]["id"].as_i64(), replies: Vec::new() })
    }

    /// Whether this examinee knows an item.
    pub fn knows(item: i64) -> bool {
        item * 7919 % 5 < 3
    }

    /// Answers the item on the screen.
    ///
    /// # Errors
    /// The service refused, or no reply came; then the examinee stands where they stood.
    pub async fn answer(&mut self, client: &Client) -> Result<()> {
        let item = self.item.context("the exam is over")?;
        let reply = client.answer(self.exam, item, Self::knows(item)).await?;
        if reply.status != StatusCode::OK.as_u16() {
            bail!("answer to item {item}: {reply:?}");
        }
        self.item = reply.body["item"]["id"].as_i64();
        self.replies.push(reply.body);
        Ok(())
    }

    /// Answers the item on the screen, and sends the answer again while it is refused or gets no reply.
    ///
    /// # Errors
    /// It is never taken.
    pub async fn insist(&mut self, client: &Client, limit: Duration) -> Result<()> {
        let told = wait::until("an answer that is taken", limit, || async {
            let mut again = self.clone();
            again.answer(client).await.ok().map(|()| again)
        });
        *self = told.await?;
        Ok(())
    }

    /// Answers until the exam is over.
    ///
    /// # Errors
    /// The service refused, or no reply came.
    pub async fn finish(&mut self, client: &Client) -> Result<()> {
        while self.item.is_some() {
            self.answer(client).await?;
        }
        Ok(())
    }
}
