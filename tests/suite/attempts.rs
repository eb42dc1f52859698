//! Attempts of an examinee: an open exam is resumed, and the number of attempts is limited.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Service};
use reqwest::Method;
use serde_json::{Value, json};

const TYPES: &str = "[exam_types.final]\nmax_items = 4\nmin_items = 4\nattempts = 2\nresume = true\n\
                     [exam_types.strict]\nattempts = 1\n[exam_types.free]\n";

async fn start(client: &Client, exam_type: &str, student: i64) -> Result<(u16, Value)> {
    let reply = client.post("/start", json!({"exam_type": exam_type, "student_id": student})).await?;
    Ok((reply.status, reply.body))
}

#[tokio::test]
async fn an_open_exam_is_resumed_and_attempts_are_limited() -> Result<()> {
    let setup = Setup { settings: Some(TYPES.into()), ..Setup::default() };
    let mut service = Service::start_with(setup).await?;
    let client = service.client();
    let body = json!({"exam_type": "final", "student_id": 7});
    let mut first = Examinee::start_as(&client, body.clone()).await?;
    first.answer(&client).await?;
    service.kill().await?;
    service.restart(None).await?;
    let client = service.client();
    let (status, again) = start(&client, "final", 7).await?;
    assert_eq!((status, &again["exam_session_id"]), (200, &json!(first.exam)), "{again}");
    assert_eq!((&again["resumed"], &again["items_completed"]), (&json!(true), &json!(1)));
    assert_eq!(again["item"]["id"].as_i64(), first.item, "the item on the screen, not the first");
    first.finish(&client).await?;
    // The second, and then no more; whoever else sits it has their own.
    let second = Examinee::start_as(&client, body).await?;
    assert_ne!(second.exam, first.exam);
    client.post("/complete", json!({"exam_session_id": second.exam})).await?;
    let (status, refused) = start(&client, "final", 7).await?;
    assert_eq!((status, &refused["code"]), (409, &json!("no_attempt_left")), "{refused}");
    assert_eq!(start(&client, "final", 8).await?.0, 200);
    assert_eq!(start(&client, "strict", 7).await?.0, 200);
    assert_eq!(start(&client, "strict", 7).await?.0, 409, "an open exam is an attempt too");
    for _ in 0..3 {
        assert_eq!(start(&client, "free", 7).await?.1["resumed"], false);
    }
    // Nobody's attempts cannot be counted.
    let nobody = client.post("/start", json!({"exam_type": "final"})).await?;
    assert_eq!((nobody.status, &nobody.body["errors"][0]["field"]), (422, &json!("student_id")));
    Ok(())
}

#[tokio::test]
async fn a_repeated_key_does_not_count_as_an_attempt() -> Result<()> {
    let setup = Setup { settings: Some(TYPES.into()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    let headers = [("content-type", "application/json"), ("idempotency-key", "one start")];
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let body = json!({"exam_type": "strict", "student_id": 1}).to_string();
        let reply = client.send_as(Method::POST, "/start", Some(body), &headers).await?;
        assert_eq!(reply.status, 200, "{reply:?}");
        bodies.push(reply.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the first reply again: {bodies:?}");
    let body = json!({"exam_type": "strict", "student_id": 2}).to_string();
    let other = client.send_as(Method::POST, "/start", Some(body), &headers).await?;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    Ok(())
}

/// Sixteen starts of one examinee at once, over two services: one exam where it comes back, one where it is the
/// only one.
#[tokio::test]
async fn concurrent_starts_create_one_exam() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = format!("[database]\nurl = \"{}\"\n{TYPES}", postgres.url());
    let run = || Service::start_with(Setup { settings: Some(settings.clone()), ..Setup::default() });
    let (one, other) = tokio::try_join!(run(), run())?;
    let clients = [one.client(), other.client()];
    for student in 0..10 {
        let starts = |kind: &'static str| {
            try_join_all((0..16).map(move |number| (number, kind)).map(|(number, kind)| {
                let client = clients[number % 2].clone();
                async move { start(&client, kind, student).await }
            }))
        };
        let replies = starts("final").await?;
        let exam = &replies[0].1["exam_session_id"];
        assert!(replies.iter().all(|(status, body)| *status == 200 && &body["exam_session_id"] == exam));
        let fresh = replies.iter().filter(|(_, body)| body["resumed"] == false).count();
        assert_eq!(fresh, 1, "one of them started it: {replies:?}");
        let statuses: Vec<u16> = starts("strict").await?.into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 15, "{statuses:?}");
    }
    let listed = clients[0].get("/exams").await?;
    assert_eq!(listed.body["count"], 20, "no exam is left that nobody was told of");
    let first = listed.body["exams"][0]["exam_session_id"].as_i64().context("an exam")?;
    assert_eq!(clients[1].status(first).await?.status, 200);
    Ok(())
}
