//! All failures together: kills, freezes, data loss and disconnects at seeded moments, with clients that retry.

use crate::crash::compare;
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use harness::proxy::Proxy;
use harness::service::Setup;
use harness::{Client, Examinee, Postgres, Redis, Service, wait};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

const EXAMS: usize = 2000;
const EXAMINEES: usize = 16;
const ITEMS: u32 = 5;

/// Replies to answers, by exam and item.
type Told = Arc<Mutex<BTreeMap<i64, BTreeMap<i64, Value>>>>;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_answer_is_in_the_log_once() -> Result<()> {
    let (mut postgres, mut redis) = (Postgres::start().await?, Redis::start().await?);
    let setup =
        Setup { database_url: Some(postgres.url()), redis_url: Some(redis.url()), ..Setup::default() };
    let mut service = Service::start_with(setup).await?;
    let proxy = Proxy::start(service.api()).await?;
    let client = Client::new(format!("http://{}", proxy.address()), None);
    let (told, ended): (Told, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
    let examinees: Vec<_> = (0..EXAMINEES)
        .map(|number| tokio::spawn(sit(number, client.clone(), Arc::clone(&told), Arc::clone(&ended))))
        .collect();
    let mut random = StdRng::seed_from_u64(7);
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    while ended.load(Ordering::Relaxed) < EXAMS {
        // The moment is counted in exams, by the seed.
        let next = ended.load(Ordering::Relaxed) + random.random_range(5..60);
        wait::until("exams between two faults", Duration::from_secs(120), || async {
            (ended.load(Ordering::Relaxed) >= next.min(EXAMS)).then_some(())
        })
        .await
        .with_context(|| format!("after {faults:?}"))?;
        let fault = match random.random_range(0..7) {
            0 => {
                service.kill().await?;
                service.restart(None).await?;
                proxy.lead_to(service.api());
                "service killed"
            }
            1 => {
                postgres.kill().await?;
                postgres.restart().await?;
                "postgres killed"
            }
            2 => {
                redis.kill().await?;
                redis.restart().await?;
                "redis killed, back empty"
            }
            3 => {
                redis.freeze()?;
                let next = ended.load(Ordering::Relaxed) + 5;
                let thawed = wait::until("exams without redis", Duration::from_secs(60), || async {
                    (ended.load(Ordering::Relaxed) >= next.min(EXAMS)).then_some(())
                });
                thawed.await?;
                redis.thaw()?;
                "redis frozen"
            }
            4 => {
                redis::cmd("FLUSHALL").query_async::<()>(&mut redis.connection().await?).await?;
                "redis flushed"
            }
            5 => {
                let mut connection = redis.connection().await?;
                let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
                for key in keys {
                    let junk = ["", "5", "{\"version\":1", "{\"version\":99,\"theta\":null}"];
                    let junk = junk[random.random_range(0..junk.len())];
                    redis::cmd("SET").arg(&key).arg(junk).query_async::<()>(&mut connection).await?;
                }
                "redis corrupted"
            }
            _ => {
                proxy.cut();
                "connections cut"
            }
        };
        *faults.entry(fault).or_default() += 1;
    }
    for examinee in join_all(examinees).await {
        examinee??;
    }
    service.kill().await?;
    let records =
        service::records::Records::open_existing(&service::records::DatabaseAccess::at(postgres.url()))
            .await?;
    let told = told.lock().await;
    let mut answers = 0;
    for (exam, told) in told.iter() {
        let (_, entries) = records.load(*exam).await?.with_context(|| format!("exam {exam} is gone"))?;
        let log: Vec<Value> =
            entries.iter().map(|entry| serde_json::from_str(&entry.body())).collect::<Result<_, _>>()?;
        ensure!(log.len() == 1 + ITEMS as usize, "exam {exam} has {} events", log.len());
        ensure!(told.len() == ITEMS as usize, "exam {exam}: {} answers were acknowledged", told.len());
        compare(*exam, told, &log)?;
        answers += told.len();
    }
    let verified = service::verify::verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    println!(
        "{} exams, {answers} acknowledged answers, each in the log exactly once; faults: {faults:?}",
        told.len()
    );
    ensure!(told.len() >= EXAMS && faults.len() == 7, "{} exams, {faults:?}", told.len());
    Ok(())
}

/// Sits exam after exam; whatever gets no reply, or is refused for a time, is sent again.
async fn sit(number: usize, client: Client, told: Told, ended: Arc<AtomicUsize>) -> Result<()> {
    let body = format!(r#"{{"exam_type":"placement","max_items":{ITEMS}}}"#);
    let mut count = 0;
    while ended.load(Ordering::Relaxed) < EXAMS {
        count += 1;
        let key = format!("{number}-{count}");
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let started = wait::until("a start", Duration::from_secs(60), || async {
            let reply = client.send_as(Method::POST, "/start", Some(body.clone()), &headers).await.ok()?;
            (reply.status == 200).then_some(reply.body)
        })
        .await?;
        let exam = started["exam_session_id"].as_i64().context("exam_session_id")?;
        let mut item = started["item"]["id"].as_i64();
        let mut completed = 0;
        while let Some(id) = item {
            let reply = wait::until("an answer", Duration::from_secs(60), || async {
                let reply = client.answer(exam, id, Examinee::knows(id)).await.ok()?;
                (reply.status != 503).then_some(reply)
            })
            .await?;
            ensure!(reply.status == 200, "exam {exam}, item {id}: {reply:?}");
            completed += 1;
            ensure!(reply.body["items_completed"] == completed, "exam {exam} was restarted: {reply:?}");
            item = reply.body["item"]["id"].as_i64();
            told.lock().await.entry(exam).or_default().insert(id, reply.body);
        }
        ended.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
