//! The service owns time: limits, extra time, pauses and extensions survive restarts and hold on every replica.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use harness::client::Reply;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Redis, Service, wait};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const TYPES: &str = "[exam_types.timed]\nmax_seconds = 600\nitem_seconds = 60\nmax_items = 6\nmin_items = 6\n\
                     [exam_types.quick]\nitem_seconds = 1\nmax_items = 6\nmin_items = 6\n\
                     [exam_types.brief]\nmax_seconds = 2\n[exam_types.free]\n";

async fn on(postgres: &Postgres, redis: &Redis) -> Result<Service> {
    let settings = format!(
        "[database]\nurl = \"{}\"\n[store]\nmode = \"basic\"\nurl = \"{}\"\n{TYPES}",
        postgres.url(),
        redis.url()
    );
    Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await
}

async fn extend(client: &Client, body: &Value, key: &str) -> Result<Value> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let reply = client.send_as(Method::POST, "/extend", Some(body.to_string()), &headers).await?;
    anyhow::ensure!(reply.status == 200, "{reply:?}");
    Ok(reply.body)
}

fn left(reply: &Reply) -> (f64, f64) {
    let of = |name: &str| reply.time[name].as_f64().unwrap_or(f64::NAN);
    (of("seconds_left"), of("item_seconds_left"))
}

/// What is left is the same after a kill, on another replica, and from the log alone.
#[tokio::test]
async fn remaining_time_survives_restarts_and_replicas() -> Result<()> {
    let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
    let (mut one, other) = tokio::try_join!(on(&postgres, &redis), on(&postgres, &redis))?;
    let client = one.client();
    let body = json!({"exam_type": "timed", "extra_time": 0.5});
    let started = client.post("/start", body).await?;
    let (whole, item) = left(&started);
    assert!((899.0..=900.0).contains(&whole) && (89.0..=90.0).contains(&item), "{started:?}");
    let start = started.body;
    let exam = start["exam_session_id"].as_i64().context("exam_session_id")?;
    // Paused on one, it is paused on the other, and its item is hidden.
    let first = start["item"]["id"].as_i64().context("item")?;
    let paused = client.post("/pause", json!({"exam_session_id": exam})).await?;
    assert_eq!((&paused.time["paused"], &paused.body["item"]), (&json!(true), &Value::Null), "{paused:?}");
    let refused = other.client().answer(exam, first, true).await?;
    assert_eq!((refused.status, refused.code()), (409, "exam_paused"), "{refused:?}");
    one.kill().await?;
    redis::cmd("FLUSHALL").exec_async(&mut redis.connection().await?).await?;
    one.restart(None).await?;
    let (client, again) = (one.client(), other.client());
    for client in [&client, &again] {
        let next = client.next(exam).await?;
        assert_eq!(
            (&next.body["item"], &next.time, &next.body["completed"]),
            (&Value::Null, &json!({"paused": true}), &json!(false))
        );
    }
    let more = json!({"exam_session_id": exam, "seconds": 1000});
    assert_eq!(extend(&again, &more, "outage").await?["extended"], 1);
    assert_eq!(extend(&client, &more, "outage").await?, json!({"extended": 0, "before": 1, "seconds": 1000}));
    let resumed = client.post("/resume", json!({"exam_session_id": exam})).await?;
    let (whole, item) = left(&resumed);
    assert!((1890.0..=1900.0).contains(&whole) && (1080.0..=1090.0).contains(&item), "{resumed:?}");
    assert_eq!(client.answer(exam, first, true).await?.status, 200);
    assert_eq!(again.answer(exam, first, true).await?.status, 200, "a repetition gets its first reply");
    let next = again.next(exam).await?.body;
    assert_eq!(next["items_completed"], 1, "events about time are no answers: {next}");
    let mut examinee = Examinee { exam, item: next["item"]["id"].as_i64(), replies: Vec::new() };
    examinee.finish(&client).await?;
    assert_eq!(examinee.replies.last().context("an answer")?["items_completed"], 6);
    assert!(crate::postgres::verified(&postgres).await?.contains("no difference"));
    Ok(())
}

/// An answer after its item's time is wrong, on the record as such, and the same to whoever repeats it.
#[tokio::test]
async fn a_late_answer_is_graded_wrong_and_marked() -> Result<()> {
    let service = Service::start_with(Setup { settings: Some(TYPES.into()), ..Setup::default() }).await?;
    let client = service.client();
    let start = client.post("/start", json!({"exam_type": "quick"})).await?.body;
    let exam = start["exam_session_id"].as_i64().context("exam_session_id")?;
    let mut item = start["item"]["id"].as_i64().context("item")?;
    let prompt = client.answer(exam, item, true).await?.body;
    assert_eq!((prompt.get("late"), &prompt["correct"]), (None, &json!(true)), "{prompt}");
    item = prompt["item"]["id"].as_i64().context("item")?;
    // An exam of two seconds that starts now has ended only after the item's one second, and after as much grace.
    let other = client.post("/start", json!({"exam_type": "brief"})).await?.body;
    let other = other["exam_session_id"].as_i64().context("exam_session_id")?;
    wait::until("the item's time is over", Duration::from_secs(20), || async {
        (client.status(other).await.ok()?.body["completed"] == true).then_some(())
    })
    .await?;
    assert_eq!(left(&client.next(exam).await?).1, 0.0);
    let late = client.answer(exam, item, true).await?.body;
    assert_eq!((&late["late"], &late["correct"]), (&json!(true), &json!(false)), "{late}");
    assert!(late["theta"].as_f64() < prompt["theta"].as_f64(), "{late}");
    let again = client.answer(exam, item, true).await?.body;
    assert_eq!((&again["late"], &again["theta"]), (&late["late"], &late["theta"]));
    item = late["item"]["id"].as_i64().context("item")?;
    let omitted = json!({"exam_session_id": exam, "item_id": item, "omitted": true});
    assert_eq!(client.post("/answer", omitted).await?.body["correct"], false, "passed over is wrong");
    Ok(())
}

/// After the exam's time an answer is refused and nothing of it counts, whoever notices first.
#[tokio::test]
async fn an_answer_after_the_exams_time_is_refused() -> Result<()> {
    let service = Service::start_with(Setup { settings: Some(TYPES.into()), ..Setup::default() }).await?;
    let client = service.client();
    let starts = (0..8).map(|_| client.post("/start", json!({"exam_type": "brief"})));
    let started: Vec<Value> = try_join_all(starts).await?.into_iter().map(|reply| reply.body).collect();
    for start in &started {
        let (exam, item) = (start["exam_session_id"].as_i64(), start["item"]["id"].as_i64());
        let (exam, item) = (exam.context("exam_session_id")?, item.context("item")?);
        let refused = wait::until("an answer is too late", Duration::from_secs(15), || async {
            // Until then it is answered only by what never counts: a look.
            let next = client.next(exam).await.ok()?;
            let over = next.body["completed"] == true || left(&next).0 == 0.0;
            if !over {
                return None;
            }
            let reply = client.answer(exam, item, true).await.ok()?;
            // Within the moment of grace it counts, as the last one.
            assert!([200, 410].contains(&reply.status), "{reply:?}");
            Some(reply)
        })
        .await?;
        let status = client.status(exam).await?.body;
        assert_eq!(status["termination_reason"], "time_limit", "{status}");
        assert_eq!(status["items_completed"], i32::from(refused.status == 200), "{refused:?} {status}");
    }
    Ok(())
}

/// More time for all: every open exam of the type, each once, however often and wherever it is repeated.
#[tokio::test]
async fn an_extension_for_all_is_applied_once_to_each_exam() -> Result<()> {
    let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
    let (one, other) = tokio::try_join!(on(&postgres, &redis), on(&postgres, &redis))?;
    let clients = [one.client(), other.client()];
    let start = |number: usize, kind: &'static str| {
        let client = clients[number % 2].clone();
        async move { client.post("/start", json!({"exam_type": kind})).await }
    };
    try_join_all((0..250).map(|number| start(number, "timed"))).await?;
    try_join_all((0..10).map(|number| start(number, "free"))).await?;
    clients[0].post("/complete", json!({"exam_session_id": 1})).await?;
    let body = json!({"exam_type": "timed", "seconds": 300});
    // Both at once, and once more.
    let (first, second) =
        tokio::try_join!(extend(&clients[0], &body, "fire drill"), extend(&clients[1], &body, "fire drill"))?;
    let count = |reply: &Value, name: &str| reply[name].as_u64().unwrap_or_default();
    assert_eq!(count(&first, "extended") + count(&second, "extended"), 249, "{first} {second}");
    let third = extend(&clients[1], &body, "fire drill").await?;
    assert_eq!((count(&third, "extended"), count(&third, "before")), (0, 249));
    for exam in [2, 100, 250] {
        let (whole, _) = left(&clients[exam % 2].next(i64::try_from(exam)?).await?);
        assert!((850.0..=900.0).contains(&whole), "exam {exam}: {whole}");
    }
    let all = extend(&clients[0], &json!({"all": true, "seconds": 5}), "all").await?;
    assert_eq!(count(&all, "extended"), 259);
    // Without a key a repetition could not be told.
    let bare = clients[0].post("/extend", body).await?;
    assert_eq!((bare.status, &bare.body["errors"][0]["field"]), (422, &json!("Idempotency-Key")));
    let both = json!({"all": true, "exam_session_id": 2, "seconds": 5});
    assert_eq!(clients[0].post("/extend", both).await?.status, 422);
    Ok(())
}

/// When an exam closes is not under its hash, so a snapshot that says it has closed ends nothing.
#[tokio::test]
async fn a_modified_snapshot_ends_no_exam() -> Result<()> {
    let redis = Redis::start().await?;
    let setup = Setup { redis_url: Some(redis.url()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 4).await?;
    let key = format!("adaptive_engine:{}", examinee.exam);
    for version in 0.. {
        if examinee.item.is_none() {
            break;
        }
        let kept = redis.snapshot(examinee.exam, version).await?;
        let mut kept: Value = serde_json::from_str(&kept)?;
        assert!(kept["exam"]["terms"]["closes_at"].is_i64(), "{kept}");
        kept["exam"]["terms"]["closes_at"] = json!(1);
        let mut connection = redis.connection().await?;
        redis::cmd("SET").arg(&key).arg(kept.to_string()).exec_async(&mut connection).await?;
        examinee.answer(&client).await?;
    }
    let status = client.status(examinee.exam).await?.body;
    assert_eq!(
        (&status["termination_reason"], &status["items_completed"]),
        (&json!("max_items_reached"), &json!(4))
    );
    Ok(())
}
