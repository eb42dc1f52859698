//! An outage takes time from nobody, and neither does a clock that is set: what was lost is known, given back once,
//! and the end of an exam is held until somebody could do so.

use crate::bank_files::case;
use anyhow::{Context, Result};
use harness::client::Reply;
use harness::service::Setup;
use harness::{Client, Service, wait};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const SETTINGS: &str = "[exam_types.timed]\nmax_seconds = 600\n[exam_types.long]\nmax_seconds = 7200\n\
                        [exam_types.short]\nmax_seconds = 7200\nexpires_after_seconds = 7200\n";
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A service whose clock (not its monotonic clock) is set by the file `clock` in its folder, as in `+600s`.
async fn with_clock() -> Result<Service> {
    anyhow::ensure!(
        Path::new(LIBRARY).exists(),
        "faketime is not installed (Debian: apt-get install faketime)"
    );
    let mut service = Service::stopped(Setup { settings: Some(SETTINGS.into()), ..Setup::default() })?;
    let clock = service.path("clock");
    for (name, value) in [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().context("path")?),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ] {
        service.set_env(name, value);
    }
    set(&service, "+0s")?;
    service.restart(None).await?;
    Ok(service)
}

fn set(service: &Service, to: &str) -> Result<()> {
    Ok(std::fs::write(service.path("clock"), format!("{to}\n"))?)
}

/// Kills the service and starts it again as if so many seconds had passed.
async fn away(service: &mut Service, seconds: u32) -> Result<Client> {
    service.kill().await?;
    set(service, &format!("+{seconds}s"))?;
    service.restart(None).await?;
    Ok(service.client())
}

async fn start(client: &Client, exam_type: &str) -> Result<(i64, i64)> {
    let start = client.post("/start", json!({"exam_type": exam_type})).await?.body;
    let id = |value: &Value| value.as_i64().with_context(|| start.to_string());
    Ok((id(&start["exam_session_id"])?, id(&start["item"]["id"])?))
}

async fn left(client: &Client, exam: i64) -> Result<f64> {
    let status = client.status(exam).await?;
    status.time["seconds_left"].as_f64().with_context(|| format!("{status:?}"))
}

#[tokio::test]
async fn an_outage_is_given_back_exactly_once_and_the_end_is_held_until_then() -> Result<()> {
    let mut service = with_clock().await?;
    let client = service.client();
    let (lapsed, item) = start(&client, "timed").await?;
    let (open, _) = start(&client, "long").await?;
    let (paused, _) = start(&client, "long").await?;
    client.post("/pause", json!({"exam_session_id": paused})).await?;
    let client = away(&mut service, 1000).await?;
    // Its time is over, and it is not ended: not by a call, not by the job.
    let refused = client.answer(lapsed, item, true).await?;
    assert_eq!((refused.status, refused.code()), (409, "time_ran_out_in_outage"), "{refused:?}");
    let next = client.next(lapsed).await?;
    assert_eq!(
        (&next.body["completed"], &next.time["seconds_left"]),
        (&json!(false), &json!(0.0)),
        "{next:?}"
    );
    assert!((6190.0..6201.0).contains(&left(&client, open).await?));
    let extend = json!({"all": true, "outage": true});
    let told = client.post("/extend", extend.clone()).await?;
    assert_eq!(told.body, json!({"extended": 2, "before": 1}), "{told:?}");
    let told = client.post("/extend", extend).await?;
    assert_eq!(told.body, json!({"extended": 0, "before": 3}), "{told:?}");
    let (of_lapsed, of_open) = (left(&client, lapsed).await?, left(&client, open).await?);
    assert!(
        (590.0..=602.0).contains(&of_lapsed) && (7190.0..=7202.0).contains(&of_open),
        "{of_lapsed} {of_open}"
    );
    assert_eq!(client.answer(lapsed, item, true).await?.status, 200);
    let said = reqwest::get(format!("{}/metrics", service.ops())).await?.text().await?;
    let outage = said.lines().find_map(|line| line.strip_prefix("adaptive_exam_outage_seconds_total "));
    assert!(outage.is_some_and(|seconds| (995..=1005).contains(&seconds.parse().unwrap_or(0))), "{outage:?}");
    Ok(())
}

/// `extend` reaches an exam whose time ran out in the outage, by its type and by seconds too.
#[tokio::test]
async fn an_exam_type_is_extended_after_an_outage() -> Result<()> {
    let mut service = with_clock().await?;
    service.kill().await?;
    service.set_settings(std::fs::read_to_string(case("outage.toml"))?);
    service.restart(None).await?;
    let (exam, item) = start(&service.client(), "outage").await?;
    let client = away(&mut service, 24).await?;
    let body = json!({"exam_type": "outage", "seconds": 600}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "power cut")];
    let told = client.send_as(reqwest::Method::POST, "/extend", Some(body), &headers).await?;
    assert_eq!((told.status, &told.body["extended"]), (200, &json!(1)), "{told:?}");
    assert_eq!(client.answer(exam, item, true).await?.status, 200);
    let left = left(&client, exam).await?;
    assert!((580.0..=600.0).contains(&left), "{left}");
    Ok(())
}

#[tokio::test]
async fn after_the_grace_an_exam_ends_at_the_moment_its_time_was_over_and_can_be_reopened() -> Result<()> {
    let mut service = with_clock().await?;
    let client = service.client();
    let (exam, item) = start(&client, "timed").await?;
    service.set_settings(format!("[outage]\ngrace_seconds = 0\n{SETTINGS}"));
    let client = away(&mut service, 1000).await?;
    let status = client.status(exam).await?.body;
    let named = [&status["termination_reason"], &status["duration_sec"], &status["items_completed"]];
    assert_eq!(named, [&json!("time_limit"), &json!(602.0), &json!(0)], "{status}");
    assert!(client.next(exam).await?.body["completed"].as_bool().unwrap_or(false));
    let reopened = client.post("/reopen", json!({"exam_session_id": exam, "seconds": 300})).await?;
    assert_eq!((reopened.status, &reopened.body["completed"]), (200, &json!(false)), "{reopened:?}");
    assert!((295.0..=300.0).contains(&left(&client, exam).await?));
    let open = client.get("/exams?status=in_progress").await?.body;
    assert_eq!(open["count"], 1, "{open}");
    assert_eq!(client.answer(exam, item, true).await?.status, 200);
    // It is the same after a restart, and from the log alone.
    service.restart(None).await?;
    let client = service.client();
    assert_eq!(client.status(exam).await?.body["items_completed"], 1);
    let ended = client.post("/complete", json!({"exam_session_id": exam})).await?;
    assert_eq!(ended.body["termination_reason"], "manual_completion", "{ended:?}");
    let refused = client.post("/reopen", json!({"exam_session_id": exam, "seconds": 300})).await?;
    assert_eq!((refused.status, refused.code()), (410, "exam_finished"), "{refused:?}");
    service.kill().await?;
    let verified =
        service.command()?.args(["verify", "--database", &service.database_url()]).output().await?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}

/// Set forward by an hour, back by two, and set back while the service is down: nobody loses or gains.
#[tokio::test]
async fn a_clock_that_is_set_takes_time_from_nobody() -> Result<()> {
    let mut service = with_clock().await?;
    let (exam, item) = start(&service.client(), "timed").await?;
    for (clock, correction) in [("+3600s", -3600), ("-3600s", 3600), ("+0s", 0)] {
        set(&service, clock)?;
        wait::until("the step is noticed", Duration::from_secs(30), async || {
            let state: Value =
                reqwest::get(format!("{}/state", service.ops())).await.ok()?.json().await.ok()?;
            let told = state["clock_correction_seconds"].as_i64().unwrap_or(0);
            (told.abs_diff(correction) <= 2).then_some(())
        })
        .await?;
        let left = left(&service.client(), exam).await?;
        assert!((500.0..=600.0).contains(&left), "{clock}: {left}");
    }
    service.kill().await?;
    set(&service, "-3600s")?;
    service.restart(None).await?;
    let left = left(&service.client(), exam).await?;
    assert!((500.0..=600.0).contains(&left), "{left}");
    assert_eq!(service.client().answer(exam, item, true).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn limits_that_contradict_are_refused_and_the_earliest_is_shown() -> Result<()> {
    let wrong = [
        ("max_seconds = 600\nexpires_after_seconds = 300", "exam_types.x.expires_after_seconds"),
        ("min_items = 12\nmax_items = 10", "exam_types.x.min_items"),
        ("min_items = 40\nmax_items = 50", "exam_types.x.policy.stop"),
    ];
    for (fields, named) in wrong {
        let service = Service::stopped(Setup::default())?;
        let path = service.path("settings.toml");
        std::fs::write(&path, format!("[exam_types.x]\n{fields}\n"))?;
        let checked = service.command()?.args(["serve", "--check", "--settings"]).arg(path).output().await?;
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(!checked.status.success() && said.contains(named), "{fields}: {said}");
    }
    // Every exam type whose least length cannot be reached is named.
    let service = Service::stopped(Setup::default())?;
    let path = case("min_over_max.toml");
    let checked = service.command()?.args(["serve", "--check", "--settings"]).arg(path).output().await?;
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("exam_types.r.min_items"), "{said}");
    // Extra time lengthens the time until expiry too.
    let settings = std::fs::read_to_string(case("extra_time.toml"))?;
    let service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
    let start = service.client().post("/start", json!({"exam_type": "acc", "extra_time": 1})).await?;
    let left = start.time["seconds_left"].as_f64().context("seconds_left")?;
    assert!((59.0..=60.0).contains(&left), "{start:?}");

    let settings = "[exam_types.closing]\nexpires_after_seconds = 100\nitem_seconds = 500\n";
    let service = Service::start_with(Setup { settings: Some(settings.into()), ..Setup::default() }).await?;
    let client = service.client();
    let body = json!({"exam_type": "closing", "extra_time": 0.5});
    let start = client.post("/start", body).await?;
    let time = |reply: &Reply, name: &str| reply.time[name].as_f64().unwrap_or(f64::NAN);
    for name in ["seconds_left", "item_seconds_left"] {
        assert!((149.0..=150.0).contains(&time(&start, name)), "{start:?}");
    }
    let exam = start.body["exam_session_id"].as_i64().context("exam")?;
    client.post("/extend", json!({"exam_session_id": exam, "seconds": 50})).await?;
    let status = client.status(exam).await?;
    assert!((198.0..=200.0).contains(&time(&status, "seconds_left")), "{status:?}");
    Ok(())
}
