//! One conformance suite for every store: whatever holds for one holds for all.

use anyhow::Result;
use contract::settings::Store as Settings;
use harness::{Redis, wait};
use rstest::rstest;
use service::metrics::Metrics;
use service::store::{Health, Saved, Store};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Backend {
    Memory,
    Basic,
}

/// A store on a backend of its own. The server, if there is one, lives as long as the second value.
async fn store(backend: Backend, ttl_seconds: u64) -> Result<(Store, Option<Redis>)> {
    let (settings, redis) = match backend {
        Backend::Memory => (Settings::Memory { ttl_seconds }, None),
        Backend::Basic => {
            let redis = Redis::start().await?;
            let (url, key_prefix) = (redis.url(), "adaptive_engine:".to_owned());
            (Settings::Basic { url, password_file: None, key_prefix, ttl_seconds }, Some(redis))
        }
    };
    Ok((Store::open(&settings, None, Metrics::new())?, redis))
}

fn text(version: i64) -> String {
    format!("{{\"version\":{version},\"theta\":0.5}}")
}

#[rstest]
#[tokio::test]
async fn what_is_saved_is_loaded(#[values(Backend::Memory, Backend::Basic)] backend: Backend) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    assert_eq!(store.load(1).await?, None);
    assert_eq!(store.save(1, 0, &text(0)).await?, Saved::Written);
    assert_eq!(store.load(1).await?, Some(text(0)));
    assert_eq!(store.load(2).await?, None, "another exam is another key");
    store.remove(1).await?;
    store.remove(1).await?;
    assert_eq!(store.load(1).await?, None);
    Ok(())
}

#[rstest]
#[tokio::test]
async fn an_older_version_never_wins(
    #[values(Backend::Memory, Backend::Basic)] backend: Backend,
) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    assert_eq!(store.save(1, 9, &text(9)).await?, Saved::Written);
    assert_eq!(store.save(1, 8, &text(8)).await?, Saved::Stale);
    assert_eq!(store.save(1, 9, &text(9)).await?, Saved::Stale, "the same again changes nothing");
    assert_eq!(store.load(1).await?, Some(text(9)));
    assert_eq!(store.save(1, 10, &text(10)).await?, Saved::Written, "versions are numbers, not texts");
    assert_eq!(store.load(1).await?, Some(text(10)));
    Ok(())
}

#[rstest]
#[tokio::test]
async fn many_at_once_leave_the_newest(
    #[values(Backend::Memory, Backend::Basic)] backend: Backend,
) -> Result<()> {
    let (store, _redis) = store(backend, 60).await?;
    let mut versions: Vec<i64> = (0..100).map(|n| n * 37 % 100).collect();
    versions.reverse();
    let texts: Vec<String> = versions.iter().map(|version| text(*version)).collect();
    let saves = versions.iter().zip(&texts).map(|(version, text)| store.save(1, *version, text));
    for saved in futures::future::join_all(saves).await {
        saved?;
    }
    assert_eq!(store.load(1).await?, Some(text(99)));
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_snapshot_ends_by_itself_and_can_be_made_anew(
    #[values(Backend::Memory, Backend::Basic)] backend: Backend,
) -> Result<()> {
    let (store, _redis) = store(backend, 1).await?;
    store.save(1, 5, &text(5)).await?;
    wait::until("the snapshot's end", Duration::from_secs(10), || async {
        matches!(store.load(1).await, Ok(None)).then_some(())
    })
    .await?;
    assert_eq!(store.save(1, 3, &text(3)).await?, Saved::Written, "nothing newer is there any more");
    Ok(())
}

#[tokio::test]
async fn a_value_without_a_version_is_overwritten() -> Result<()> {
    let (store, redis) = store(Backend::Basic, 60).await?;
    let redis = redis.expect("basic has a server");
    let mut connection = redis.connection().await?;
    for corrupt in ["", "[]", "{\"version\":\"9\"}", "{\"theta\":0,\"version\":9}"] {
        redis::cmd("SET").arg("adaptive_engine:1").arg(corrupt).exec_async(&mut connection).await?;
        assert_eq!(store.save(1, 1, &text(1)).await?, Saved::Written, "{corrupt}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_comes_back_by_itself() -> Result<()> {
    let (store, redis) = store(Backend::Basic, 60).await?;
    let mut redis = redis.expect("basic has a server");
    store.save(1, 1, &text(1)).await?;
    assert_eq!(store.health().await, Health::Up);
    redis.kill().await?;
    assert!(store.load(1).await.is_err());
    assert!(store.save(1, 2, &text(2)).await.is_err());
    assert_eq!(store.health().await, Health::Down);
    redis.restart().await?;
    let back = || async { store.save(1, 3, &text(3)).await.ok() };
    assert_eq!(wait::until("the store's return", Duration::from_secs(10), back).await?, Saved::Written);
    assert_eq!(store.load(1).await?, Some(text(3)));
    Ok(())
}
