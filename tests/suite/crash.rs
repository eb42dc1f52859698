//! The process may end at any moment: every acknowledged answer is in the log exactly once, and the ability of an
//! exam is that of its log.

use anyhow::{Context, Result};
use futures::future::join_all;
use harness::client::Reply;
use harness::service::Setup;
use harness::{Client, Examinee, Redis, Service, wait};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, RwLock};

/// Opens the database of a service that does not run.
pub async fn database(service: &Service) -> Result<SqlitePool> {
    Ok(SqlitePool::connect(&format!("sqlite:{}", service.database().display())).await?)
}

/// What the log holds of an exam: the body of each event, by seq.
async fn log(pool: &SqlitePool, exam: i64) -> Result<Vec<Value>> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, body FROM events WHERE exam_id = $1 ORDER BY seq")
            .bind(exam)
            .fetch_all(pool)
            .await?;
    rows.into_iter()
        .zip(0..)
        .map(|((seq, body), expected)| {
            anyhow::ensure!(seq == expected, "exam {exam}: seq {seq} where {expected} should be");
            Ok(serde_json::from_str(&body)?)
        })
        .collect()
}

/// Compares what an examinee was told with what the log holds, and the log with its replay.
pub fn compare(exam: i64, told: &BTreeMap<i64, Value>, log: &[Value]) -> Result<()> {
    let answers: Vec<&Value> = log.iter().filter(|event| event["kind"] == "answered").collect();
    for (item, reply) in told {
        let found: Vec<_> = answers.iter().filter(|event| event["item"] == json!(item)).collect();
        anyhow::ensure!(found.len() == 1, "exam {exam}: item {item} is in the log {} times", found.len());
        for field in ["theta", "standard_error"] {
            anyhow::ensure!(found[0][field] == reply[field], "exam {exam}: {field}: {} {reply}", found[0]);
        }
    }
    let bank = service::exam::bank::ItemBank::sample();
    let mut posterior = engine::Posterior::new(engine::Prior::default(), engine::Grid::default());
    for event in &answers {
        let item = usize::try_from(event["item"].as_u64().context("item")?)?;
        posterior.observe(&bank.measures().curves()[item - 1], usize::from(event["category"] == 1));
        let ability = posterior.ability();
        anyhow::ensure!(event["theta"] == json!(ability.theta), "exam {exam}: {event} {ability:?}");
        anyhow::ensure!(event["standard_error"] == json!(ability.standard_error), "exam {exam}: {event}");
    }
    Ok(())
}

/// Waits until a service has written so many snapshots, or has ended.
async fn until_saved(service: &Service, count: usize) -> Result<()> {
    let url = format!("{}/metrics", service.ops());
    wait::until("the snapshot", Duration::from_secs(30), || async {
        let Ok(reply) = reqwest::get(&url).await else { return Some(()) };
        let text = reply.text().await.ok()?;
        let lines = text.lines().filter(|line| {
            line.starts_with("redis_operations_total{operation=\"save\"")
                || line.starts_with("redis_operations_total{operation=\"remove\"")
        });
        let written: f64 = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        (written >= count as f64).then_some(())
    })
    .await
}

#[rstest]
#[tokio::test]
async fn the_process_ends_at_a_named_place(
    #[values(
        "answer.commit.before:4",
        "answer.commit.after:4",
        "snapshot.save.before:5",
        "snapshot.save.after:5",
        "answer.commit.before:10",
        "answer.commit.after:10",
        "snapshot.save.before:11",
        "snapshot.save.after:11"
    )]
    point: &str,
    #[values(false, true)] redis: bool,
) -> Result<()> {
    let redis = if redis { Some(Redis::start().await?) } else { None };
    let mut service =
        Service::stopped(Setup { redis_url: redis.as_ref().map(Redis::url), ..Setup::default() })?;
    service.restart(Some(point)).await?;
    let mut examinee = Examinee::start(&service.client(), 10).await?;
    let mut told = BTreeMap::new();
    let mut crashes = 0;
    while let Some(item) = examinee.item {
        match examinee.answer(&service.client()).await {
            Ok(()) => {
                told.insert(item, examinee.replies.last().cloned().context("a reply")?);
                // One snapshot after the other: two that wait are written at once, which is one passage.
                if crashes == 0 {
                    until_saved(&service, told.len() + 1).await?;
                }
            }
            Err(_) => {
                crashes += 1;
                anyhow::ensure!(!service.process().ended().await?, "{point}: it should end badly");
                service.restart(None).await?;
            }
        }
    }
    // The last snapshot is on its way when the last answer has been told.
    if crashes == 0 {
        let ended = tokio::time::timeout(Duration::from_secs(30), service.process().ended()).await;
        anyhow::ensure!(!ended.context("it does not end")??, "{point}: it should end badly");
        service.restart(None).await?;
        crashes += 1;
    }
    assert_eq!(crashes, 1, "{point} should have been passed once");
    assert_eq!(told.len(), 10);
    service.kill().await?;
    let log = log(&database(&service).await?, examinee.exam).await?;
    assert_eq!(log.len(), 11, "{point}: one start and ten answers: {log:?}");
    compare(examinee.exam, &told, &log)
}

#[rstest]
#[tokio::test]
async fn the_process_ends_while_an_exam_starts_or_is_completed(
    #[values("start.commit.before", "start.commit.after", "complete.commit.before", "complete.commit.after")]
    point: &str,
) -> Result<()> {
    let mut service = Service::stopped(Setup::default())?;
    service.restart(Some(point)).await?;
    let first = start(&service.client()).await;
    assert_eq!(first.is_err(), point.starts_with("start"), "{first:?}");
    if first.is_err() {
        service.restart(None).await?;
    }
    assert_eq!(start(&service.client()).await?.body["exam_session_id"], 1, "{point}: the same exam");
    let complete = json!({"exam_session_id": 1});
    if service.client().post("/complete", complete.clone()).await.is_err() {
        service.restart(None).await?;
    }
    let reply = service.client().post("/complete", complete).await?;
    assert_eq!(reply.body["termination_reason"], "manual_completion", "{reply:?}");
    service.kill().await?;
    let pool = database(&service).await?;
    let exams: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM exams").fetch_one(&pool).await?;
    assert_eq!((exams, log(&pool, 1).await?.len()), (1, 2), "{point}");
    Ok(())
}

async fn start(client: &Client) -> Result<Reply> {
    let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
    client.send_as(Method::POST, "/start", Some(r#"{"exam_type":"mock"}"#), &headers).await
}

/// Kills of a service under load, at seeded moments.
const KILLS: usize = 100;
/// Examinees at once.
const EXAMINEES: usize = 8;

#[tokio::test]
async fn a_hundred_kills_neither_lose_nor_double_an_answer() -> Result<()> {
    let redis = Redis::start().await?;
    let mut service = Service::start_with(Setup { redis_url: Some(redis.url()), ..Setup::default() }).await?;
    // Examinees hold it to read while they speak; the killer takes it to write while nobody is served.
    let client = Arc::new(RwLock::new(service.client()));
    let told: Arc<Mutex<BTreeMap<i64, BTreeMap<i64, Value>>>> = Arc::default();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let examinees: Vec<_> = (0..EXAMINEES)
        .map(|_| tokio::spawn(sit(Arc::clone(&client), Arc::clone(&told), Arc::clone(&stop))))
        .collect();
    let mut random = StdRng::seed_from_u64(20);
    for kill in 0..KILLS {
        let acknowledged = || async { told.lock().await.values().map(BTreeMap::len).sum::<usize>() };
        let before = acknowledged().await;
        // The moment is counted in answers and then in microseconds, both by the seed.
        let answers = random.random_range(1..12);
        wait::until("answers between two kills", Duration::from_secs(60), || async {
            (acknowledged().await >= before + answers).then_some(())
        })
        .await
        .with_context(|| format!("kill {kill}"))?;
        tokio::time::sleep(Duration::from_micros(random.random_range(0..3000))).await;
        service.kill().await?;
        service.restart(None).await?;
        *client.write().await = service.client();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for examinee in join_all(examinees).await {
        examinee??;
    }
    service.kill().await?;
    let pool = database(&service).await?;
    let told = told.lock().await;
    let answers: usize = told.values().map(BTreeMap::len).sum();
    for (exam, told) in told.iter() {
        compare(*exam, told, &log(&pool, *exam).await?)?;
    }
    assert!(answers >= KILLS, "{answers} answers were acknowledged");
    let forgotten: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM exams WHERE ended_at IS NULL AND id IN \
         (SELECT exam_id FROM events WHERE body LIKE '%\"end\"%')",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(forgotten, 0, "an exam that ended says so in its row");
    println!(
        "{KILLS} kills, {} exams, {answers} acknowledged answers, all in the log exactly once",
        told.len()
    );
    Ok(())
}

/// Sits exam after exam; whatever is not answered is sent again.
async fn sit(
    client: Arc<RwLock<Client>>,
    told: Arc<Mutex<BTreeMap<i64, BTreeMap<i64, Value>>>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
) -> Result<()> {
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let now = client.read().await.clone();
        let Ok(mut examinee) = Examinee::start(&now, 12).await else {
            tokio::task::yield_now().await;
            continue;
        };
        while let Some(item) = examinee.item {
            let now = client.read().await.clone();
            if examinee.answer(&now).await.is_ok() {
                let reply = examinee.replies.last().cloned().context("a reply")?;
                told.lock().await.entry(examinee.exam).or_default().insert(item, reply);
            }
        }
    }
    Ok(())
}

/// An exam whose log cannot be read is told once, and stops nobody else's from ending.
#[tokio::test]
async fn a_damaged_exam_does_not_block_the_expiry_of_others() -> Result<()> {
    let text = "[exam_types.placement]\nexpires_after_seconds = 1\n".to_owned();
    let mut service = Service::start_with(Setup { settings: Some(text), ..Setup::default() }).await?;
    for _ in 0..3 {
        Examinee::start(&service.client(), 10).await?;
    }
    service.kill().await?;
    let pool = database(&service).await?;
    let damage = "UPDATE events SET body = '{' WHERE exam_id = 1";
    assert_eq!(sqlx::query(damage).execute(&pool).await?.rows_affected(), 1);
    pool.close().await;
    service.restart(None).await?;
    wait::until("the others end", Duration::from_secs(30), || async {
        let listed = service.client().get("/exams?status=in_progress").await.ok()?;
        (listed.body["count"] == 1).then_some(())
    })
    .await
}
