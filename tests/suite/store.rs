//! The conformance suite of all stores.

use anyhow::Result;
use contract::settings::Store as Settings;
use harness::topology::{Release, Shape, Topology};
use harness::{Redis, wait};
use rstest::rstest;
use service::store::redis::access::StoreSecrets;
use service::store::{Error, Health, Store, Write, Written};
use service::telemetry::metrics::Metrics;
use std::cell::Cell;
use std::time::Duration;

/// How long a topology may take to be found.
const SETTLE: Duration = Duration::from_secs(20);

/// A backend: memory, or Redis of a release and a shape, plain or with TLS and ACL users.
#[derive(Clone, Copy, Debug)]
enum Backend {
    Memory,
    Redis(Release, Shape, bool),
}

/// A running backend. Each check of the suite has keys of its own on it.
struct Bed {
    topology: Option<Topology>,
    stores: Cell<u32>,
}

impl Bed {
    async fn start(backend: Backend) -> Result<Self> {
        let topology = match backend {
            Backend::Memory => None,
            Backend::Redis(release, shape, is_guarded) => {
                Some(Topology::start_with(release, shape, is_guarded).await?)
            }
        };
        Ok(Self { topology, stores: Cell::new(0) })
    }

    /// A store that nobody has used.
    async fn store(&self, ttl_seconds: u64) -> Result<Store> {
        let Some(topology) = &self.topology else {
            return Ok(Store::open(
                &Settings::Memory { ttl_seconds },
                &StoreSecrets::default(),
                Metrics::new(),
            )?);
        };
        let (mut settings, secrets) = topology.store(ttl_seconds);
        let number = self.stores.replace(self.stores.get() + 1);
        if let Settings::Basic(redis) | Settings::Sentinel(redis) | Settings::Cluster(redis) = &mut settings {
            redis.key_prefix = format!("{}{number}:", redis.key_prefix);
        }
        let store = Store::open(&settings, &secrets, Metrics::new())?;
        wait::until("the store", SETTLE, || async { (store.health().await == Health::Up).then_some(()) })
            .await?;
        Ok(store)
    }
}

/// What every store promises, on every backend.
#[rstest]
#[tokio::test]
async fn every_backend_keeps_the_promises(
    #[values(
        Backend::Memory,
        Backend::Redis(Release::Machine, Shape::Basic, false),
        Backend::Redis(Release::Machine, Shape::Basic, true),
        Backend::Redis(Release::Machine, Shape::Sentinel, false),
        Backend::Redis(Release::Machine, Shape::Sentinel, true),
        Backend::Redis(Release::Machine, Shape::Cluster, false),
        Backend::Redis(Release::Machine, Shape::Cluster, true),
        Backend::Redis(Release::Redis80, Shape::Basic, false),
        Backend::Redis(Release::Redis80, Shape::Basic, true),
        Backend::Redis(Release::Redis80, Shape::Sentinel, false),
        Backend::Redis(Release::Redis80, Shape::Sentinel, true),
        Backend::Redis(Release::Redis80, Shape::Cluster, false),
        Backend::Redis(Release::Redis80, Shape::Cluster, true),
        Backend::Redis(Release::Valkey81, Shape::Basic, false),
        Backend::Redis(Release::Valkey81, Shape::Basic, true),
        Backend::Redis(Release::Valkey81, Shape::Sentinel, false),
        Backend::Redis(Release::Valkey81, Shape::Sentinel, true),
        Backend::Redis(Release::Valkey81, Shape::Cluster, false),
        Backend::Redis(Release::Valkey81, Shape::Cluster, true)
    )]
    backend: Backend,
) -> Result<()> {
    let bed = Bed::start(backend).await?;
    a_saved_snapshot_is_loaded(&bed).await?;
    an_older_version_never_wins(&bed).await?;
    concurrent_saves_leave_the_newest(&bed).await?;
    a_batch_is_written_in_order(&bed).await?;
    a_snapshot_expires_and_can_be_saved_again(&bed).await?;
    a_value_that_is_no_snapshot_is_overwritten(&bed).await?;
    a_store_in_use_passes_its_own_check(&bed).await
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

async fn a_saved_snapshot_is_loaded(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
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

async fn an_older_version_never_wins(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
    assert_eq!(save(&store, 1, 9).await?, [Written::Saved]);
    assert_eq!(save(&store, 1, 8).await?, [Written::Stale]);
    assert_eq!(save(&store, 1, 9).await?, [Written::Stale], "the same again changes nothing");
    assert_eq!(store.load(1).await?, Some(text(9)));
    assert_eq!(save(&store, 1, 10).await?, [Written::Saved], "versions are numbers, not texts");
    assert_eq!(store.load(1).await?, Some(text(10)));
    Ok(())
}

async fn concurrent_saves_leave_the_newest(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
    let mut versions: Vec<i64> = (0..100).map(|n| n * 37 % 100).collect();
    versions.reverse();
    let saves = versions.iter().map(|version| save(&store, 1, *version));
    for saved in futures::future::join_all(saves).await {
        saved?;
    }
    assert_eq!(store.load(1).await?, Some(text(99)));
    Ok(())
}

async fn a_batch_is_written_in_order(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
    assert_eq!(store.write(&[]).await?, []);
    let writes = [saving(1, 4), saving(2, 0), saving(1, 3), saving(1, 5), Write::Remove { exam: 2 }];
    let (saved, stale) = (Written::Saved, Written::Stale);
    assert_eq!(store.write(&writes).await?, [saved, saved, stale, saved, Written::Removed]);
    assert_eq!((store.load(1).await?, store.load(2).await?), (Some(text(5)), None));
    assert_eq!(store.write(&[Write::Remove { exam: 1 }, saving(1, 0)]).await?, [Written::Removed, saved]);
    assert_eq!(store.load(1).await?, Some(text(0)), "what is removed is not newer than anything");
    Ok(())
}

async fn a_snapshot_expires_and_can_be_saved_again(bed: &Bed) -> Result<()> {
    let store = bed.store(1).await?;
    save(&store, 1, 5).await?;
    wait::until("the snapshot's end", Duration::from_secs(10), || async {
        matches!(store.load(1).await, Ok(None)).then_some(())
    })
    .await?;
    assert_eq!(save(&store, 1, 3).await?, [Written::Saved], "nothing newer is there any more");
    Ok(())
}

async fn a_value_that_is_no_snapshot_is_overwritten(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
    for corrupt in ["", "[]", "{\"version\":\"9\"}", "{\"theta\":0,\"version\":9}"] {
        let write = Write::Save { exam: 1, version: 9, text: corrupt.to_owned() };
        store.write(&[Write::Remove { exam: 1 }, write]).await?;
        if bed.topology.is_some() {
            assert_eq!(save(&store, 1, 1).await?, [Written::Saved], "{corrupt}");
        }
    }
    Ok(())
}

async fn a_store_in_use_passes_its_own_check(bed: &Bed) -> Result<()> {
    let store = bed.store(60).await?;
    save(&store, 1, 1).await?;
    store.check().await?;
    assert_eq!(store.load(1).await?, Some(text(1)), "a check touches no exam");
    assert_eq!(store.load(0).await?, None, "and leaves nothing");
    assert_eq!(store.problem(), None);
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
