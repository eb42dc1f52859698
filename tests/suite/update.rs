//! A rolling update under load: two services on one database, the previous version replaced by the current one,
//! with migrations, and no failed request.

use crate::crash::compare;
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use harness::process::program;
use harness::service::Setup;
use harness::wait::SETTLE;
use harness::{Client, Examinee, Postgres, Redis, Service, wait};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Mutex, RwLock};

const EXAMINEES: usize = 16;
const ITEMS: u32 = 8;
/// Exams that end between two steps.
const EXAMS: usize = 60;

/// What balances the load: each request goes to the next service in turn. One that is taken out of the rotation has
/// answered all that it was asked before: the older service closes its connections at once.
#[derive(Clone, Default)]
struct Balancer {
    services: Arc<RwLock<Vec<Client>>>,
    turn: Arc<AtomicUsize>,
}

impl Balancer {
    async fn set(&self, services: &[&Service]) {
        *self.services.write().await = services.iter().map(|service| service.client()).collect();
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let services = self.services.read().await;
        let client = &services[self.turn.fetch_add(1, Ordering::Relaxed) % services.len()];
        let reply = client.post(path, body.clone()).await.with_context(|| format!("{path} {body}"))?;
        ensure!(reply.status == 200, "{path} {body}: {reply:?}");
        Ok(reply.body)
    }
}

#[derive(Clone, Default)]
struct Sat {
    told: Arc<Mutex<BTreeMap<i64, BTreeMap<i64, Value>>>>,
    ended: Arc<AtomicUsize>,
    over: Arc<AtomicUsize>,
}

impl Sat {
    /// Waits until so many more exams have ended, or somebody failed.
    async fn more(&self, step: &str, examinees: &[tokio::task::JoinHandle<Result<()>>]) -> Result<()> {
        let wanted = self.ended.load(Ordering::Relaxed) + EXAMS;
        wait::until(step, SETTLE, || async {
            let failed = examinees.iter().any(tokio::task::JoinHandle::is_finished);
            (failed || self.ended.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await
    }
}

async fn sit(balancer: Balancer, sat: Sat) -> Result<()> {
    while sat.over.load(Ordering::Relaxed) == 0 {
        let start = balancer.post("/start", &json!({"exam_type": "placement", "max_items": ITEMS})).await?;
        let exam = start["exam_session_id"].as_i64().context("exam_session_id")?;
        let mut item = start["item"]["id"].as_i64();
        while let Some(id) = item {
            let body = json!({"exam_session_id": exam, "item_id": id, "correct": Examinee::knows(id)});
            let reply = balancer.post("/answer", &body).await?;
            item = reply["item"]["id"].as_i64();
            sat.told.lock().await.entry(exam).or_default().insert(id, reply);
        }
        sat.ended.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Out of the rotation first, then SIGTERM; it ends well, whatever is in flight.
async fn retire(mut service: Service) -> Result<()> {
    service.process().signal(Signal::TERM)?;
    ensure!(service.process().ended().await?, "the service should end well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_under_load_fails_no_request() -> Result<()> {
    let earlier = program("earlier/exam-service").or_else(|_| program("../earlier/exam-service"));
    let earlier = earlier.context("the older service is built by `make earlier`")?;
    let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
    let setup =
        Setup { database_url: Some(postgres.url()), redis_url: Some(redis.url()), ..Setup::default() };
    let old = Setup { program: Some(earlier), ..setup.clone() };
    let (one, two) = (Service::start_with(old.clone()).await?, Service::start_with(old).await?);
    let (balancer, sat) = (Balancer::default(), Sat::default());
    balancer.set(&[&one, &two]).await;
    let examinees: Vec<_> =
        (0..EXAMINEES).map(|_| tokio::spawn(sit(balancer.clone(), sat.clone()))).collect();
    sat.more("exams on the older service", &examinees).await?;
    // It brings the tables to its version while the older ones write.
    let three = Service::start_with(setup.clone()).await?;
    balancer.set(&[&one, &two, &three]).await;
    sat.more("exams on both", &examinees).await?;
    balancer.set(&[&two, &three]).await;
    retire(one).await?;
    sat.more("exams on one of each", &examinees).await?;
    let four = Service::start_with(setup).await?;
    balancer.set(&[&three, &four]).await;
    retire(two).await?;
    sat.more("exams on the newest", &examinees).await?;
    sat.over.store(1, Ordering::Relaxed);
    for examinee in join_all(examinees).await {
        examinee??;
    }
    retire(three).await?;
    retire(four).await?;

    let records =
        service::records::Records::open_existing(&service::records::DatabaseAccess::at(postgres.url()))
            .await?;
    let told = sat.told.lock().await;
    for (exam, told) in told.iter() {
        let (_, entries) = records.load(*exam).await?.with_context(|| format!("exam {exam} is gone"))?;
        let log: Vec<Value> =
            entries.iter().map(|entry| serde_json::from_str(&entry.body())).collect::<Result<_, _>>()?;
        ensure!(log.len() == 1 + ITEMS as usize && told.len() == ITEMS as usize, "exam {exam}: {log:?}");
        compare(*exam, told, &log)?;
    }
    let verified = service::verify::verify(&records, |_| ()).await?;
    ensure!(verified.differences.is_empty(), "{:?}", verified.differences);
    println!("{} exams of {ITEMS} answers over the update, no request failed", told.len());
    Ok(())
}
