//! Exports contain the complete log in both formats, without identity.

use anyhow::{Context, Result};
use harness::process::program;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Service};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::process::Command;

/// What was told to whom, in order: exam, item, theta.
type Told = Vec<(i64, i64, f64)>;

async fn sit(client: &Client, exams: usize) -> Result<Told> {
    let mut told = Vec::new();
    for number in 0..exams {
        let kind = if number % 3 == 0 { "quiz" } else { "placement" };
        let body =
            json!({"exam_type": kind, "max_items": 4, "student_id": 987_654_321, "class_id": 123_454_321});
        let mut examinee = Examinee::start_as(client, body).await?;
        while let Some(item) = examinee.item {
            examinee.answer(client).await?;
            let theta = examinee.replies.last().and_then(|reply| reply["theta"].as_f64());
            told.push((examinee.exam, item, theta.context("theta")?));
        }
    }
    Ok(told)
}

fn rows(csv: &str) -> Result<Vec<HashMap<String, String>>> {
    csv::Reader::from_reader(csv.as_bytes()).deserialize().map(|row| Ok(row?)).collect()
}

fn lines(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[rstest]
#[tokio::test]
async fn an_export_contains_the_log(#[values("sqlite", "postgres")] database: &str) -> Result<()> {
    let postgres = if database == "postgres" { Some(Postgres::start().await?) } else { None };
    let setup = Setup { database_url: postgres.as_ref().map(Postgres::url), ..Setup::default() };
    let mut service = Service::start_with(setup).await?;
    // More than two pages.
    let told = sit(&service.client(), 230).await?;
    let get = |query: &str| {
        let url = format!("http://{}/api/adaptive/export{query}", service.api());
        async move { anyhow::Ok(reqwest::get(url).await?.error_for_status()?.text().await?) }
    };
    let csv = get("").await?;
    let answers = rows(&csv)?;
    assert_eq!(answers.len(), told.len());
    for (row, (exam, item, theta)) in answers.iter().zip(&told) {
        assert_eq!((&row["exam_session_id"], &row["item"]), (&exam.to_string(), &item.to_string()));
        assert_eq!(row["theta"].parse::<f64>()?.to_bits(), theta.to_bits(), "{row:?}");
        assert!(row["item_id"].starts_with("ALG") && ["correct", "wrong"].contains(&&*row["submitted"]));
    }
    let json = get("?format=jsonl").await?;
    let same = lines(&json)?;
    assert!(same.len() == told.len() && same[0]["theta"].as_f64() == Some(told[0].2));
    let exams = rows(&get("?what=exams").await?)?;
    assert_eq!(exams.len(), 230);
    assert!(
        exams
            .iter()
            .all(|row| row["termination_reason"] == "max_items_reached" && row["items_completed"] == "4")
    );
    assert_eq!(rows(&get("?what=exams&exam_type=quiz").await?)?.len(), 77);
    let middle = &exams[100]["started_at"];
    let (early, late) =
        (get(&format!("?what=exams&to={middle}")).await?, get(&format!("?what=exams&from={middle}")).await?);
    assert_eq!(rows(&early)?.len() + rows(&late)?.len(), 230);
    let nothing = get("?what=exams&exam_type=none").await?;
    assert_eq!(
        (nothing.lines().count(), nothing.lines().next()),
        (1, csv_heading(&get("?what=exams").await?))
    );
    for text in [&csv, &json, &early] {
        assert!(!text.contains("987654321") && !text.contains("123454321"), "who sat it is not measurement");
    }
    // The program writes the same, to a file that is whole.
    let url = service.database_url();
    service.kill().await?;
    let out = service.path("answers.csv");
    let mut command = Command::new(program("exam-service")?);
    let output = command.args(["export", "--database", &url, "--out"]).arg(&out).output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(out)?, csv);
    Ok(())
}

fn csv_heading(text: &str) -> Option<&str> {
    text.lines().next()
}

/// A reader that takes a little and goes away holds nothing up; one that asks for nonsense is told.
#[tokio::test]
async fn a_disconnected_reader_blocks_nothing() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    sit(&client, 120).await?;
    let url = format!("http://{}/api/adaptive/export", service.api());
    for _ in 0..50 {
        let mut response = reqwest::get(&url).await?.error_for_status()?;
        response.chunk().await?.context("a first page")?;
    }
    let mut examinee = Examinee::start(&client, 5).await?;
    examinee.finish(&client).await?;
    for query in ["?what=people", "?format=xml", "?from=yesterday", "?who=me"] {
        let refused = client.get(&format!("/export{query}")).await?;
        assert_eq!((refused.status, refused.code()), (422, "invalid_request"), "{query}");
    }
    Ok(())
}
