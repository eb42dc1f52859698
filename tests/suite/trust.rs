//! Who may do and see what: signed tokens, roles, exams of others, rate limits.

use anyhow::{Context, Result};
use harness::service::Setup;
use harness::tokens::Signer;
use harness::{Client, Service, wait};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A service that believes these signers.
async fn service(signers: &[&Signer], more: &str) -> Result<Service> {
    let mut service = Service::stopped(Setup::default())?;
    let keys = service.path("keys.json");
    std::fs::write(&keys, Signer::key_set(signers))?;
    service.set_settings(format!(
        "[auth]\nmode = \"jwt\"\nkey_file = \"{}\"\naudience = \"exams\"\n{more}",
        keys.display()
    ));
    service.restart(None).await?;
    Ok(service)
}

fn as_(service: &Service, token: String) -> Client {
    service.client().with_token(Some(token))
}

async fn started(client: &Client, exam_type: &str) -> Result<(i64, i64)> {
    let reply = client.post("/start", json!({"exam_type": exam_type})).await?;
    anyhow::ensure!(reply.status == 200, "{reply:?}");
    let item = reply.body["item"]["id"].as_i64().context("item")?;
    Ok((reply.body["exam_session_id"].as_i64().context("exam_session_id")?, item))
}

/// Every call, by everybody: on an exam that is Ada's.
#[tokio::test]
async fn each_role_does_what_it_may() -> Result<()> {
    let school = Signer::new("school");
    let service = service(&[&school], "").await?;
    let ada = as_(&service, school.token("ada", "student"));
    let bob = as_(&service, school.token("bob", "student"));
    let proctor = as_(&service, school.token("pia", "proctor"));
    let admin = as_(&service, school.token("ann", "admin"));
    let stranger = as_(&service, Signer::new("nobody").token("ada", "admin"));
    let (exam, item) = started(&ada, "placement").await?;
    let one = json!({"exam_session_id": exam});
    let answer = json!({"exam_session_id": exam, "item_id": item, "choice": 1});
    let more = json!({"exam_session_id": exam, "seconds": 60});
    let (get, post) = (Method::GET, Method::POST);
    let id = format!("?exam_session_id={exam}");
    // The call, then what Bob, Pia, Ann, Ada and a stranger get.
    let table: [(&Method, String, Option<&Value>, [u16; 5]); 11] = [
        (&get, format!("/next{id}"), None, [404, 200, 200, 200, 401]),
        (&get, format!("/status{id}"), None, [404, 200, 200, 200, 401]),
        (&get, "/exams".into(), None, [403, 200, 200, 403, 401]),
        (&post, "/pause".into(), Some(&one), [403, 200, 200, 403, 401]),
        (&post, "/extend".into(), Some(&more), [403, 200, 200, 403, 401]),
        (&post, "/answer".into(), Some(&answer), [404, 403, 409, 409, 401]),
        (&post, "/resume".into(), Some(&one), [403, 200, 200, 403, 401]),
        (&post, "/answer".into(), Some(&answer), [404, 403, 200, 200, 401]),
        (&post, "/complete".into(), Some(&one), [404, 200, 200, 200, 401]),
        (&post, "/pause".into(), Some(&one), [403, 410, 410, 403, 401]),
        (&get, format!("/status{id}"), None, [404, 200, 200, 200, 401]),
    ];
    for (method, path, body, expected) in table {
        for (who, client, status) in [
            ("bob", &bob, expected[0]),
            ("proctor", &proctor, expected[1]),
            ("admin", &admin, expected[2]),
            ("ada", &ada, expected[3]),
            ("stranger", &stranger, expected[4]),
        ] {
            let reply = client.send(method.clone(), &path, body.cloned()).await?;
            assert_eq!(reply.status, status, "{who} {method} {path}: {reply:?}");
        }
    }
    // To Bob an exam of Ada's and one that never was are the same.
    let (theirs, none) = (bob.status(exam).await?, bob.status(exam + 1_000_000).await?);
    let mut expected = none.body.clone();
    expected["detail"] = json!(format!("there is no exam {exam}"));
    assert_eq!((theirs.status, theirs.body), (none.status, expected));
    assert_eq!(proctor.post("/start", json!({"exam_type": "quiz"})).await?.status, 403);
    Ok(())
}

/// A student neither grades, nor bends an exam, nor is somebody else.
#[tokio::test]
async fn a_student_may_not_send_trusted_fields() -> Result<()> {
    let school = Signer::new("school");
    let service = service(&[&school], "").await?;
    let ada = as_(&service, school.token("ada", "student"));
    for (field, value) in [
        ("max_items", json!(1)),
        ("initial_theta", json!(3.0)),
        ("student_id", json!(7)),
        ("class_id", json!(7)),
        ("extra_time", json!(1.0)),
    ] {
        let reply = ada.post("/start", json!({"exam_type": "placement", field: value})).await?;
        assert_eq!((reply.status, reply.code()), (403, "forbidden"), "{reply:?}");
        assert_eq!(reply.body["errors"][0]["field"], field);
    }
    let (exam, item) = started(&ada, "placement").await?;
    let graded = ada.answer(exam, item, true).await?;
    assert_eq!((graded.status, &graded.body["errors"][0]["field"]), (403, &json!("correct")));
    let body = json!({"exam_session_id": exam, "item_id": item, "choice": 1});
    assert_eq!(ada.post("/answer", body).await?.status, 200);
    let admin = as_(&service, school.token("ann", "admin"));
    assert_eq!(
        admin.status(exam).await?.body["items_completed"],
        1,
        "one answer, the one that was graded here"
    );
    Ok(())
}

/// A student sees of the measurement what the exam type shows, and nothing else, in every reply.
#[tokio::test]
async fn a_student_sees_only_what_the_exam_type_shows() -> Result<()> {
    let school = Signer::new("school");
    let types = "[exam_types.blind]\nmax_items = 3\nmin_items = 3\n\
                 [exam_types.open]\nmax_items = 3\nmin_items = 3\nstudents_see = [\"correct\", \"ability\", \"score\"]\n\
                 [exam_types.score]\nmax_items = 3\nmin_items = 3\nstudents_see = [\"score\"]\n";
    let service = service(&[&school], types).await?;
    let ada = as_(&service, school.token("ada", "student"));
    let admin = as_(&service, school.token("ann", "admin"));
    let ability =
        ["theta", "current_theta", "standard_error", "standard_error_formula", "at_bound", "initial_theta"];
    for (exam_type, sees_correct, sees_ability, sees_score) in
        [("blind", false, false, false), ("open", true, true, true), ("score", false, false, true)]
    {
        let start = ada.post("/start", json!({"exam_type": exam_type})).await?.body;
        let exam = start["exam_session_id"].as_i64().context("exam_session_id")?;
        let (mut item, mut replies) = (start["item"]["id"].as_i64(), vec![start]);
        while let Some(current) = item {
            replies.push(ada.next(exam).await?.body);
            replies.push(ada.status(exam).await?.body);
            let body = json!({"exam_session_id": exam, "item_id": current, "choice": 1});
            let reply = ada.post("/answer", body.clone()).await?;
            assert_eq!(ada.post("/answer", body).await?.body, reply.body, "a retry reads the same");
            assert_eq!(reply.body.get("correct").is_some(), sees_correct, "{reply:?}");
            assert!(reply.body.get("score").is_none());
            item = reply.body["item"]["id"].as_i64();
            replies.push(reply.body);
        }
        for reply in &replies {
            assert!(sees_ability || !ability.iter().any(|name| reply.get(*name).is_some()), "{reply}");
            assert!(exam_type == "open" || reply.get("score").is_none(), "not before the end: {reply}");
        }
        for end in [
            ada.next(exam).await?.body,
            ada.status(exam).await?.body,
            ada.post("/complete", json!({"exam_session_id": exam})).await?.body,
        ] {
            assert_eq!(end.get("score").is_some(), sees_score, "{end}");
            assert_eq!(end.get("theta").is_some(), sees_ability, "{end}");
        }
        let whole = admin.status(exam).await?.body;
        assert!(whole["theta"].is_number() && whole["score"].is_number(), "{whole}");
    }
    Ok(())
}

/// Keys go and come while exams run: as a key file in a Secret does it.
#[tokio::test]
async fn keys_rotate_without_a_restart() -> Result<()> {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let service = service(&[&old], "").await?;
    let (before, after) = (old.token("ada", "student"), new.token("ada", "student"));
    let (exam, _) = started(&as_(&service, before.clone()), "placement").await?;
    let status = |token: &String| {
        let client = as_(&service, token.clone());
        async move { client.status(exam).await.map(|reply| reply.status) }
    };
    assert_eq!((status(&before).await?, status(&after).await?), (200, 401));
    for (signers, expected) in [(vec![&old, &new], (200, 200)), (vec![&new], (401, 200))] {
        let next = service.path("keys.next");
        std::fs::write(&next, Signer::key_set(&signers))?;
        std::fs::rename(&next, service.path("keys.json"))?;
        wait::until("the keys are taken over", Duration::from_secs(10), || async {
            ((status(&before).await.ok()?, status(&after).await.ok()?) == expected).then_some(())
        })
        .await?;
    }
    // A file that is of no use opens to nobody new, and those in use stay.
    std::fs::write(service.path("keys.json"), "{}")?;
    wait::until("the refusal is told", Duration::from_secs(10), || async {
        let state: Value = reqwest::get(format!("{}/state", service.ops())).await.ok()?.json().await.ok()?;
        state["settings_rejected"].is_string().then_some(())
    })
    .await?;
    assert_eq!((status(&before).await?, status(&after).await?), (401, 200));
    Ok(())
}

/// Each caller has their own allowance, and no header gives them another.
#[tokio::test]
async fn rate_limited_callers_get_retry_after() -> Result<()> {
    let school = Signer::new("school");
    let service = service(&[&school], "[limits]\nrequests_per_second = 1\nburst = 5\n").await?;
    let (ada, bob) = (school.token("ada", "student"), school.token("bob", "student"));
    let (exam, _) = started(&as_(&service, ada.clone()), "placement").await?;
    let path = format!("/status?exam_session_id={exam}");
    let mut refused = None;
    for call in 0..30 {
        let forged = format!("10.0.0.{call}");
        let headers =
            [("x-forwarded-for", forged.as_str()), ("forwarded", "for=1.2.3.4"), ("x-real-ip", &forged)];
        let reply = as_(&service, ada.clone()).send_as(Method::GET, &path, None::<String>, &headers).await?;
        if reply.status == 429 {
            refused.get_or_insert((call, reply));
        }
    }
    let (call, reply) = refused.context("thirty calls at once should be too many")?;
    assert!((4..10).contains(&call), "refused from call {call}");
    assert_eq!((reply.code(), reply.retry_after), ("too_many_requests", Some(1)));
    assert_eq!(as_(&service, bob).get("/status?exam_session_id=999").await?.status, 404, "Bob has his own");
    // Whoever tries out tokens is counted by where they come from.
    let mut statuses = Vec::new();
    for guess in 0..30 {
        let token = Signer::new(&format!("guess {guess}")).token("ada", "admin");
        statuses.push(as_(&service, token).get(&path).await?.status);
    }
    assert!(statuses.contains(&401) && statuses.contains(&429), "{statuses:?}");
    let again = wait::until("Ada may come again", Duration::from_secs(10), || async {
        let reply = as_(&service, ada.clone()).get(&path).await.ok()?;
        (reply.status == 200).then_some(())
    });
    again.await
}

/// Behind a proxy of one's own, callers are told apart by what it appends.
#[tokio::test]
async fn behind_a_trusted_proxy_each_address_is_a_caller() -> Result<()> {
    let settings = "[limits]\nrequests_per_second = 1\nburst = 3\ntrusted_proxies = 1\n";
    let service = Service::start_with(Setup { settings: Some(settings.into()), ..Setup::default() }).await?;
    let client = service.client();
    let call = |left: String, heard: &'static str| {
        let client = client.clone();
        async move {
            let header = format!("{left}, {heard}");
            let headers = [("x-forwarded-for", header.as_str())];
            let path = "/status?exam_session_id=1";
            client.send_as(Method::GET, path, None::<String>, &headers).await.map(|reply| reply.status)
        }
    };
    let mut statuses = Vec::new();
    for number in 0..10 {
        statuses.push(call(format!("10.1.1.{number}"), "203.0.113.7").await?);
    }
    assert!(statuses[..3].iter().all(|status| *status == 404) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(call("203.0.113.7".into(), "203.0.113.8").await?, 404, "another address, another caller");
    Ok(())
}
