//! An exam over HTTP: calls, states, idempotent retries.

use anyhow::Result;
use futures::future::join_all;
use harness::service::Setup;
use harness::{Client, Examinee, Redis, Service};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_exam_from_start_to_end() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let body = json!({"exam_type": "placement", "max_items": 10, "student_id": 42, "class_id": 7});
    let started = client.post("/start", body).await?;
    assert_eq!(started.status, 200, "{started:?}");
    assert_eq!(started.body["exam_session_id"], 1);
    assert_eq!(started.body["status"], "in_progress");
    assert_eq!(started.body["max_items"], 10);
    assert_eq!(started.body["initial_theta"], 0.0);

    let next = client.next(1).await?;
    assert_eq!(next.body["item"], started.body["item"], "the first item is recorded with the start");
    assert_eq!(next.body["completed"], false);
    assert_eq!(next.body["standard_error"], 1.0, "nothing is known but the prior");
    assert!(next.body["item"]["choices"].as_array().is_some_and(|choices| choices.len() == 4));
    assert!(next.body["item"].get("key").is_none(), "the key stays here");

    let mut seen = BTreeSet::new();
    let mut item = next.body["item"]["id"].as_i64();
    for count in 1..=10 {
        let id = item.expect("an item should be on the screen");
        assert!(seen.insert(id), "item {id} came twice");
        assert_eq!(client.next(1).await?.body["item"]["id"], id, "next is a pure read");
        let body = json!({"exam_session_id": 1, "item_id": id, "choice": 1, "response_time_ms": 1200});
        let reply = client.post("/answer", body).await?;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.body["items_completed"], count);
        assert_eq!(reply.body["completed"], count == 10);
        item = reply.body["item"]["id"].as_i64();
        assert_eq!(item.is_none(), count == 10);
    }
    let finished = client.next(1).await?;
    assert_eq!(finished.status, 200);
    assert_eq!(finished.body["completed"], true);
    assert_eq!(finished.body["termination_reason"], "max_items_reached");
    let status = client.status(1).await?.body;
    assert_eq!(status["status"], "completed");
    assert_eq!(status["student_id"], 42);
    assert_eq!(status["store"], "memory");
    assert!(status["ended_at"].is_string() && status["duration_sec"].is_number(), "{status}");
    assert_eq!(status["theta"], finished.body["theta"]);
    Ok(())
}

#[tokio::test]
async fn the_service_grades_by_the_key() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let mut thetas = Vec::new();
    for exam in 1..=4 {
        let started = client.post("/start", json!({"exam_type": "quiz"})).await?.body;
        let item = started["item"]["id"].clone();
        let body = json!({"exam_session_id": exam, "item_id": item, "selected_choice": exam});
        let reply = client.post("/answer", body).await?.body;
        thetas.push((reply["correct"].clone(), reply["theta"].as_f64().unwrap()));
    }
    let right = thetas.iter().filter(|(correct, _)| correct == &Value::Bool(true));
    assert_eq!(right.clone().count(), 1, "one of the four choices is right: {thetas:?}");
    assert!(right.clone().all(|(_, theta)| *theta > 0.0), "a right answer raises the ability");
    Ok(())
}

/// Every state an exam can be in, and every call: what comes back, and that nothing else changed.
#[tokio::test]
async fn the_table_of_calls_and_states() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let mut open = Examinee::start(&client, 10).await?;
    let first = open.item.unwrap();
    open.answer(&client).await?;
    let current = open.item.unwrap();
    let unseen = (1..=36).find(|item| *item != first && *item != current).unwrap();
    let mut ended = Examinee::start(&client, 3).await?;
    let ended_first = ended.item.unwrap();
    ended.finish(&client).await?;
    let completed = Examinee::start(&client, 10).await?;
    client.post("/complete", json!({"exam_session_id": completed.exam})).await?;
    let never = completed.item.unwrap();

    let unknown = 999;
    let knows = Examinee::knows;
    type Row<'a> = (&'a str, i64, Call, u16, &'a str);
    enum Call {
        Next,
        Answer(i64, bool),
        Status,
        Complete,
    }
    use Call::{Answer, Complete, Next, Status};
    let table: Vec<Row<'_>> = vec![
        ("unknown, next", unknown, Next, 404, "exam_not_found"),
        ("unknown, answer", unknown, Answer(1, true), 404, "exam_not_found"),
        ("unknown, status", unknown, Status, 404, "exam_not_found"),
        ("unknown, complete", unknown, Complete, 404, "exam_not_found"),
        ("open, next", open.exam, Next, 200, ""),
        ("open, status", open.exam, Status, 200, ""),
        ("open, same answer again", open.exam, Answer(first, knows(first)), 200, ""),
        (
            "open, other answer to an answered item",
            open.exam,
            Answer(first, !knows(first)),
            409,
            "already_answered",
        ),
        (
            "open, answer to an item not on the screen",
            open.exam,
            Answer(unseen, true),
            409,
            "not_current_item",
        ),
        ("open, answer to an item that is none", open.exam, Answer(99, true), 422, "invalid_request"),
        ("ended, next", ended.exam, Next, 200, ""),
        ("ended, status", ended.exam, Status, 200, ""),
        ("ended, complete", ended.exam, Complete, 200, ""),
        ("ended, same answer again", ended.exam, Answer(ended_first, knows(ended_first)), 200, ""),
        (
            "ended, other answer to an answered item",
            ended.exam,
            Answer(ended_first, !knows(ended_first)),
            409,
            "already_answered",
        ),
        ("ended, answer to another item", ended.exam, Answer(36, true), 410, "exam_finished"),
        ("completed by hand, next", completed.exam, Next, 200, ""),
        ("completed by hand, complete again", completed.exam, Complete, 200, ""),
        (
            "completed by hand, answer to the last item",
            completed.exam,
            Answer(never, true),
            410,
            "exam_finished",
        ),
    ];
    for (name, exam, call, status, code) in table {
        let before = client.status(exam).await?;
        let reply = match call {
            Next => client.next(exam).await?,
            Answer(item, correct) => client.answer(exam, item, correct).await?,
            Status => client.status(exam).await?,
            Complete => client.post("/complete", json!({"exam_session_id": exam})).await?,
        };
        assert_eq!((reply.status, reply.code()), (status, code), "{name}: {reply:?}");
        if status >= 400 {
            assert_eq!(reply.content_type, "application/problem+json", "{name}");
        }
        if status == 409 {
            let expected = if exam == open.exam { json!(current) } else { Value::Null };
            assert_eq!(reply.body["item"]["id"], expected, "{name}: the current item is told");
        }
        assert_eq!(client.status(exam).await?, before, "{name} changed something");
    }
    assert_eq!(client.answer(open.exam, first, knows(first)).await?.body, open.replies[0]);
    let again = client.answer(ended.exam, ended_first, knows(ended_first)).await?;
    assert_eq!(again.body, ended.replies[0], "the first reply, also after the end");
    Ok(())
}

#[rstest]
#[tokio::test]
async fn eight_concurrent_identical_answers_are_one_event(#[values(false, true)] redis: bool) -> Result<()> {
    let redis = if redis { Some(Redis::start().await?) } else { None };
    let setup = Setup { redis_url: redis.as_ref().map(Redis::url), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    for _ in 0..20 {
        let exam = Examinee::start(&client, 10).await?;
        let item = exam.item.unwrap();
        let replies = join_all((0..8).map(|_| client.answer(exam.exam, item, true))).await;
        let replies: Vec<_> = replies.into_iter().collect::<Result<_>>()?;
        assert_eq!(replies[0].status, 200, "{:?}", replies[0]);
        assert!(replies.iter().all(|reply| reply == &replies[0]), "{replies:?}");
        assert_eq!(client.status(exam.exam).await?.body["items_completed"], 1);
    }
    Ok(())
}

#[tokio::test]
async fn concurrent_different_answers_have_one_winner() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    for _ in 0..20 {
        let exam = Examinee::start(&client, 10).await?;
        let item = exam.item.unwrap();
        let replies = join_all((0..8).map(|n| client.answer(exam.exam, item, n % 2 == 0))).await;
        let replies: Vec<_> = replies.into_iter().collect::<Result<_>>()?;
        let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(won.len(), 4, "the four that said the same as the winner: {replies:?}");
        assert!(replies.iter().all(|reply| reply.status == 200 || reply.code() == "already_answered"));
        assert_eq!(client.status(exam.exam).await?.body["items_completed"], 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_start_is_idempotent_by_key() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let headers = [("content-type", "application/json"), ("idempotency-key", "monday-42")];
    let body = r#"{"exam_type":"mock","max_items":5,"student_id":42}"#;
    let starts = join_all((0..8).map(|_| client.send_as(Method::POST, "/start", Some(body), &headers))).await;
    let starts: Vec<_> = starts.into_iter().collect::<Result<_>>()?;
    assert_eq!(starts[0].status, 200, "{:?}", starts[0]);
    assert!(starts.iter().all(|start| start == &starts[0]), "{starts:?}");
    let mut examinee = Examinee { exam: 1, item: starts[0].body["item"]["id"].as_i64(), replies: Vec::new() };
    examinee.answer(&client).await?;
    let again = client.send_as(Method::POST, "/start", Some(body), &headers).await?;
    assert_eq!(again, starts[0], "the first reply, also when the exam has gone on");
    let other = r#"{"exam_type":"mock","max_items":6,"student_id":42}"#;
    let other = client.send_as(Method::POST, "/start", Some(other), &headers).await?;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    assert_eq!(client.get("/exams").await?.body["count"], 1);
    Ok(())
}

#[tokio::test]
async fn a_token_is_required() -> Result<()> {
    let token = "0123456789abcdef0123456789abcdef";
    let folder = tempfile::TempDir::new()?;
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, token)?;
    let settings = format!("[auth]\nmode = \"token\"\ntoken_file = {token_file:?}\n");
    let setup = Setup { settings: Some(settings), token: Some(token.to_owned()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let trusted = service.client();
    let mut exam = Examinee::start(&trusted, 2).await?;
    exam.finish(&trusted).await?;
    let base = service.client();
    for wrong in [None, Some("0123456789abcdef0123456789abcdeX".to_owned())] {
        let stranger: Client = base.clone().with_token(wrong);
        for reply in [stranger.next(1).await?, stranger.post("/start", json!({"exam_type": "quiz"})).await?] {
            assert_eq!((reply.status, reply.code()), (401, "unauthorized"));
        }
        assert_eq!(stranger.get("/health/redis").await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn exams_are_listed_in_pages() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    for student in 1..=5 {
        let body = json!({"exam_type": "quiz", "max_items": 1, "student_id": student});
        client.post("/start", body).await?;
    }
    client.post("/complete", json!({"exam_session_id": 2})).await?;
    let page = client.get("/exams?status=in_progress&limit=3").await?.body;
    assert_eq!(page["count"], 4);
    let ids: Vec<_> = page["exams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exam| exam["exam_session_id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [1, 3, 4]);
    let page = client.get("/exams?status=in_progress&limit=3&after=4").await?.body;
    assert_eq!(page["exams"].as_array().unwrap().len(), 1);
    let page = client.get("/exams?student_id=2").await?.body;
    assert_eq!(page["exams"][0]["status"], "completed");
    assert_eq!(
        client.get("/exams?status=broken&limit=0&x=1").await?.body["errors"].as_array().unwrap().len(),
        3
    );
    Ok(())
}
