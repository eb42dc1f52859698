//! Exams that the first release started on SQLite are continued by the current version.
//!
//! `first/exams.sql` is the database that the first release left behind when it was killed, `first/told.json` the
//! replies it had sent: for each exam the start, the answers with their replies, and the last state. Neither is
//! ever edited.

use anyhow::{Context, Result, ensure};
use harness::service::Setup;
use harness::{Client, Service, wait};
use reqwest::Method;
use serde_json::{Value, json};
use service::records::{DatabaseAccess, Records};
use service::verify::verify;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;

const LEFT: &str = include_str!("first/exams.sql");
const TOLD: &str = include_str!("first/told.json");

/// Whether a reply says all that was said before; it may say more.
fn says(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before.iter().all(|(name, value)| {
            // A score without an answer, as the first release had it, is none.
            let was_none = name == "score" && before.get("items_completed") == Some(&Value::from(0));
            was_none || now.get(name).is_some_and(|now| says(now, value))
        }),
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len() && now.iter().zip(before).all(|(now, before)| says(now, before))
        }
        _ => now == before,
    }
}

async fn asked(client: &Client, path: &str, body: &Value, before: &Value) -> Result<()> {
    let reply = client.post(path, body.clone()).await?;
    ensure!(reply.status == 200 && says(&reply.body, before), "{path} {body}: {reply:?}, before: {before}");
    Ok(())
}

/// The newest service on what the first one left behind.
async fn succeeded() -> Result<Service> {
    let mut service = Service::stopped(Setup::default())?;
    // Its tables are in no order that their references would want.
    let file =
        SqliteConnectOptions::new().filename(service.database()).create_if_missing(true).foreign_keys(false);
    let mut connection = file.connect().await?;
    sqlx::raw_sql(LEFT).execute(&mut connection).await?;
    connection.close().await?;
    service.restart(None).await?;
    Ok(service)
}

#[tokio::test]
async fn exams_of_the_first_release_continue() -> Result<()> {
    let mut service = succeeded().await?;
    let client = service.client();
    let told: Vec<Value> = serde_json::from_str(TOLD)?;
    ensure!(told.len() == 5, "the first service told of five exams");
    for exam in &told {
        let id = exam["start"][1]["exam_session_id"].as_i64().context("exam_session_id")?;
        if let Some(key) = exam["key"].as_str() {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            let again =
                client.send_as(Method::POST, "/start", Some(exam["start"][0].to_string()), &headers).await?;
            ensure!(says(&again.body, &exam["start"][1]), "{again:?}, before: {}", exam["start"][1]);
        }
        let status = client.status(id).await?;
        ensure!(says(&status.body, &exam["status"]), "{status:?}, before: {}", exam["status"]);
        // Each answer is known still, and has its reply.
        for answered in exam["answers"].as_array().context("answers")? {
            asked(&client, "/answer", &answered[0], &answered[1]).await?;
        }
        if !exam["complete"].is_null() {
            asked(&client, "/complete", &json!({"exam_session_id": id}), &exam["complete"]).await?;
        }
        let next = client.next(id).await?;
        if exam["next"].is_null() {
            ensure!(next.body["completed"] == true, "exam {id} had ended: {next:?}");
            continue;
        }
        ensure!(says(&next.body, &exam["next"]), "{next:?}, before: {}", exam["next"]);
        let mut item = next.body["item"]["id"].as_i64();
        while let Some(current) = item {
            let body = json!({"exam_session_id": id, "item_id": current, "correct": current % 2 == 0});
            let reply = client.post("/answer", body).await?;
            ensure!(reply.status == 200, "{reply:?}");
            item = reply.body["item"]["id"].as_i64();
        }
        let ended = client.status(id).await?;
        ensure!(ended.body["status"] == "completed", "{ended:?}");
    }
    let start = client.post("/start", json!({"exam_type": "placement"})).await?;
    let last = i64::try_from(told.len())?;
    ensure!(start.body["exam_session_id"].as_i64() > Some(last), "a number of its own: {start:?}");
    service.kill().await?;
    let records = Records::open_existing(&DatabaseAccess::at(service.database_url())).await?;
    let verified = verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    Ok(())
}

/// It knew no end but the last answer and `complete`.
#[tokio::test]
async fn exams_of_the_first_release_expire() -> Result<()> {
    let mut service = succeeded().await?;
    let log = || std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
    wait::until("they have an end", Duration::from_secs(20), || async {
        log().contains("now have an expiry").then_some(())
    })
    .await?;
    service.kill().await?;
    let pool = crate::crash::database(&service).await?;
    let open = "SELECT expires_at IS NOT NULL FROM exams WHERE ended_at IS NULL";
    let dated: Vec<bool> = sqlx::query_scalar(open).fetch_all(&pool).await?;
    ensure!(!dated.is_empty() && dated.iter().all(|dated| *dated), "{dated:?}");
    let ended = "SELECT COUNT(*) FROM exams WHERE ended_at IS NOT NULL AND expires_at IS NOT NULL";
    let changed: i64 = sqlx::query_scalar(ended).fetch_one(&pool).await?;
    ensure!(changed == 0, "those that had ended stay as they are");
    // And so they do, when that time has come.
    sqlx::query("UPDATE exams SET expires_at = 1 WHERE ended_at IS NULL").execute(&pool).await?;
    pool.close().await;
    service.restart(None).await?;
    let client = service.client();
    wait::until("they have ended", Duration::from_secs(20), || async {
        let open = client.get("/exams?status=in_progress").await.ok()?;
        (open.body["count"] == 0).then_some(())
    })
    .await?;
    service.kill().await?;
    let records = Records::open_existing(&DatabaseAccess::at(service.database_url())).await?;
    let verified = verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    Ok(())
}
