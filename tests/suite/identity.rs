//! Whose exam it is, and how exams are found: ids of the caller, subjects of tokens, periods, sheets.

use crate::bank_files::case;
use anyhow::{Context, Result};
use harness::process::program;
use harness::service::Setup;
use harness::tokens::Signer;
use harness::{Client, Postgres, Service};
use rstest::rstest;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// The number of the signal, as POSIX has it.
const SIGPIPE: i32 = 13;

async fn start(client: &Client, body: Value) -> Result<i64> {
    let started = client.post("/start", body).await?;
    anyhow::ensure!(started.status == 200, "{started:?}");
    started.body["exam_session_id"].as_i64().context("exam_session_id")
}

/// The exams that a query finds.
async fn found(client: &Client, query: &str) -> Result<Vec<i64>> {
    let reply = client.get(&format!("/exams?{query}")).await?;
    anyhow::ensure!(reply.status == 200, "{query}: {reply:?}");
    let exams = reply.body["exams"].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(reply.body["count"] == exams.len(), "{reply:?}");
    Ok(exams.iter().filter_map(|exam| exam["exam_session_id"].as_i64()).collect())
}

#[rstest]
#[tokio::test]
async fn an_id_is_given_back_as_it_was_given(#[values("sqlite", "postgres")] database: &str) -> Result<()> {
    let postgres = if database == "postgres" { Some(Postgres::start().await?) } else { None };
    let setup = Setup { database_url: postgres.as_ref().map(Postgres::url), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client = service.client();
    let long = "x".repeat(128);
    let ids = [json!(7), json!("7"), json!("ada@school.example"), json!("urn:uuid:1-2_3.4"), json!(long)];
    let mut exams = Vec::new();
    for id in &ids {
        let body = json!({"exam_type": "quiz", "student_id": id, "class_id": "7b"});
        exams.push(start(&client, body).await?);
    }
    let other = start(&client, json!({"exam_type": "quiz", "student_id": 8, "class_id": 7})).await?;
    for (exam, id) in exams.iter().zip(&ids) {
        assert_eq!(client.status(*exam).await?.body["student_id"], *id);
    }
    assert_eq!(found(&client, "student_id=7").await?, exams[..2], "an integer and the same as a text");
    assert_eq!(found(&client, "student_id=ada@school.example").await?, [exams[2]]);
    assert_eq!(found(&client, "class_id=7b").await?, exams);
    assert_eq!(found(&client, "class_id=7").await?, [other]);
    assert_eq!(found(&client, "class_id=7b&student_id=nobody").await?, [0_i64; 0]);
    let table = client.get("/export?what=exams&student_id=ada@school.example").await?;
    assert_eq!(table.body.as_str().map(|text| text.lines().count()), Some(2), "{table:?}");
    let too_long = "x".repeat(129);
    for wrong in [
        json!(""),
        json!("a b"),
        json!("a/b"),
        json!("Zoë"),
        json!(-1),
        json!(1.5),
        json!([7]),
        json!(too_long),
    ] {
        let refused = client.post("/start", json!({"exam_type": "quiz", "student_id": wrong})).await?;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["field"]),
            (422, &json!("student_id")),
            "{refused:?}"
        );
    }
    Ok(())
}

/// Under signed tokens the subject is the student, so that a proctor finds, pauses and extends one person's exam.
#[tokio::test]
async fn a_proctor_finds_pauses_and_extends_one_person() -> Result<()> {
    let school = Signer::new("school");
    let mut service = Service::stopped(Setup::default())?;
    let keys = service.path("keys.json");
    std::fs::write(&keys, Signer::key_set(&[&school]))?;
    service.set_settings(format!(
        "[auth]\nmode = \"jwt\"\nkey_file = \"{}\"\naudience = \"exams\"\n[exam_types.timed]\nmax_seconds = 600\n",
        keys.display()
    ));
    service.restart(None).await?;
    let as_ = |name: &str, role: &str| service.client().with_token(Some(school.token(name, role)));
    let (ada, bob, proctor) = (as_("auth0|ada", "student"), as_("bob", "student"), as_("pia", "proctor"));
    let exam = start(&ada, json!({"exam_type": "timed"})).await?;
    start(&bob, json!({"exam_type": "timed"})).await?;
    assert_eq!(found(&proctor, "student_id=auth0%7Cada").await?, [exam]);
    assert_eq!(found(&proctor, "").await?.len(), 2);
    assert_eq!(proctor.status(exam).await?.body["student_id"], "auth0|ada");
    let one = json!({"exam_session_id": exam});
    assert_eq!(proctor.post("/pause", one.clone()).await?.status, 200);
    let more = proctor.post("/extend", json!({"exam_session_id": exam, "seconds": 600})).await?;
    assert_eq!(more.body["extended"], 1, "{more:?}");
    let left = proctor.post("/resume", one).await?.time["seconds_left"].as_f64().context("seconds_left")?;
    assert!((1150.0..=1200.0).contains(&left), "{left}");
    Ok(())
}

#[tokio::test]
async fn a_period_may_be_given_by_dates_and_offsets() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let exam = start(&client, json!({"exam_type": "quiz"})).await?;
    let started = client.status(exam).await?.body["started_at"].as_str().context("started_at")?.to_owned();
    let moment: jiff::Timestamp = started.parse()?;
    let day = moment.strftime("%Y-%m-%d").to_string();
    let tomorrow = (moment + jiff::SignedDuration::from_hours(24)).strftime("%Y-%m-%d").to_string();
    let berlin = moment.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)));
    let berlin = berlin.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    for (query, expected) in [
        (format!("from={day}"), true),
        (format!("to={day}"), true),
        (format!("from={day}&to={day}"), true),
        (format!("from={tomorrow}"), false),
        (format!("from={berlin}"), true),
        (format!("from={}", berlin.replace('+', "%2B")), true),
        (format!("to={berlin}"), false),
    ] {
        assert_eq!(!found(&client, &query).await?.is_empty(), expected, "{query}");
    }
    for (text, reason) in [
        ("2026-11-23T08:00:00", "has no offset"),
        ("yesterday", "must be a date"),
        ("2026-02-30", "must be a date"),
        ("23.11.2026", "must be a date"),
    ] {
        for path in ["exams", "export"] {
            let refused = client.get(&format!("/{path}?from={text}")).await?;
            let told = refused.body["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
            assert!(refused.status == 422 && told.contains(reason), "{text}: {refused:?}");
        }
    }
    Ok(())
}

/// Item ids that a spreadsheet would run, through API and command line, in the form of Excel in German.
#[tokio::test]
async fn an_export_is_safe_in_a_spreadsheet() -> Result<()> {
    let settings = format!(
        "[[banks]]\nname = \"formula\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.quiz]\nbank = \"formula\"\nmax_items = 3\n",
        case("formula.csv").display()
    );
    let mut service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
    let client = service.client();
    let mut reply = client.post("/start", json!({"exam_type": "quiz"})).await?.body;
    let exam = reply["exam_session_id"].as_i64().context("exam")?;
    while let Some(item) = reply["item"]["id"].as_i64() {
        reply = client.answer(exam, item, false).await?.body;
    }
    let ids = |text: &str, separator: u8| -> Result<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
        let column = reader.headers()?.iter().position(|name| name == "item_id").context("item_id")?;
        let mut ids = reader.records().map(|row| Ok(row?[column].to_owned())).collect::<Result<Vec<_>>>()?;
        ids.sort_unstable();
        Ok(ids)
    };
    let neutral = ["'+C", "'=HYPERLINK(1)", "'@B"];
    let text = |reply: harness::client::Reply| reply.body.as_str().map(str::to_owned).context("a table");
    assert_eq!(ids(&text(client.get("/export").await?)?, b',')?, neutral);
    let german = text(client.get("/export?for=excel&locale=de").await?)?;
    let body = german.strip_prefix('\u{feff}').context("a byte order mark")?;
    assert_eq!(ids(body, b';')?, neutral);
    assert!(body.contains(";-0,") || body.contains(";-1,"), "decimal commas: {body}");
    let lines = text(client.get("/export?format=jsonl").await?)?;
    assert!(lines.contains("\"=HYPERLINK(1)\""), "programs get every text unchanged: {lines}");
    for query in ["for=excel&locale=xx", "for=calc", "locale=de", "for=excel&format=jsonl"] {
        assert_eq!(client.get(&format!("/export?{query}")).await?.status, 422, "{query}");
    }
    let database = service.database_url();
    service.kill().await?;
    let mut command = Command::new(program("exam-service")?);
    command.args(["export", "--for", "excel", "--locale", "de", "--database", &database]);
    let output = command.output().await?;
    assert_eq!(String::from_utf8(output.stdout)?, german, "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// `exam-service … | head -1`: the writer ends when its reader is gone, without a word.
#[tokio::test]
async fn a_program_ends_silently_when_its_reader_goes() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let bank = folder.path().join("bank.csv");
    // Every item is warned of, so that the report is longer than a pipe holds.
    let rows: String = (0..5000).map(|number| format!("I{number},1,0,0.45\n")).collect();
    std::fs::write(&bank, format!("item_id,a,b,c\n{rows}"))?;
    let bank = bank.to_string_lossy().into_owned();
    for (name, words) in [("exam-service", ["bank", "check", &bank].as_slice()), ("exam-operator", &["crd"])]
    {
        let mut command = Command::new(program(name)?);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().context("stdout")?);
        stdout.read_line(&mut String::new()).await?;
        drop(stdout);
        let mut told = String::new();
        child.stderr.take().context("stderr")?.read_to_string(&mut told).await?;
        let status = child.wait().await?;
        assert_eq!(told, "", "{name}");
        let is_ended = status.signal() == Some(SIGPIPE) || (name == "exam-operator" && status.success());
        assert!(is_ended, "{name}: {status}");
    }
    Ok(())
}
