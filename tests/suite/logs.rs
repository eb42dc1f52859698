//! The log: a failure is logged once with its context; secrets never appear, at any level.

use anyhow::{Context, Result, ensure};
use harness::service::Setup;
use harness::{Examinee, Postgres, Redis, Service, wait};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "token-Zq8vKw3mXr5t";
const GUESS: &str = "guess-Pb4nHs7cLd2y";
const DATABASE: &str = "word-of-the-database-Jf6g";
const STORE: &str = "word-of-the-store-Tm9k";
const KEY: &str = "key-of-the-caller-Ux1e";
const STUDENT: &str = "8675309421";
const CLASS: &str = "5550199873";

async fn log(service: &Service, until: &str) -> Result<String> {
    wait::until("the log tells", SOON, || async {
        let log = std::fs::read_to_string(service.path("service.log")).ok()?;
        log.contains(until).then_some(log)
    })
    .await
}

/// A service that holds every kind of secret, and tells all it can.
async fn telling_all(postgres: &Postgres, redis: &Redis, format: &str) -> Result<Service> {
    let settings = format!(
        "[auth]\nmode = \"token\"\ntoken_file = \"tokens\"\n[log]\nformat = \"{format}\"\n\
         [database]\nurl = \"{}\"\npassword_file = \"database\"\n\
         [store]\nmode = \"basic\"\nurl = \"{}\"\npassword_file = \"store\"\n",
        postgres.url(),
        redis.url()
    );
    let env = vec![("RUST_LOG", "trace".to_owned())];
    let setup = Setup { settings: Some(settings), token: Some(TOKEN.to_owned()), env, ..Setup::default() };
    let mut service = Service::stopped(setup)?;
    for (file, secret) in [("tokens", TOKEN), ("database", DATABASE), ("store", STORE)] {
        std::fs::write(service.path(file), format!("{secret}\n"))?;
    }
    service.restart(None).await?;
    Ok(service)
}

#[rstest]
#[tokio::test]
async fn secrets_are_never_logged_at_any_level(#[values("text", "json")] format: &str) -> Result<()> {
    let (postgres, redis) = tokio::try_join!(Postgres::start(), Redis::start())?;
    let mut protecting = redis.connection().await?;
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(STORE).exec_async(&mut protecting).await?;
    postgres.protect(DATABASE).await?;
    let mut service = telling_all(&postgres, &redis, format).await?;
    let client = service.client();

    let body =
        format!(r#"{{"exam_type":"placement","max_items":6,"student_id":{STUDENT},"class_id":{CLASS}}}"#);
    let headers = [("content-type", "application/json"), ("idempotency-key", KEY)];
    let start = async || client.send_as(reqwest::Method::POST, "/start", Some(body.clone()), &headers).await;
    let started = start().await?;
    ensure!(started.status == 200 && start().await?.body == started.body, "{started:?}");
    let item = started.body["item"]["id"].as_i64();
    let exam = started.body["exam_session_id"].as_i64().context("exam")?;
    let mut examinee = Examinee { exam, item, replies: Vec::new() };
    while examinee.item.is_some() {
        if examinee.replies.len() == 3 {
            // Both are connected to anew, with their passwords.
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec_async(&mut protecting).await?;
        }
        examinee.answer(&client).await?;
    }
    assert_eq!(client.status(exam).await?.body["store"], "basic");
    assert_eq!(client.get(&format!("/exams?student_id={STUDENT}")).await?.body["count"], 1);
    assert_eq!(client.get(&format!("/exams?student_id={STUDENT}&class={CLASS}")).await?.status, 422);
    let guess = service.client().with_token(Some(GUESS.to_owned()));
    assert_eq!(guess.status(exam).await?.status, 401);
    // A request of each kind that fails: a body that is no JSON, a path that is none, a key used again.
    let nonsense =
        client.send_as(reqwest::Method::POST, "/start", Some(format!("{STUDENT}{{")), &headers).await?;
    assert_eq!(nonsense.status, 400);
    assert_eq!(client.get(&format!("/{KEY}?student_id={STUDENT}")).await?.status, 404);
    let other =
        client.send_as(reqwest::Method::POST, "/start", Some(r#"{"exam_type":"mock"}"#), &headers).await?;
    assert_eq!(other.status, 422, "{other:?}");
    service.process().signal(Signal::TERM)?;
    ensure!(service.process().ended().await?, "it ended badly");

    let log = log(&service, "stopped").await?;
    // No library has more to say than this; should one begin to, it is held to the same.
    for part in
        ["DEBUG", "INFO", "sqlx", "INSERT INTO examinees", "service::http::access_log", "/api/adaptive/exams"]
    {
        assert!(log.contains(part), "the log should tell all: {part}");
    }
    for secret in [TOKEN, GUESS, DATABASE, STORE, KEY, STUDENT, CLASS] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "{secret} is told:\n{}", lines.join("\n"));
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_context() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = format!("[log]\nformat = \"json\"\n[database]\nurl = \"{}\"\n", postgres.url());
    let service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
    let client = service.client();
    let examinee = Examinee::start(&client, 10).await?;
    postgres.freeze()?;
    let body =
        json!({"exam_session_id": examinee.exam, "item_id": examinee.item, "correct": true}).to_string();
    let headers = [("content-type", "application/json"), ("x-request-id", "the-one-that-failed")];
    let refused = client.send_as(reqwest::Method::POST, "/answer", Some(body), &headers).await?;
    assert_eq!(refused.status, 503, "{refused:?}");
    postgres.thaw()?;
    let log = log(&service, "the-one-that-failed").await?;
    let lines: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of_it: Vec<&Value> =
        lines.iter().filter(|line| line["span"]["request_id"] == "the-one-that-failed").collect();
    assert_eq!(of_it.len(), 1, "{of_it:?}");
    let line = of_it[0];
    assert_eq!(line["level"], "ERROR", "{line}");
    assert_eq!(line["message"], "the database of record does not answer", "{line}");
    assert_eq!(line["span"]["route"], "/api/adaptive/answer", "{line}");
    assert_eq!(
        (&line["span"]["method"], &line["span"]["exam"]),
        (&json!("POST"), &json!(examinee.exam)),
        "{line}"
    );
    Ok(())
}
