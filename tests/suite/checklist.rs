//! The calls of the predecessor's deployment checklist, word for word, with the tools it names.

use anyhow::{Context, Result};
use harness::service::Setup;
use harness::{Redis, Service};
use serde_json::Value;
use tokio::process::Command;

async fn said(program: &str, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(program).args(arguments).output().await.context(program.to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).with_context(|| format!("{program} {arguments:?}: {text}"))
}

#[tokio::test]
async fn the_predecessors_checklist_works_word_for_word() -> Result<()> {
    let redis = Redis::start().await?;
    let service = Service::start_with(Setup { redis_url: Some(redis.url()), ..Setup::default() }).await?;
    let base = format!("http://{}/api/adaptive", service.api());
    let post = |path: &str, body: String| {
        let url = format!("{base}{path}");
        async move {
            let json = "Content-Type: application/json";
            said("curl", &["-sS", "--fail", "-X", "POST", &url, "-H", json, "-d", &body]).await
        }
    };
    let start = post("/start", r#"{"exam_type":"placement","max_items":10}"#.to_owned()).await?;
    assert_eq!(start["exam_session_id"], 1, "{start}");
    assert_eq!((&start["status"], &start["max_items"]), (&"in_progress".into(), &10.into()));

    let next = said("curl", &["-sS", "--fail", &format!("{base}/next?exam_session_id=1")]).await?;
    assert!(next["item"]["text"].is_string() && next["current_theta"].is_number(), "{next}");

    let item = &next["item"]["id"];
    let answer =
        post("/answer", format!(r#"{{"exam_session_id":1,"item_id":{item},"correct":true}}"#)).await?;
    assert!(answer["theta"].as_f64() > Some(0.0) && answer["standard_error"].is_number(), "{answer}");
    assert_eq!(answer["items_completed"], 1);

    let port = redis.url().rsplit(':').next().and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let port = port.context("a port")?;
    // A person is not so quick as to come before it; a test may be.
    redis.snapshot(1, 1).await?;
    let kept = said("redis-cli", &["-p", &port, "GET", "adaptive_engine:1"]).await?;
    assert_eq!((&kept["theta"], &kept["items_completed"]), (&answer["theta"], &1.into()), "{kept}");
    assert_eq!(kept["responses"][0]["item"], *item);
    let lives = said("redis-cli", &["-p", &port, "TTL", "adaptive_engine:1"]).await?;
    assert!((7100..=7200).contains(&lives.as_i64().unwrap_or_default()), "{lives}");

    let health = said("curl", &["-sS", "--fail", &format!("{base}/health/redis")]).await?;
    assert_eq!(health["redis"], "up", "{health}");
    Ok(())
}
