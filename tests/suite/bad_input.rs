//! Invalid input: a problem with a stable code that names every fault, and no change.

use anyhow::Result;
use harness::{Client, Examinee, Service};
use reqwest::Method;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn fields(body: &Value) -> Vec<&str> {
    let errors = body["errors"].as_array();
    errors.into_iter().flatten().filter_map(|error| error["field"].as_str()).collect()
}

#[tokio::test]
async fn every_fault_of_a_body_is_reported() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let cases = [
        ("/start", json!({}), vec!["exam_type"]),
        ("/start", json!({"exam_type": "", "colour": 1}), vec!["colour"]),
        (
            "/start",
            json!({"exam_type": 5, "max_items": 0, "initial_theta": 7, "student_id": -1, "x": null}),
            vec!["exam_type", "max_items", "initial_theta", "student_id", "x"],
        ),
        ("/start", json!({"exam_type": "no such type"}), vec!["exam_type"]),
        ("/start", json!({"exam_type": "quiz", "max_items": "ten"}), vec!["max_items"]),
        ("/answer", json!({}), vec!["exam_session_id", "item_id", "choice"]),
        (
            "/answer",
            json!({"exam_session_id": "1", "item_id": -1, "correct": "yes", "response_time_ms": 99_999_999_999_i64}),
            vec!["exam_session_id", "item_id", "correct", "response_time_ms"],
        ),
        (
            "/answer",
            json!({"exam_session_id": 1, "item_id": 1, "correct": true, "choice": 1}),
            vec!["choice"],
        ),
        (
            "/answer",
            json!({"exam_session_id": 1, "item_id": 1, "selected_choice": 0}),
            vec!["selected_choice"],
        ),
        (
            "/answer",
            json!({"exam_session_id": 9_223_372_036_854_775_808_u64, "item_id": 1, "choice": 1}),
            vec!["exam_session_id"],
        ),
        ("/complete", json!({"exam_session_id": 1.5}), vec!["exam_session_id"]),
        ("/complete", json!([1]), vec!["", "exam_session_id"]),
    ];
    for (path, body, expected) in cases {
        let reply = client.post(path, body.clone()).await?;
        assert_eq!((reply.status, reply.code()), (422, "invalid_request"), "{path} {body}: {reply:?}");
        assert_eq!(reply.content_type, "application/problem+json");
        assert_eq!(fields(&reply.body), expected, "{path} {body}: {}", reply.body);
    }
    assert_eq!(client.get("/exams").await?.body["count"], 0, "nothing was written");
    Ok(())
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("{{\"exam_type\":\"{}\"}}", "x".repeat(10_000_000));
    let cases: [(&[u8], u16, &str); 6] = [
        (b"", 400, "malformed_json"),
        (b"{\"exam_type\":", 400, "malformed_json"),
        (b"{\"exam_type\":\"\xff\xfe\"}", 400, "malformed_json"),
        (b"{\"exam_type\":NaN}", 400, "malformed_json"),
        (deep.as_bytes(), 400, "malformed_json"),
        (long.as_bytes(), 413, "body_too_large"),
    ];
    for (body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        // A body that is far too large may be refused before it has been sent.
        match client.send_as(Method::POST, "/start", Some(body.to_vec()), &JSON).await {
            Ok(reply) => assert_eq!((reply.status, reply.code()), (status, code), "{shown}: {reply:?}"),
            Err(error) => assert_eq!(status, 413, "{shown}: {error:#}"),
        }
    }
    let plain = [("content-type", "text/plain")];
    let reply = client.send_as(Method::POST, "/start", Some("{\"exam_type\":\"quiz\"}"), &plain).await?;
    assert_eq!((reply.status, reply.code()), (415, "not_json"));
    assert_eq!(client.get("/exams").await?.body["count"], 0, "nothing was written");
    Ok(())
}

#[tokio::test]
async fn queries_paths_and_methods_are_checked() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let cases = [
        (Method::GET, "/next", 422, "invalid_request"),
        (Method::GET, "/next?exam_session_id=one", 422, "invalid_request"),
        (Method::GET, "/next?exam_session_id=1&exam_session_id=2", 422, "invalid_request"),
        (Method::GET, "/next?exam_session_id=1&item=2", 422, "invalid_request"),
        (Method::GET, "/next?exam_session_id=99999999999999999999", 422, "invalid_request"),
        (Method::GET, "/status?exam_session_id=-5", 404, "exam_not_found"),
        (Method::GET, "/nothing", 404, "not_found"),
        (Method::DELETE, "/start", 405, "method_not_allowed"),
    ];
    for (method, path, status, code) in cases {
        let reply = client.send(method.clone(), path, None).await?;
        assert_eq!((reply.status, reply.code()), (status, code), "{method} {path}: {reply:?}");
        assert_eq!(reply.content_type, "application/problem+json");
    }
    Ok(())
}

#[tokio::test]
async fn a_choice_must_belong_to_the_item() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let exam = Examinee::start(&client, 5).await?;
    let item = exam.item.unwrap();
    let body = json!({"exam_session_id": exam.exam, "item_id": item, "choice": 5});
    let reply = client.post("/answer", body).await?;
    assert_eq!((reply.status, fields(&reply.body)), (422, vec!["choice"]), "{reply:?}");
    let text = json!({"exam_session_id": exam.exam, "item_id": item, "submitted_answer": "2"});
    assert_eq!(client.post("/answer", text).await?.status, 200, "a number may come as a text");
    still_open(&client, exam.exam).await
}

async fn still_open(client: &Client, exam: i64) -> Result<()> {
    let status = client.status(exam).await?.body;
    assert_eq!((&status["status"], &status["items_completed"]), (&json!("in_progress"), &json!(1)));
    Ok(())
}
