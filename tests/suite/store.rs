//! The conformance suite of all stores.

use anyhow::Result;
use contract::settings::Store as Settings;
use harness::topology::{Shape, Topology};
use harness::{Redis, wait};
use rstest::rstest;
use rstest_reuse::{apply, template};
use service::store::redis::access::StoreSecrets;
use service::store::{Error, Health, Store, Write, Written};
use service::telemetry::metrics::Metrics;
use std::time::Duration;

/// How long a topology may take to be found.
const SETTLE: Duration = Duration::from_secs(20);

/// A backend: memory, or Redis of a shape, plain or with TLS and ACL users.
#[derive(Clone, Copy, Debug)]
enum Backend {
    Memory,
    Redis(Shape, bool),
}

/// Every backend: each test of the suite runs on all of them.
#[template]
#[rstest]
#[tokio::test]
async fn backends(
    #[values(
        Backend::Memory,
        Backend::Redis(Shape::Basic, false),
        Backend::Redis(Shape::Basic, true),
        Backend::Redis(Shape::Sentinel, false),
        Backend::Redis(Shape::Sentinel, true),
        Backend::Redis(Shape::Cluster, false),
        Backend::Redis(Shape::Cluster, true)
    )]
    backend: Backend,
) {
}

/// A store on a backend of its own. The servers, if there are any, live as long as the second value.
async fn store(backend: Backend, ttl_seconds: u64) -> Result<(Store, Option<Topology>)> {
    let Backend::Redis(shape, is_guarded) = backend else {
        let memory = Settings::Memory { ttl_seconds };
        return Ok((Store::open(&memory, &StoreSecrets::default(), Metrics::new())?, None));
    };
    let topology = Topology::start(shape, is_guarded).await?;
    let (settings, secrets) = topology.store(ttl_seconds);
    let store = Store::open(&settings, &secrets, Metrics::new())?;
    wait::until("the store", SETTLE, || async { (store.health().await == Health::Up).then_some(()) }).await?;
    Ok((store, Some(topology)))
}

/// A store on one plain Redis that a test can break.
async fn basic() -> Result<(Store, Redis)> {
    let redis = Redis::start().await?;
    let settings = Settings::basic(redis.url(), None);
    Ok((Store::open(&settings, &StoreSecrets::default(), Metrics::new())?, redis))
}

fn saving(exam: i64, version: i64) -> Write {
    Write::Save { exam, version, text: text(version) }
}

async fn save(store: &Store, exam: i64, version: i64) -> Result<Vec<Written>, Error> {
    store.write(&[saving(exam, version)]).await
}

fn text(version: i64) -> String {
    format!("{{\"version\":{version},\"theta\":0.5}}")
}

#[apply(backends)]
async fn a_saved_snapshot_is_loaded(backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    assert_eq!(store.load(1).await?, None);
    assert_eq!(save(&store, 1, 0).await?, [Written::Saved]);
    assert_eq!(store.load(1).await?, Some(text(0)));
    assert_eq!(store.load(2).await?, None, "another exam is another key");
    let remove = [Write::Remove { exam: 1 }];
    assert_eq!(store.write(&remove).await?, [Written::Removed]);
    assert_eq!(store.write(&remove).await?, [Written::Removed], "safe to repeat");
    assert_eq!(store.load(1).await?, None);
    Ok(())
}

#[apply(backends)]
async fn an_older_version_never_wins(backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    assert_eq!(save(&store, 1, 9).await?, [Written::Saved]);
    assert_eq!(save(&store, 1, 8).await?, [Written::Stale]);
    assert_eq!(save(&store, 1, 9).await?, [Written::Stale], "the same again changes nothing");
    assert_eq!(store.load(1).await?, Some(text(9)));
    assert_eq!(save(&store, 1, 10).await?, [Written::Saved], "versions are numbers, not texts");
    assert_eq!(store.load(1).await?, Some(text(10)));
    Ok(())
}

#[apply(backends)]
async fn concurrent_saves_leave_the_newest(backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    let mut versions: Vec<i64> = (0..100).map(|n| n * 37 % 100).collect();
    versions.reverse();
    let saves = versions.iter().map(|version| save(&store, 1, *version));
    for saved in futures::future::join_all(saves).await {
        saved?;
    }
    assert_eq!(store.load(1).await?, Some(text(99)));
    Ok(())
}

#[apply(backends)]
async fn a_batch_is_written_in_order(backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    assert_eq!(store.write(&[]).await?, []);
    let writes = [saving(1, 4), saving(2, 0), saving(1, 3), saving(1, 5), Write::Remove { exam: 2 }];
    let (saved, stale) = (Written::Saved, Written::Stale);
    assert_eq!(store.write(&writes).await?, [saved, saved, stale, saved, Written::Removed]);
    assert_eq!((store.load(1).await?, store.load(2).await?), (Some(text(5)), None));
    assert_eq!(store.write(&[Write::Remove { exam: 1 }, saving(1, 0)]).await?, [Written::Removed, saved]);
    assert_eq!(store.load(1).await?, Some(text(0)), "what is removed is not newer than anything");
    Ok(())
}

#[apply(backends)]
async fn a_snapshot_expires_and_can_be_saved_again(backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 1).await?;
    save(&store, 1, 5).await?;
    wait::until("the snapshot's end", Duration::from_secs(10), || async {
        matches!(store.load(1).await, Ok(None)).then_some(())
    })
    .await?;
    assert_eq!(save(&store, 1, 3).await?, [Written::Saved], "nothing newer is there any more");
    Ok(())
}

#[tokio::test]
async fn a_value_of_another_type_is_overwritten() -> Result<()> {
    let (store, redis) = basic().await?;
    let mut connection = redis.connection().await?;
    redis::cmd("RPUSH").arg("adaptive_engine:2").arg("another kind").exec_async(&mut connection).await?;
    assert_eq!(store.load(2).await?.as_deref(), Some(""), "it is no snapshot, and no outage");
    // What else is written with it is written all the same.
    assert_eq!(store.write(&[saving(3, 1), saving(2, 1)]).await?, [Written::Saved; 2]);
    assert_eq!(store.load(2).await?, Some(text(1)));
    for corrupt in ["", "[]", "{\"version\":\"9\"}", "{\"theta\":0,\"version\":9}"] {
        redis::cmd("SET").arg("adaptive_engine:1").arg(corrupt).exec_async(&mut connection).await?;
        assert_eq!(save(&store, 1, 1).await?, [Written::Saved], "{corrupt}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_recovers_without_a_restart() -> Result<()> {
    let (store, mut redis) = basic().await?;
    save(&store, 1, 1).await?;
    assert_eq!(store.health().await, Health::Up);
    redis.kill().await?;
    assert!(store.load(1).await.is_err());
    assert!(save(&store, 1, 2).await.is_err());
    assert_eq!(store.health().await, Health::Down);
    redis.restart().await?;
    let back = || async { save(&store, 1, 3).await.ok() };
    assert_eq!(wait::until("the store's return", Duration::from_secs(10), back).await?, [Written::Saved]);
    assert_eq!(store.load(1).await?, Some(text(3)));
    Ok(())
}
