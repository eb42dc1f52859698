//! Redis in every shape under a running service: masters that die and freeze, shards that are lost, addresses that are
//! wrong. No request of an examinee fails, and the store comes back by itself.

use anyhow::{Context, Result, ensure};
use contract::settings::Store as StoreSettings;
use harness::process::program;
use harness::service::Setup;
use harness::topology::{APP_RULES, Release, SENTINEL_RULES, Shape, Topology, store_table};
use harness::{Client, Examinee, Service, wait};
use rstest::rstest;
use service::store::redis::access::StoreSecrets;
use service::store::{Store, Write, Written};
use service::telemetry::metrics::Metrics;
use std::time::{Duration, Instant};

/// How long a topology may take to be whole again, as the service sees it.
const BACK: Duration = Duration::from_secs(30);

/// A service on a topology.
async fn service(topology: &Topology) -> Result<Service> {
    let (store, _) = topology.store(3600);
    let setup = Setup { settings: Some(store_table(store)?), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    until_up(&service).await?;
    Ok(service)
}

async fn health(client: &Client) -> Option<String> {
    Some(client.get("/health/redis").await.ok()?.body["redis"].as_str()?.to_owned())
}

async fn until_up(service: &Service) -> Result<()> {
    let client = service.client();
    wait::until("the store", BACK, || async { (health(&client).await? == "up").then_some(()) }).await
}

/// Exams under way; every answer has to be taken. Gives the longest time between two acknowledgements.
async fn sit(client: &Client, examinees: &mut [Examinee], until: impl AsyncFn() -> bool) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    loop {
        for examinee in examinees.iter_mut() {
            if examinee.item.is_none() {
                *examinee = Examinee::start(client, 30).await?;
            }
            examinee.answer(client).await.context("an answer was not taken")?;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        if until().await {
            return Ok(longest);
        }
        last = Instant::now();
    }
}

/// The fault bench in short: what it prints is in the output of a failure.
#[tokio::test]
async fn no_fault_of_redis_fails_a_request_or_loses_an_answer() -> Result<()> {
    let mut bench = tokio::process::Command::new(program("faults")?);
    let done =
        bench.args(["1", "--brief", "--clients", "6", "--gone", "2"]).kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    ensure!(said.lines().count() == 19, "a line for each fault: {said}");
    Ok(())
}

/// Only the shard that was lost is filled again.
#[tokio::test]
async fn a_shard_that_comes_back_empty_is_refilled_alone() -> Result<()> {
    let topology = Topology::start(Shape::Cluster, false).await?;
    let service = service(&topology).await?;
    let client = service.client();
    for _ in 0..30 {
        Examinee::start(&client, 5).await?.answer(&client).await?;
    }
    let keys = async |index: usize| -> Result<usize> {
        Ok(topology
            .ask(index, &["KEYS", "adaptive_engine:[0-9]*"])
            .await?
            .lines()
            .filter(|line| !line.is_empty())
            .count())
    };
    let whole = wait::until("every snapshot", BACK, || async {
        let counts = [keys(0).await.ok()?, keys(1).await.ok()?, keys(2).await.ok()?];
        (counts.iter().sum::<usize>() == 30).then_some(counts)
    })
    .await?;
    topology.ask(0, &["FLUSHALL"]).await?;
    wait::until("the refill", BACK, || async { (keys(0).await.ok()? == whole[0]).then_some(()) }).await?;
    assert_eq!([keys(1).await?, keys(2).await?], whole[1..]);
    let metrics = reqwest::get(format!("{}/metrics", service.ops())).await?.text().await?;
    let line = metrics
        .lines()
        .find(|line| line.contains("rewarmed") && !line.starts_with('#'))
        .context("a counter")?;
    let count: f64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
    assert!(count < 30.0, "only the exams of the lost shard: {line}");
    Ok(())
}

/// What a check of the store says; nothing where all is well. A deadline that passes on a busy machine says nothing of the
/// settings: the store is checked again, unless it was this that the remedy is for.
async fn told(settings: &StoreSettings, secrets: &StoreSecrets, remedy: &str) -> Result<String> {
    let checked = async || -> Result<String> {
        let store = Store::open(settings, secrets, Metrics::new())?;
        Ok(store.check().await.err().map(|error| error.to_string()).unwrap_or_default())
    };
    wait::until("an answer of Redis", BACK, || async {
        let told = checked().await;
        let is_late = told.as_ref().is_ok_and(|told| told.contains("timed out") && !told.contains(remedy));
        (!is_late).then_some(told)
    })
    .await?
}

/// What is named wrongly is told with the setting that mends it.
#[tokio::test]
async fn a_wrong_address_is_told_with_its_remedy() -> Result<()> {
    let [sentinel, cluster, guarded] = [
        Topology::start(Shape::Sentinel, false).await?,
        Topology::start(Shape::Cluster, false).await?,
        Topology::start(Shape::Basic, true).await?,
    ];
    let address = |store: &StoreSettings| -> Result<String> {
        let url = &store.redis().context("a Redis")?.url;
        let rest = url.split("://").nth(1).context("an address")?;
        Ok(rest.split(['/', ',']).next().unwrap_or_default().to_owned())
    };
    let (of_sentinel, of_node) = (address(&sentinel.store(60).0)?, address(&cluster.store(60).0)?);
    let (with_tls, secrets) = guarded.store(60);
    let guarded_at = address(&with_tls)?;
    let server = sentinel.ask(1, &["CONFIG", "GET", "port"]).await?;
    let replica = format!("127.0.0.1:{}", server.lines().nth(1).context("a port")?);
    let none = StoreSecrets::default;
    let no_certificate = StoreSecrets { certificate: None, ..secrets.clone() };
    let no_authority = StoreSecrets { ca: None, ..secrets.clone() };
    let wrong_word = StoreSecrets { password: Some("wrong".to_owned()), ..secrets.clone() };
    let cases = [
        (StoreSettings::from_url(&format!("redis://{of_sentinel}")), none(), "use redis+sentinel://"),
        (StoreSettings::from_url(&format!("redis+sentinel://{replica}/exams")), none(), "not a Sentinel"),
        (
            StoreSettings::from_url(&format!("redis+sentinel://{of_sentinel}/other")),
            none(),
            "no master is named",
        ),
        (StoreSettings::from_url(&format!("redis+cluster://{replica}")), none(), "no cluster node"),
        (StoreSettings::from_url(&format!("redis://{of_node}")), none(), "redis+cluster://"),
        (StoreSettings::from_url(&format!("redis://{replica}")), none(), "is a replica"),
        (StoreSettings::from_url(&format!("redis://{guarded_at}")), none(), ""),
        (StoreSettings::from_url(&format!("rediss://{replica}")), none(), "use redis instead of rediss"),
        (Ok(with_tls.clone()), no_certificate, "client certificate"),
        (Ok(with_tls.clone()), no_authority, "store.ca_file"),
        (Ok(with_tls.clone()), wrong_word, "store.password_file"),
    ];
    for (settings, secrets, remedy) in cases {
        let settings = settings.map_err(anyhow::Error::msg)?;
        let told = told(&settings, &secrets, remedy).await?;
        assert!(!told.is_empty() && told.contains(remedy), "{settings:?}: {remedy:?} is not in {told:?}");
    }
    let (settings, secrets) = guarded.store(60);
    assert_eq!(told(&settings, &secrets, "nothing").await?, "");
    Ok(())
}

/// A user that lacks a command is told which one, before the service is used.
#[rstest]
#[tokio::test]
async fn a_missing_permission_is_named(
    #[values(Release::Machine, Release::Redis80, Release::Valkey81)] release: Release,
) -> Result<()> {
    const REMEDY: &str = "ACL user lacks";
    let topology = Topology::start_with(release, Shape::Basic, true).await?;
    let (settings, secrets) = topology.store(60);
    assert_eq!(told(&settings, &secrets, REMEDY).await?, "");
    for command in ["get", "set", "del", "evalsha", "getrange", "script|load", "ping"] {
        topology.ask(0, &["SCRIPT", "FLUSH"]).await?;
        topology.ask(0, &["ACL", "SETUSER", "app", &format!("-{command}")]).await?;
        let told = told(&settings, &secrets, REMEDY).await?;
        assert!(told.contains(command) && told.contains(REMEDY), "{command}: {told:?}");
        topology.ask(0, &["ACL", "SETUSER", "app", &format!("+{command}")]).await?;
    }
    topology.ask(0, &["ACL", "SETUSER", "app", "resetkeys", "~other:*"]).await?;
    let told = told(&settings, &secrets, REMEDY).await?;
    assert!(told.contains(REMEDY), "a key that is not allowed: {told:?}");
    Ok(())
}

/// The ACL users with which the tests run are those that the documents tell.
#[test]
fn the_documents_tell_what_an_acl_user_needs() {
    let told = include_str!("../../docs/redis.md");
    let (app, sentinel) = (APP_RULES.replace("app-password", "PASSWORD"), SENTINEL_RULES);
    assert!(told.contains(&format!("user app {app}")), "{app}");
    for word in sentinel.split_whitespace().filter(|word| word.starts_with(['+', '&'])) {
        assert!(told.contains(word), "{word}");
    }
}

/// A Redis that is too old is told, and never used.
#[tokio::test]
async fn an_old_redis_is_refused() -> Result<()> {
    let topology = Topology::start_with(Release::Redis60, Shape::Basic, false).await?;
    let (settings, secrets) = topology.store(60);
    let told = told(&settings, &secrets, "before 6.2").await?;
    assert!(told.contains("before 6.2"), "{told}");
    let store = Store::open(&settings, &secrets, Metrics::new())?;
    assert!(store.check().await.is_err());
    assert!(store.load(1).await.is_err());
    Ok(())
}

/// What is wrong is in `/state`, in the metrics and in the log, once each, and goes when it is mended.
#[tokio::test]
async fn a_problem_at_run_time_is_told_and_exams_go_on() -> Result<()> {
    let topology = Topology::start(Shape::Basic, false).await?;
    let service = service(&topology).await?;
    let client = service.client();
    let problem = async || -> Result<(Option<String>, Vec<String>)> {
        let state: contract::State = reqwest::get(format!("{}/state", service.ops())).await?.json().await?;
        let metrics = reqwest::get(format!("{}/metrics", service.ops())).await?.text().await?;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("adaptive_exam_store_problem") && line.ends_with(" 1"));
        Ok((state.store_problem, lines.map(str::to_owned).collect()))
    };
    assert_eq!(problem().await?, (None, vec![]));
    let full = topology.ask(0, &["CONFIG", "SET", "maxmemory", "1"]).await?;
    assert!(full.contains("OK"), "{full}");
    let mut examinees = vec![Examinee::start(&client, 30).await?];
    let start = Instant::now();
    sit(&client, &mut examinees, async || start.elapsed() > Duration::from_secs(1)).await?;
    let (told, metric) = problem().await?;
    assert!(told.is_some_and(|told| told.contains("maxmemory")));
    assert_eq!(metric, [r#"adaptive_exam_store_problem{reason="memory"} 1"#]);
    assert_eq!(health(&client).await.as_deref(), Some("up"), "it answers, and reads work");
    let log = std::fs::read_to_string(service.path("service.log"))?;
    assert_eq!(log.matches("refuses a command").count(), 1, "one line, not one for each answer: {log}");
    topology.ask(0, &["CONFIG", "SET", "maxmemory", "0"]).await?;
    wait::until("the problem's end", BACK, || async {
        (problem().await.ok()? == (None, vec![])).then_some(())
    })
    .await
}

/// A snapshot counts as saved when so many replicas have it as Settings want.
#[tokio::test]
async fn a_snapshot_is_saved_when_the_replicas_have_it() -> Result<()> {
    let mut topology = Topology::start(Shape::Sentinel, false).await?;
    let (mut settings, secrets) = topology.store(60);
    if let StoreSettings::Sentinel(redis) = &mut settings {
        redis.wait_replicas = 2;
    }
    let store = Store::open(&settings, &secrets, Metrics::new())?;
    wait::until("the store", BACK, || async { store.check().await.ok() }).await?;
    let save = |version| Write::Save { exam: 1, version, text: format!("{{\"version\":{version}}}") };
    assert_eq!(store.write(&[save(1)]).await?, [Written::Saved]);
    for replica in 1..=2 {
        let on_replica = topology.ask(replica, &["GET", "adaptive_engine:1"]).await?;
        assert_eq!(on_replica.trim(), r#"{"version":1}"#, "it is there before it counts");
    }
    topology.kill(2).await?;
    let told = store.write(&[save(2)]).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("1 of 2 replicas"), "{told}");
    assert_eq!(store.load(1).await?.as_deref(), Some(r#"{"version":2}"#), "the master has it all the same");
    Ok(())
}
