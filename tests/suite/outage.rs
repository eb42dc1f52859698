//! The store may fail, return wrong data or disappear: exams continue, with results that are bit by bit those
//! without the fault.

use anyhow::Result;
use harness::service::Setup;
use harness::{Client, Examinee, Redis, Service, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

async fn with_redis(redis: &Redis) -> Result<Service> {
    Service::start_with(Setup { redis_url: Some(redis.url()), ..Setup::default() }).await
}

/// The replies of an exam in which nothing went wrong.
pub async fn undisturbed(items: u32) -> Result<Vec<Value>> {
    let service = Service::start().await?;
    let mut examinee = Examinee::start(&service.client(), items).await?;
    examinee.finish(&service.client()).await?;
    Ok(examinee.replies)
}

pub async fn metric(service: &Service, line: &str) -> Result<Option<f64>> {
    let text = reqwest::get(format!("{}/metrics", service.ops())).await?.text().await?;
    Ok(text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok()))
}

#[tokio::test]
async fn a_snapshot_is_readable_and_removed_at_the_end() -> Result<()> {
    let redis = Redis::start().await?;
    let service = with_redis(&redis).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 4).await?;
    let key = format!("adaptive_engine:{}", examinee.exam);
    for count in 0..4 {
        let text = redis.snapshot(examinee.exam, count).await?;
        let snapshot: Value = serde_json::from_str(&text)?;
        assert_eq!(snapshot["version"], count, "{text}");
        assert_eq!(snapshot["responses"].as_array().unwrap().len(), usize::try_from(count)?);
        let next = client.next(examinee.exam).await?.body;
        assert_eq!(snapshot["theta"], next["current_theta"]);
        assert_eq!(snapshot["standard_error"], next["standard_error"]);
        let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut redis.connection().await?).await?;
        assert!((7000..=7200).contains(&ttl), "{ttl}");
        examinee.answer(&client).await?;
    }
    // An ended exam has none.
    redis.forgets(examinee.exam).await
}

#[tokio::test]
async fn redis_is_killed_during_an_exam_and_returns_empty() -> Result<()> {
    let mut redis = Redis::start().await?;
    let service = with_redis(&redis).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 20).await?;
    for count in 0..15 {
        match count {
            5 => redis.kill().await?,
            10 => redis.restart().await?,
            _ => {}
        }
        examinee.answer(&client).await?;
        assert_eq!(client.next(examinee.exam).await?.status, 200);
    }
    examinee.finish(&client).await?;
    assert_eq!(examinee.replies, undisturbed(20).await?);
    Ok(())
}

#[tokio::test]
async fn a_frozen_redis_opens_the_breaker() -> Result<()> {
    let redis = Redis::start().await?;
    let service = with_redis(&redis).await?;
    let client = service.client();
    let counted = async |outcome: &str| {
        let line = format!("redis_operations_total{{operation=\"save\",outcome=\"{outcome}\"}}");
        wait::until(&line, Duration::from_secs(10), || async {
            (metric(&service, &line).await.ok()? > Some(0.0)).then_some(())
        })
        .await
    };
    let mut examinee = Examinee::start(&client, 20).await?;
    for count in 0..10 {
        match count {
            3 => redis.freeze()?,
            // Nobody has waited for the store by now; its silence is seen all the same.
            5 => counted("error").await?,
            6 => counted("skipped").await?,
            7 => redis.thaw()?,
            _ => {}
        }
        examinee.answer(&client).await?;
    }
    examinee.finish(&client).await?;
    assert_eq!(examinee.replies, undisturbed(20).await?);
    Ok(())
}

#[tokio::test]
async fn damaged_snapshots_change_nothing() -> Result<()> {
    let redis = Redis::start().await?;
    let mut service = with_redis(&redis).await?;
    let mut examinee = Examinee::start(&service.client(), 20).await?;
    let key = format!("adaptive_engine:{}", examinee.exam);
    let mut connection = redis.connection().await?;
    let (mut older, mut counted) = (None, BTreeSet::new());
    for count in 0..12 {
        let text = redis.snapshot(examinee.exam, count).await?;
        let damaged = match count {
            1 => Some(text[..text.len() / 2].to_owned()),
            2 => Some("[]".to_owned()),
            3 => Some("{\"theta\":null}".to_owned()),
            4 => Some(text.replace("\"category\":1", "\"category\":0")),
            5 => Some(text.replace("\"version\":5", "\"version\":500")),
            6 => Some(text.replace("\"theta\":", "\"theta\":1")),
            7 => older.clone(),
            8 => Some(String::new()),
            9 => Some("\u{0}\u{1}".to_owned()),
            _ => None,
        };
        older = Some(text);
        if let Some(damaged) = damaged {
            redis::cmd("SET").arg(&key).arg(damaged).exec_async(&mut connection).await?;
        }
        if count == 10 {
            redis::cmd("FLUSHALL").exec_async(&mut connection).await?;
        }
        // One that has seen the exam would not ask for its snapshot.
        service.kill().await?;
        service.restart(None).await?;
        examinee.answer(&service.client()).await?;
        for reason in ["corrupt", "stale", "missing"] {
            let line = format!("adaptive_exam_rebuilds_total{{reason=\"{reason}\"}}");
            if metric(&service, &line).await? > Some(0.0) {
                counted.insert((count, reason));
            }
        }
    }
    examinee.finish(&service.client()).await?;
    assert_eq!(examinee.replies, undisturbed(20).await?);
    let corrupt = [1, 2, 3, 4, 5, 6, 8, 9].map(|count| (count, "corrupt"));
    let expected: BTreeSet<_> = corrupt.into_iter().chain([(7, "stale"), (10, "missing")]).collect();
    assert_eq!(counted, expected, "each is counted, and nothing else");
    Ok(())
}

/// The database is put back to an earlier moment while Redis holds the newer snapshot.
#[tokio::test]
async fn a_snapshot_ahead_of_the_log_restores_lost_events() -> Result<()> {
    let redis = Redis::start().await?;
    let mut service = with_redis(&redis).await?;
    let mut examinee = Examinee::start(&service.client(), 20).await?;
    for _ in 0..5 {
        examinee.answer(&service.client()).await?;
    }
    redis.snapshot(examinee.exam, 5).await?;
    service.kill().await?;
    let pool = crate::crash::database(&service).await?;
    let lost = sqlx::query("DELETE FROM events WHERE seq > 3").execute(&pool).await?;
    assert_eq!(lost.rows_affected(), 2);
    pool.close().await;
    service.restart(None).await?;
    examinee.finish(&service.client()).await?;
    assert_eq!(examinee.replies, undisturbed(20).await?);
    let rebuilt = metric(&service, "adaptive_exam_rebuilds_total{reason=\"ahead\"}").await?;
    assert_eq!(rebuilt, Some(1.0));
    service.kill().await?;
    let pool = crate::crash::database(&service).await?;
    let recovered: Vec<i64> = sqlx::query_scalar("SELECT seq FROM events WHERE recovered = 1 ORDER BY seq")
        .fetch_all(&pool)
        .await?;
    assert_eq!(recovered, [4, 5]);
    Ok(())
}

#[tokio::test]
async fn the_service_starts_without_its_redis() -> Result<()> {
    let setup = Setup { redis_url: Some("redis://127.0.0.1:1/0".to_owned()), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let client: Client = service.client();
    let health = client.get("/health/redis").await?;
    assert_eq!(
        (health.status, &health.body["redis"], &health.body["mode"]),
        (200, &"down".into(), &"basic".into())
    );
    let mut examinee = Examinee::start(&client, 5).await?;
    examinee.finish(&client).await?;
    let ready = reqwest::get(format!("{}/readyz", service.ops())).await?;
    assert!(ready.status().is_success(), "readiness never depends on the store");
    let state: contract::State =
        serde_json::from_str(&reqwest::get(format!("{}/state", service.ops())).await?.text().await?)?;
    assert_eq!((state.mode.as_str(), state.store.as_str(), state.open_exams), ("basic", "down", 0));
    assert!(state.durability.contains("synchronous FULL"), "{state:?}");
    Ok(())
}

/// Nobody asks for these exams after the loss; their snapshots are there again all the same.
#[tokio::test]
async fn an_emptied_store_is_refilled() -> Result<()> {
    let mut redis = Redis::start().await?;
    let service = with_redis(&redis).await?;
    let client = service.client();
    wait::until("the store is marked", Duration::from_secs(10), || async {
        redis.get("adaptive_engine:filled").await.ok()?
    })
    .await?;
    let mut open = Vec::new();
    for _ in 0..30 {
        let mut examinee = Examinee::start(&client, 10).await?;
        examinee.answer(&client).await?;
        open.push(examinee.exam);
    }
    let key = |exam: &i64| format!("adaptive_engine:{exam}");
    let filled = || async { metric(&service, "adaptive_exam_rewarmed_total ").await };
    let before = filled().await?.unwrap_or_default();
    for loss in ["flushed", "killed"] {
        match loss {
            "flushed" => redis::cmd("FLUSHALL").query_async(&mut redis.connection().await?).await?,
            _ => {
                redis.kill().await?;
                redis.restart().await?;
            }
        }
        wait::until("every snapshot is back", Duration::from_secs(20), || async {
            for exam in &open {
                redis.get(&key(exam)).await.ok()??;
            }
            Some(())
        })
        .await?;
    }
    wait::until("both are counted", Duration::from_secs(10), || async {
        (filled().await.ok()?? == before + 60.0).then_some(())
    })
    .await?;
    Ok(())
}

/// No call, no list and no refill asks Redis for all its keys: that would hold up everybody else.
#[tokio::test]
async fn redis_is_never_asked_for_all_keys() -> Result<()> {
    let redis = Redis::start().await?;
    let service = with_redis(&redis).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 3).await?;
    examinee.answer(&client).await?;
    client.get("/exams?status=in_progress").await?;
    let mut connection = redis.connection().await?;
    redis::cmd("FLUSHALL").exec_async(&mut connection).await?;
    let key = format!("adaptive_engine:{}", examinee.exam);
    wait::until("the store is filled again", Duration::from_secs(20), || async {
        redis.get(&key).await.ok()?.map(drop)
    })
    .await?;
    examinee.finish(&client).await?;
    let said: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
    assert!(said.contains("cmdstat_get:"), "{said}");
    assert!(!said.contains("cmdstat_keys:") && !said.contains("cmdstat_scan:"), "{said}");
    Ok(())
}
