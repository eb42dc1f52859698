//! What omitted answers, early ends and coarse grids give: scores, abilities and their standard errors, in replies,
//! exports and simulations.

use crate::simulate::run;
use anyhow::{Context, Result};
use harness::service::Setup;
use harness::{Client, Service};
use serde_json::{Value, json};
use std::fmt::Write;

const SURVEY: &str = include_str!("cases/survey.csv");

/// Items so discriminating that catR's grid cannot hold the posterior.
fn sharp() -> String {
    let mut text = "item_id,model,a,b\n".to_owned();
    for number in 0..60 {
        writeln!(text, "S{number},2PL,{},{}", 8 + number % 5, f64::from(number) / 10.0 - 3.0)
            .expect("a String should take any text");
    }
    text
}

/// Exam types over the survey, a bank of the project's own, and the sharp one.
async fn service(folder: &std::path::Path) -> Result<Service> {
    let file = |name: &str, text: &str| -> Result<String> {
        std::fs::write(folder.join(name), text)?;
        Ok(folder.join(name).to_string_lossy().into_owned())
    };
    let (survey, sharp) = (file("survey.csv", SURVEY)?, file("sharp.csv", &sharp())?);
    let settings = format!(
        r#"
[[banks]]
name = "survey"
file = "{survey}"
scaling = 1.0
[[banks]]
name = "sharp"
file = "{sharp}"
scaling = 1.0
[exam_types.survey]
bank = "survey"
max_items = 9
[exam_types.zero]
bank = "survey"
policy = {{ stop = {{ max_items = 9 }}, omitted = {{ polytomous = {{ category = 0 }} }} }}
[exam_types.penalised]
policy = {{ stop = {{ max_items = 10, rules = [] }}, reporting = {{ min_answers = 2, incomplete = "penalised" }} }}
[exam_types.plain]
[exam_types.coarse]
bank = "sharp"
policy = {{ estimator = {{ method = "eap", grid = {{ from = -4.0, to = 4.0, nodes = 33 }} }}, stop = {{ max_items = 20, rules = [] }} }}
[exam_types.adaptive]
bank = "sharp"
policy = {{ estimator = {{ method = "adaptive_eap" }}, stop = {{ max_items = 20, rules = [] }} }}
"#
    );
    Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await
}

async fn start(client: &Client, exam_type: &str) -> Result<(i64, Value)> {
    let started = client.post("/start", json!({"exam_type": exam_type})).await?;
    anyhow::ensure!(started.status == 200, "{started:?}");
    Ok((started.body["exam_session_id"].as_i64().context("exam_session_id")?, started.body))
}

/// Answers the item of the reply, and gives the next reply.
async fn answer(client: &Client, exam: i64, reply: &Value, how: Value) -> Result<Value> {
    let mut body = how;
    body["exam_session_id"] = json!(exam);
    body["item_id"] = reply["item"]["id"].clone();
    let answered = client.post("/answer", body).await?;
    anyhow::ensure!(answered.status == 200, "{answered:?}");
    Ok(answered.body)
}

#[tokio::test]
async fn eight_omitted_items_of_a_survey_leave_the_prior() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let service = service(folder.path()).await?;
    let client = service.client();
    let (exam, mut reply) = start(&client, "survey").await?;
    for _ in 0..8 {
        reply = answer(&client, exam, &reply, json!({"omitted": true})).await?;
        assert_eq!((&reply["theta"], &reply["standard_error"]), (&json!(0.0), &json!(1.0)), "{reply}");
        assert_eq!(reply.get("correct"), None, "a missing answer is neither: {reply}");
    }
    // The same from the log alone.
    let client = service.client();
    let ended = client.post("/complete", json!({"exam_session_id": exam})).await?.body;
    assert_eq!(
        (&ended["theta"], &ended["standard_error"], &ended["score"]),
        (&json!(0.0), &json!(1.0), &Value::Null)
    );
    let url = format!("http://{}/api/adaptive/export", service.api());
    let rows = reqwest::get(url).await?.error_for_status()?.text().await?;
    let categories: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').nth(7)).collect();
    assert_eq!(categories, [""; 8], "{rows}");
    // A policy may take it for the lowest category.
    let (exam, reply) = start(&client, "zero").await?;
    let reply = answer(&client, exam, &reply, json!({"omitted": true})).await?;
    assert!(reply["theta"].as_f64() < Some(-0.3), "{reply}");
    // Under a dichotomous model it stays wrong.
    let (exam, reply) = start(&client, "plain").await?;
    let reply = answer(&client, exam, &reply, json!({"omitted": true})).await?;
    assert!(reply["theta"].as_f64() < Some(-0.1) && reply["correct"] == json!(false), "{reply}");
    Ok(())
}

#[tokio::test]
async fn who_leaves_at_once_gains_nothing() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let service = service(folder.path()).await?;
    let client = service.client();
    for (exam_type, answers) in [("plain", 0), ("penalised", 0), ("penalised", 1), ("penalised", 4)] {
        let (exam, mut reply) = start(&client, exam_type).await?;
        for _ in 0..answers {
            reply = answer(&client, exam, &reply, json!({"correct": true})).await?;
        }
        let ended = client.post("/complete", json!({"exam_session_id": exam})).await?.body;
        let theta = ended["theta"].as_f64().context("theta")?;
        assert!(ended["standard_error"].is_number(), "ability and its error are told: {ended}");
        if answers < 2 {
            assert_eq!(ended.get("score"), Some(&Value::Null), "{ended}");
        } else {
            let score = ended["score"].as_f64().context("score")?;
            let expected = (theta + 3.0) / 6.0 * 100.0 * 0.4;
            assert!((score - expected).abs() < 1e-9, "4 of 10 items: {ended}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_grid_too_coarse_for_its_posterior_is_told() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let service = service(folder.path()).await?;
    let client = service.client();
    for (exam_type, coarse) in [("coarse", true), ("adaptive", false)] {
        let (exam, mut reply) = start(&client, exam_type).await?;
        for number in 0..20 {
            reply = answer(&client, exam, &reply, json!({"correct": number % 2 == 0})).await?;
        }
        assert_eq!(reply["coarse"] == json!(true), coarse, "{exam_type}: {reply}");
        let status = client.status(exam).await?.body;
        assert_eq!(status["coarse"] == json!(true), coarse, "{exam_type}: {status}");
    }
    let bank = folder.path().join("sharp.csv").to_string_lossy().into_owned();
    let simulated =
        run(&["simulate", "--bank", &bank, "-n", "200", "--profile", "catR", "--items", "20"]).await?;
    let said = String::from_utf8_lossy(&simulated.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("grid too coarse")).context("a line on the grid")?;
    assert!(line.ends_with("1.000"), "{said}");
    // A target that the grid cannot hold is refused.
    let policy = folder.path().join("policy.toml");
    std::fs::write(
        &policy,
        "[estimator]\nmethod = \"eap\"\ngrid = { from = -4, to = 4, nodes = 33 }\n\
                             [stop]\nrules = [{ rule = \"standard_error\", at_most = 0.2 }]\n",
    )?;
    let refused = run(&["simulate", "--policy", &policy.to_string_lossy(), "-n", "10"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("node spacing 0.25"), "{said}");
    Ok(())
}
