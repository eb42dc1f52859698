//! What can be started, who may see it, and whether an examinee has passed.

use anyhow::{Context, Result};
use harness::Service;
use harness::service::Setup;
use harness::tokens::Signer;
use serde_json::json;

const TYPES: &str = r#"
[exam_types.quiz]
max_items = 500
max_seconds = 600
item_seconds = 90
attempts = 2
students_see = ["score"]
[exam_types.pass]
policy = { stop = { max_items = 8, min_items = 2, rules = [{ rule = "interval", cuts = [0.5], confidence = 0.95 }] } }
students_see = ["score"]
[exam_types.levels]
policy = { stop = { max_items = 2, min_items = 2, rules = [{ rule = "sprt", cuts = [-1.0, 1.0], delta = 0.1, alpha = 0.05, beta = 0.05 }] } }
"#;

#[tokio::test]
async fn exam_types_are_told_to_whoever_may_start_them() -> Result<()> {
    let school = Signer::new("school");
    let mut service = Service::stopped(Setup::default())?;
    let keys = service.path("keys.json");
    std::fs::write(&keys, Signer::key_set(&[&school]))?;
    let auth = format!("[auth]\nmode = \"jwt\"\nkey_file = \"{}\"\naudience = \"exams\"\n", keys.display());
    service.set_settings(format!("{auth}{TYPES}"));
    service.restart(None).await?;
    let as_ = |role: &str| service.client().with_token(Some(school.token("ada", role)));
    let told = as_("student").get("/exam-types").await?;
    let quiz =
        told.body["exam_types"].as_array().and_then(|types| types.iter().find(|kind| kind["name"] == "quiz"));
    assert_eq!(
        quiz.context("quiz")?,
        &json!({
            "name": "quiz", "min_items": 10, "max_items": 36, "max_seconds": 600, "item_seconds": 90,
            "expires_after_seconds": 604_800, "attempts": 2, "resume": false, "students_see": ["score"],
        })
    );
    let said = |body: &serde_json::Value| {
        [&body["start_fields"], &body["may_grade"], &body["is_known"]].map(Clone::clone)
    };
    assert_eq!(said(&told.body), [json!([]), json!(false), json!(true)]);
    let admin = as_("admin").get("/exam-types").await?;
    assert_eq!(said(&admin.body)[1..], [json!(true), json!(false)]);
    assert!(
        admin.body["start_fields"].as_array().is_some_and(|fields| fields.contains(&json!("student_id")))
    );
    assert_eq!(as_("proctor").get("/exam-types").await?.code(), "forbidden");
    assert_eq!(service.client().get("/exam-types").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_result_says_the_class() -> Result<()> {
    let service = Service::start_with(Setup { settings: Some(TYPES.into()), ..Setup::default() }).await?;
    let client = service.client();
    for (kind, correct, expected) in [
        ("pass", true, json!({"class": 2, "classes": 2, "passed": true})),
        ("pass", false, json!({"class": 1, "classes": 2, "passed": false})),
        ("levels", false, json!({"classes": 3})),
    ] {
        let started = client.post("/start", json!({"exam_type": kind})).await?.body;
        let exam = started["exam_session_id"].as_i64().context("exam")?;
        assert_eq!(client.status(exam).await?.body["classification"], json!(null), "no score, no class");
        let mut item = started["item"]["id"].as_i64();
        while let Some(id) = item {
            item = client.answer(exam, id, correct).await?.body["item"]["id"].as_i64();
        }
        let told = client.status(exam).await?.body["classification"].clone();
        for (name, value) in expected.as_object().context("expected")? {
            assert_eq!(&told[name], value, "{kind}: {told}");
        }
        assert!(told["certainty"].as_f64().is_some_and(|sure| (0.0..=1.0).contains(&sure)), "{told}");
        assert_eq!(told.get("passed").is_some(), kind == "pass", "{told}");
    }
    Ok(())
}
