//! The log on PostgreSQL: what holds on SQLite holds there, with several services on one database too.

use anyhow::Result;
use harness::process::program;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Redis, Service};
use rstest::rstest;
use serde_json::json;
use std::time::Duration;
use tokio::process::Command;

async fn service(postgres: &Postgres, redis: Option<&Redis>) -> Result<Service> {
    let setup =
        Setup { database_url: Some(postgres.url()), redis_url: redis.map(Redis::url), ..Setup::default() };
    Service::start_with(setup).await
}

async fn verified(postgres: &Postgres) -> Result<String> {
    let verify = ["verify", "--database", &postgres.url()];
    let output = Command::new(program("exam-service")?).args(verify).output().await?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    anyhow::ensure!(output.status.success(), "{said}");
    Ok(said)
}

#[tokio::test]
async fn an_exam_runs_and_is_verified() -> Result<()> {
    let postgres = Postgres::start().await?;
    let service = service(&postgres, None).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 10).await?;
    assert_eq!(examinee.exam, 1);
    examinee.finish(&client).await?;
    assert_eq!(client.status(1).await?.body["items_completed"], 10);
    let listed = client.get("/exams?status=completed").await?.body;
    assert_eq!(listed["count"], 1, "{listed}");
    let state: serde_json::Value = reqwest::get(format!("{}/state", service.ops())).await?.json().await?;
    let durability = state["durability"].as_str().unwrap_or_default();
    assert!(durability.contains("synchronous_commit on, fsync on"), "{durability}");
    assert!(verified(&postgres).await?.contains("1 exams, 11 events"));
    Ok(())
}
