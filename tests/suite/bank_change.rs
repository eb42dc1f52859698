//! A bank file that changes while the service runs.

use crate::bank_files::case;
use anyhow::{Context, Result};
use harness::service::Setup;
use harness::{Client, Service, wait};
use serde_json::{Value, json};
use std::time::Duration;

const BEFORE: &str = include_str!("cases/keyfix_before.csv");
const AFTER: &str = include_str!("cases/keyfix_after.csv");

async fn state(service: &Service) -> Option<Value> {
    reqwest::get(format!("{}/state", service.ops())).await.ok()?.json().await.ok()
}

/// The version of the bank named `quiz`, once it is another than before.
async fn other_version(client: &Client, before: &str) -> Result<String> {
    wait::until("the bank is taken up", Duration::from_secs(20), || async {
        let listed = client.get("/banks").await.ok()?.body;
        let named = listed["banks"].as_array()?.iter().find(|bank| bank["names"] == json!(["quiz"]))?.clone();
        named["version"].as_str().filter(|version| *version != before).map(str::to_owned)
    })
    .await
}

/// Answers choice 1 to every item until `K1` was answered; whether that was correct.
async fn k1_is_choice_1(client: &Client, mut reply: Value) -> Result<bool> {
    let exam = reply["exam_session_id"].clone();
    loop {
        let (item, code) = (reply["item"]["id"].as_i64().context("item")?, reply["item"]["code"].clone());
        let body = json!({"exam_session_id": exam, "item_id": item, "choice": 1});
        reply = client.post("/answer", body).await?.body;
        if code == "K1" {
            return reply["correct"].as_bool().context("correct");
        }
    }
}

#[tokio::test]
async fn a_bank_file_that_changes_is_taken_up_for_new_exams() -> Result<()> {
    let mut service = Service::stopped(Setup::default())?;
    let file = service.path("quiz.csv");
    std::fs::write(&file, BEFORE)?;
    service.set_settings(format!(
        "[[banks]]\nname = \"quiz\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.quiz]\nbank = \"quiz\"\nmax_items = 2\n",
        file.display()
    ));
    service.restart(None).await?;
    let client = service.client();
    let start = || client.post("/start", json!({"exam_type": "quiz"}));
    let first = other_version(&client, "").await?;
    let running = start().await?.body;
    assert!(!k1_is_choice_1(&client, start().await?.body).await?);

    std::fs::write(&file, AFTER)?;
    let second = other_version(&client, &first).await?;
    assert!(k1_is_choice_1(&client, start().await?.body).await?, "a new exam has the new key");
    assert!(!k1_is_choice_1(&client, running).await?, "a running exam keeps its bank");

    // What cannot be used is refused and told; the old one stays.
    std::fs::write(&file, "item_id,a,b\nK1,1,0\nK1,-1,0\n".replace("item_id", "name"))?;
    let faults = wait::until("the refusal is told", Duration::from_secs(20), || async {
        state(&service).await?["settings_faults"].as_str().map(str::to_owned)
    })
    .await?;
    assert!(faults.contains("quiz.csv") && faults.contains("no column item_id"), "{faults}");
    assert!(k1_is_choice_1(&client, start().await?.body).await?);
    assert_eq!(other_version(&client, &first).await?, second);

    // As a mounted ConfigMap changes: a link to another folder.
    let (old, new) = (service.path("..1"), service.path("..2"));
    std::fs::create_dir(&old)?;
    std::fs::create_dir(&new)?;
    std::fs::write(old.join("quiz.csv"), AFTER)?;
    std::fs::write(new.join("quiz.csv"), BEFORE)?;
    std::fs::remove_file(&file)?;
    std::os::unix::fs::symlink(old.join("quiz.csv"), &file)?;
    wait::until("the refusal is over", Duration::from_secs(20), || async {
        state(&service).await?["settings_faults"].is_null().then_some(())
    })
    .await?;
    std::os::unix::fs::symlink(new.join("quiz.csv"), service.path("next"))?;
    std::fs::rename(service.path("next"), &file)?;
    assert_eq!(other_version(&client, &second).await?, first, "the first file again is the first bank again");
    Ok(())
}

/// `serve --check` fails where rows are kept out, unless told that this is meant.
#[tokio::test]
async fn a_check_fails_when_rows_are_kept_out() -> Result<()> {
    let service = Service::stopped(Setup::default())?;
    let settings = format!(
        "[[banks]]\nname = \"grm\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.survey]\nbank = \"grm\"\nmax_items = 1\n[database]\nurl = \"{}\"\n",
        case("hole_grm.csv").display(),
        service.database_url()
    );
    let file = service.path("settings.toml");
    std::fs::write(&file, settings)?;
    let file = file.to_string_lossy();
    for (options, is_good) in [(["--check"].as_slice(), false), (&["--check", "--quarantine"], true)] {
        let words: Vec<&str> =
            ["serve", "--settings", &*file].into_iter().chain(options.iter().copied()).collect();
        let output = crate::simulate::run(&words).await?;
        let told = crate::simulate::said(&output);
        assert_eq!(output.status.success(), is_good, "{told}");
        assert!(told.contains("kept out of bank grm: line 2: b2 is blank"), "{told}");
    }
    Ok(())
}
