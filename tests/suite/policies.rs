//! Exam types with their own policies: the features of the engine through the service, and across a crash.

use anyhow::{Context, Result};
use harness::process::program;
use harness::service::Setup;
use harness::{Client, Redis, Service};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use tokio::process::Command;

/// Ninety items: two areas, five that are tried out, twenty with four categories, one row that is bad.
fn bank() -> String {
    let mut text = "item_id,model,a,b,c,delta1,delta2,delta3,content,field_test,note\n".to_owned();
    for number in 0..90 {
        let (a, b) = (0.8 + f64::from(number % 7) * 0.2, f64::from(number % 23) / 6.0 - 1.9);
        let area = if number % 2 == 0 { "left" } else { "right" };
        let tried = if number >= 85 { "true" } else { "" };
        let row = match number {
            60..80 => format!("I{number},GPCM,{a},,,{},{b},{},{area},{tried},n", b - 0.8, b + 0.9),
            _ => format!("I{number},3PL,{a},{b},0.2,,,,{area},{tried},n"),
        };
        writeln!(text, "{row}").expect("a String should take any text");
    }
    text + "BAD,3PL,0,0,0.2,,,,left,,n\n"
}

fn settings(bank: &str, store: &str) -> String {
    format!(
        r#"
[[banks]]
name = "own"
file = "{bank}"
scaling = 1.7
columns = ["note"]

{store}
[exam_types.placement]
bank = "own"

[exam_types.placement.policy]
start = {{ items = ["I11"], theta = 0.3 }}
final_estimator = {{ method = "wl" }}
stop = {{ max_items = 10, min_items = 10 }}

[exam_types.placement.policy.constraints]
field_test = [4]
exposure = {{ method = "restricted", rate = 0.4 }}

[exam_types.placement.policy.constraints.content]
method = "kingsbury_zara"
shares = {{ left = 0.5, right = 0.5 }}
"#
    )
}

/// Sits an exam; polytomous items are answered with a choice. Gives the items and the last reply.
async fn sit(client: &Client) -> Result<(i64, Vec<i64>, Value)> {
    let started = client.post("/start", json!({"exam_type": "placement"})).await?;
    assert_eq!(started.status, 200, "{started:?}");
    let exam = started.body["exam_session_id"].as_i64().context("exam_session_id")?;
    let (mut items, mut reply) = (Vec::new(), started.body);
    while let Some(item) = reply["item"]["id"].as_i64() {
        items.push(item);
        let mut body = json!({"exam_session_id": exam, "item_id": item});
        match reply["item"]["code"].as_str().and_then(|code| code[1..].parse::<i64>().ok()) {
            Some(60..80) => body["choice"] = json!((exam + item) % 4 + 1),
            _ => body["correct"] = json!((exam * 31 + item * 17) % 5 < 3),
        }
        let answered = client.post("/answer", body).await?;
        assert_eq!(answered.status, 200, "{answered:?}");
        reply = answered.body;
    }
    Ok((exam, items, reply))
}

#[tokio::test]
async fn a_custom_policy_survives_a_crash() -> Result<()> {
    let redis = Redis::start().await?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("own.csv");
    std::fs::write(&file, bank())?;
    let store = format!("[store]\nmode = \"basic\"\nurl = \"{}\"\n", redis.url());
    let text = settings(&file.to_string_lossy(), &store) + "[api]\nbind = \"127.0.0.1:0\"\n";
    let setup = Setup { settings: Some(text), ..Setup::default() };
    let mut service = Service::start_with(setup).await?;
    let (mut given, exams): (HashMap<i64, usize>, usize) = (HashMap::new(), 40);
    for number in 0..exams {
        if number == exams / 2 {
            service.kill().await?;
            service.restart(None).await?;
        }
        let client = service.client();
        let (exam, items, last) = sit(&client).await?;
        assert_eq!((items.len(), items[0]), (10, 12), "the first item is fixed");
        assert!((86..=90).contains(&items[3]), "the fourth is tried out: {items:?}");
        let left = items.iter().filter(|item| **item < 86 && *item % 2 == 1).count();
        assert!((4..=5).contains(&left), "nine scored items, balanced: {items:?}");
        items.iter().for_each(|item| *given.entry(*item).or_default() += 1);
        let status = client.status(exam).await?.body;
        assert_eq!(status["standard_error_formula"], "information", "the final estimator is WL's: {status}");
        assert_ne!(status["theta"], last["theta"], "provisional and final estimates are two things");
    }
    for (item, count) in given.iter().filter(|(item, _)| **item != 12 && **item < 86) {
        assert!(*count <= exams * 2 / 5, "item {item} was given {count} times in {exams}");
    }
    service.kill().await?;
    let verify = |url: String| async move {
        Command::new(program("exam-service")?)
            .args(["verify", "--database", &url])
            .output()
            .await
            .map_err(anyhow::Error::from)
    };
    let url = format!("sqlite:{}", service.database().display());
    let verified = verify(url.clone()).await?;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && said.contains("40 exams, 440 events computed anew"), "{said}");
    // A changed answer shows at its exact step.
    let pool = crate::crash::database(&service).await?;
    let changes = [
        "UPDATE events SET at = at + 1 WHERE exam_id = 3 AND seq = 2",
        "UPDATE events SET body = replace(replace(replace(body, '\"category\":1', '\"category\":x'), \
         '\"category\":0', '\"category\":1'), '\"category\":x', '\"category\":0') WHERE exam_id = 4 AND seq = 2",
        "UPDATE banks SET body = body || ' '",
    ];
    for change in changes {
        assert_eq!(sqlx::query(change).execute(&pool).await?.rows_affected(), 1);
    }
    pool.close().await;
    let verified = verify(url).await?;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(!verified.status.success(), "{said}");
    for told in [
        "exam 3, event 2: its hash",
        "exam 4, event 2: its hash",
        "exam 4, event 2: stored",
        "it was changed since it was kept, for its name is not that of its content",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!verify("sqlite:/nowhere/exams.db".to_owned()).await?.status.success());
    Ok(())
}

#[tokio::test]
async fn invalid_policies_are_refused_by_field() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("own.csv");
    std::fs::write(&file, bank())?;
    let good = settings(&file.to_string_lossy(), "");
    let cases = [
        ("\"I11\"", "\"I111\"", "exam_types.placement.policy.start.items: the bank has no item \"I111\""),
        ("right = 0.5", "up = 0.5", "no area \"up\"; its areas are: left, right"),
        ("rate = 0.4", "rate = 1.4", "exposure: rate is 1.4"),
        ("max_items = 10", "max_itms = 10", "unknown field `max_itms`"),
        ("bank = \"own\"", "bank = \"own\"\nmax_items = 3", "holds all rules; remove max_items"),
    ];
    for (from, to, expected) in cases {
        let settings = folder.path().join("settings.toml");
        std::fs::write(&settings, good.replacen(from, to, 1))?;
        let settings = settings.to_string_lossy().into_owned();
        let mut command = Command::new(program("exam-service")?);
        let command = command.args(["serve", "--check", "--settings", &settings]).current_dir(folder.path());
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{to}: {said}");
    }
    Ok(())
}

/// A bank that is used up ends an exam, by its reason and with a result.
#[tokio::test]
async fn an_exhausted_bank_ends_the_exam() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("small.csv");
    std::fs::write(&file, "item_id,a,b\none,1,-1\ntwo,1,0\nthree,1,1\n")?;
    let text = format!(
        "[[banks]]\nname = \"small\"\nfile = {file:?}\nscaling = 1.0\n[exam_types.placement]\nbank = \"small\"\n"
    );
    let service = Service::start_with(Setup { settings: Some(text), ..Setup::default() }).await?;
    let client = service.client();
    let (exam, items, last) = sit(&client).await?;
    assert_eq!((items.len(), &last["termination_reason"]), (3, &json!("no_items_available")));
    let next = client.next(exam).await?.body;
    assert_eq!((&next["completed"], &next["theta"]), (&json!(true), &last["theta"]));
    Ok(())
}
