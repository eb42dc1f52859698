//! The OpenAPI document: served as committed, shown without requests to other hosts, and true of every call.
//! (`harness::contract` validates every reply of every test.)

use anyhow::Result;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Service};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

#[tokio::test]
async fn the_document_is_served_and_shown() -> Result<()> {
    let service = Service::start().await?;
    let base = format!("http://{}", service.api());
    let served: Value = reqwest::get(format!("{base}/openapi.json")).await?.json().await?;
    assert_eq!(served, serde_json::from_str::<Value>(service::http::openapi::DOCUMENT)?);
    let (version, release) = (&served["openapi"], &served["info"]["version"]);
    assert_eq!((version, release), (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION"))));
    let page = reqwest::get(format!("{base}/docs/")).await?.error_for_status()?.text().await?;
    assert!(page.contains("swagger-ui-bundle.js") && !page.contains("https://"), "{page}");
    let bundle = reqwest::get(format!("{base}/docs/swagger-ui-bundle.js")).await?.error_for_status()?;
    assert!(bundle.bytes().await?.len() > 100_000);
    Ok(())
}

/// Wrong values for every field of every request, one at a time, and all kinds of junk: each refused by a problem
/// that the document knows, never by a 5xx. Values are drawn from what JSON can be at its edges.
#[rstest]
#[tokio::test]
async fn strange_requests_get_clear_replies(#[values("sqlite", "postgres")] database: &str) -> Result<()> {
    let postgres = if database == "postgres" { Some(Postgres::start().await?) } else { None };
    let setup = Setup { database_url: postgres.as_ref().map(Postgres::url), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    // Number 1 is among the strange values; that exam is for them.
    Examinee::start(&client, 5).await?;
    let mut examinee = Examinee::start(&client, 5).await?;
    let strange = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(1.5),
        json!(1e308),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(9_007_199_254_740_993_i64),
        json!(""),
        json!("1"),
        json!("placement"),
        json!("' OR 1=1; DROP TABLE exams; --"),
        json!("\u{0}\r\nX-Injected: yes\u{202e}"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": {"b": {"c": []}}}),
    ];
    let (exam, item) = (examinee.exam, examinee.item.unwrap_or_default());
    let good = [
        (
            "/start",
            json!({"exam_type": "placement", "max_items": 5, "initial_theta": 0.0, "student_id": 1, "class_id": 1}),
        ),
        (
            "/answer",
            json!({"exam_session_id": exam, "item_id": item + 1, "choice": 1, "response_time_ms": 5}),
        ),
        (
            "/answer",
            json!({"exam_session_id": exam, "item_id": item + 1, "correct": true, "selected_choice": 1}),
        ),
        ("/complete", json!({"exam_session_id": exam + 1_000_000})),
        ("/pause", json!({"exam_session_id": exam + 1_000_000})),
        ("/resume", json!({"exam_session_id": exam + 1_000_000})),
        ("/extend", json!({"exam_session_id": exam + 1_000_000, "seconds": 5})),
        ("/extend", json!({"exam_type": "nobody's", "seconds": 5})),
    ];
    let mut calls = 0;
    let mut refused = |status: u16, what: &dyn std::fmt::Debug| {
        calls += 1;
        assert!((200..500).contains(&status), "{status}: {what:?}");
    };
    for (path, body) in &good {
        let names: Vec<&String> = body.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
        for (name, value) in names.iter().flat_map(|name| strange.iter().map(move |value| (name, value))) {
            let mut body = body.clone();
            body[name.as_str()] = value.clone();
            let reply = client.post(path, body).await?;
            refused(reply.status, &(path, name, value));
        }
        for value in &strange {
            refused(client.post(path, value.clone()).await?.status, &(path, value));
        }
    }
    let queries = ["", "?", "?exam_session_id", "?exam_session_id=", "?exam_session_id=1&exam_session_id=2"]
        .map(str::to_owned)
        .into_iter()
        .chain(
            ["-1", "0", "1e3", "9223372036854775808", "%00", "%ff", "1%0d%0aX:1", "' OR 1=1"]
                .map(|id| format!("?exam_session_id={id}")),
        );
    for query in queries {
        for path in ["/next", "/status"] {
            let reply = client.get(&format!("{path}{query}")).await?;
            refused(reply.status, &(path, &query));
        }
    }
    for query in [
        "?limit=0",
        "?limit=501",
        "?limit=-1",
        "?after=x",
        "?status=open",
        "?student_id=1.5",
        "?who=me",
        "?exam_type=%27",
    ] {
        refused(client.get(&format!("/exams{query}")).await?.status, &query);
    }
    for path in [
        "/exams?exam_type=%00",
        "/export?exam_type=%00",
        "/export?what=%00",
        "/banks/%00",
        "/banks/x",
        "/banks/%ff",
    ] {
        let reply = client.get(path).await?;
        refused(reply.status, &path);
        assert!(reply.status >= 400, "{path}: {reply:?}");
    }
    for body in [&b"item_id,a,b\nX,1,0\0\n"[..], b"\0", b"item_id\n", b"\xef\xbb\xbfitem_id,a,b\nX,1,0\n"] {
        let headers = [("content-type", "text/csv")];
        let reply = client.send_as(Method::PUT, "/banks?scaling=1", Some(body.to_vec()), &headers).await?;
        refused(reply.status, &body);
    }
    junk(&client, &mut refused).await?;
    println!("{calls} strange requests");
    // The exam has not noticed.
    examinee.finish(&client).await?;
    assert_eq!(examinee.replies.len(), 5);
    Ok(())
}

async fn junk(client: &Client, refused: &mut impl FnMut(u16, &dyn std::fmt::Debug)) -> Result<()> {
    let json_type = [("content-type", "application/json")];
    let deep = "[".repeat(20_000);
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"\xff\xfe",
        b"{\"exam_type\":\"\xc3\x28\"}",
        b"nul",
        deep.as_bytes(),
        b"{\"a\":1,\"a\":2}",
    ];
    for body in bodies {
        for path in ["/start", "/answer", "/complete"] {
            let reply = client.send_as(Method::POST, path, Some(body.to_vec()), &json_type).await?;
            refused(reply.status, &(path, body.len()));
        }
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::GET] {
        let reply = client.send_as(method.clone(), "/answer", None::<Vec<u8>>, &[]).await?;
        refused(reply.status, &method);
    }
    let keys = [" ", "\u{e9}", "x y"];
    for key in keys {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = r#"{"exam_type":"placement"}"#;
        let reply = client.send_as(Method::POST, "/start", Some(body), &headers).await?;
        refused(reply.status, &key);
    }
    Ok(())
}
