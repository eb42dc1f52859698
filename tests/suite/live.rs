//! Settings change while exams run: nothing restarts, and an invalid text changes nothing.

use anyhow::{Context, Result};
use contract::settings::revision;
use harness::service::Setup;
use harness::{Client, Examinee, Redis, Service, wait};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

async fn state(service: &Service) -> Result<Value> {
    Ok(reqwest::get(format!("{}/state", service.ops())).await?.json().await?)
}

/// Replaces the Settings file and waits until the service says that it has seen this text.
async fn change(service: &Service, text: &str) -> Result<Value> {
    // As a mounted ConfigMap does it: the new file takes the place of the old one at once.
    let new = service.path("settings.new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, service.path("settings.toml"))?;
    let wanted = revision(text);
    wait::until("the settings are seen", SOON, || async {
        let state = state(service).await.ok()?;
        let seen = state["settings_revision"] == wanted || state["settings_rejected"] == wanted;
        seen.then_some(state)
    })
    .await
}

#[tokio::test]
async fn the_store_changes_under_an_exam() -> Result<()> {
    let redis = Redis::start().await?;
    let memory = "[store]\nmode = \"memory\"\n".to_owned();
    let basic = format!("[store]\nmode = \"basic\"\nurl = \"{}\"\n", redis.url());
    let setup = Setup { settings: Some(memory.clone()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let pid = service.pid();
    let client = service.client();
    let mut examinee = Examinee::start(&client, 20).await?;
    let mut answers = 0;
    for (text, mode) in [(&basic, "basic"), (&memory, "memory"), (&basic, "basic"), (&memory, "memory")] {
        for _ in 0..3 {
            examinee.answer(&client).await?;
        }
        let state = change(&service, text).await?;
        assert_eq!((&state["mode"], &state["settings_rejected"]), (&json!(mode), &Value::Null), "{state}");
        examinee.answer(&client).await?;
        assert_eq!(client.status(examinee.exam).await?.body["store"], mode);
        answers += 4;
        if mode == "basic" {
            redis.snapshot(examinee.exam, answers).await?;
        }
    }
    examinee.finish(&client).await?;
    assert_eq!(service.pid(), pid, "nothing was restarted");
    let plain = Service::start().await?;
    let mut undisturbed = Examinee::start(&plain.client(), 20).await?;
    undisturbed.finish(&plain.client()).await?;
    assert_eq!(examinee.replies, undisturbed.replies, "bit by bit");
    Ok(())
}

#[tokio::test]
async fn an_invalid_settings_text_changes_nothing() -> Result<()> {
    let good = "[exam_types.first]\nmax_items = 7\n";
    let service = Service::start_with(Setup { settings: Some(good.to_owned()), ..Setup::default() }).await?;
    let client = service.client();
    let before = state(&service).await?;
    for wrong in [
        "[exam_types.first]\nmax_items = 0\n",
        "[exam_types.first]\nbank = \"none\"\n",
        "[exam_types.first.policy]\nselection = { criterion = \"luck\" }\n",
        "[auth]\nmode = \"token\"\ntoken_file = \"/nowhere\"\n",
        "not toml at all",
    ] {
        let told = change(&service, wrong).await?;
        assert_eq!(told["settings_revision"], before["settings_revision"], "{wrong}: {told}");
        assert_eq!(told["settings_rejected"], revision(wrong), "{wrong}: {told}");
        let started = client.post("/start", json!({"exam_type": "first"})).await?;
        assert_eq!((started.status, &started.body["max_items"]), (200, &json!(7)), "{started:?}");
    }
    let log = wait::until("the faults are logged", SOON, || async {
        let log = std::fs::read_to_string(service.path("service.log")).ok()?;
        log.contains("exam_types.first.max_items: must be 1 to 500").then_some(log)
    })
    .await?;
    assert_eq!(log.matches("not TOML").count(), 1, "each failure is told once: {log}");

    // Who goes back to what is in use has nothing refused any more.
    std::fs::write(service.path("settings.toml"), good)?;
    wait::until("the refusal is over", SOON, || async {
        state(&service).await.ok()?["settings_rejected"].is_null().then_some(())
    })
    .await?;

    // A new type, a new length, a door: the next request finds them; an exam that runs keeps its rules.
    let open = Examinee::start_as(&client, json!({"exam_type": "first"})).await?;
    let tokens = service.path("tokens");
    std::fs::write(&tokens, "0123456789abcdef\n")?;
    let door = format!(
        "[exam_types.first]\nmax_items = 3\n[exam_types.second]\n[auth]\nmode = \"token\"\ntoken_file = {tokens:?}\n"
    );
    let told = change(&service, &door).await?;
    assert_eq!(told["settings_rejected"], Value::Null, "{told}");
    assert_eq!(client.next(open.exam).await?.status, 401, "the door is closed");
    let known = |token: &str| service.client().with_token(Some(token.to_owned()));
    let status = known("0123456789abcdef").status(open.exam).await?;
    assert_eq!(status.body["max_items"], 7, "{status:?}");
    let second = known("0123456789abcdef").post("/start", json!({"exam_type": "second"})).await?;
    assert_eq!(second.status, 200, "{second:?}");
    // A rotated token is seen without any other change.
    std::fs::write(&tokens, "fedcba9876543210\n")?;
    let fresh: Client = known("fedcba9876543210");
    wait::until("the new token opens", SOON, || async {
        let reply = fresh.status(open.exam).await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await
    .context("rotation")?;
    assert_eq!(known("0123456789abcdef").status(open.exam).await?.status, 401, "and the old one does not");
    Ok(())
}
