//! The log on PostgreSQL: the guarantees of SQLite hold there, also with several services on one database.

use crate::outage::{metric, undisturbed};
use anyhow::{Context, Result};
use futures::future::{join_all, try_join_all};
use harness::process::program;
use harness::service::Setup;
use harness::{Examinee, Postgres, Redis, Service, wait};
use rstest::rstest;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Longer than what counts as an outage.
const OUTAGE: Duration = Duration::from_millis(6500);

async fn service(postgres: &Postgres) -> Result<Service> {
    let setup = Setup { database_url: Some(postgres.url()), ..Setup::default() };
    Service::start_with(setup).await
}

/// What `exam-service verify` says of a database in which there is no difference.
pub(crate) async fn verified(postgres: &Postgres) -> Result<String> {
    let verify = ["verify", "--database", &postgres.url()];
    let output = Command::new(program("exam-service")?).args(verify).output().await?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    anyhow::ensure!(output.status.success(), "{said}");
    Ok(said)
}

#[tokio::test]
async fn an_exam_runs_and_is_verified() -> Result<()> {
    let postgres = Postgres::start().await?;
    let service = service(&postgres).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 10).await?;
    assert_eq!(examinee.exam, 1);
    examinee.finish(&client).await?;
    assert_eq!(client.status(1).await?.body["items_completed"], 10);
    let listed = client.get("/exams?status=completed&exam_type=placement").await?.body;
    assert_eq!(listed["count"], 1, "{listed}");
    let state: Value = reqwest::get(format!("{}/state", service.ops())).await?.json().await?;
    let durability = state["durability"].as_str().unwrap_or_default();
    assert!(durability.contains("synchronous_commit on, fsync on"), "{durability}");
    assert!(verified(&postgres).await?.contains("1 exams, 11 events"));
    Ok(())
}

/// A database is restored to an earlier state and goes another way, while a service has the exam as it was: it serves what
/// the log has, not a mixture.
/// The URL is in a file with its password, and both are changed while an exam runs.
#[tokio::test]
async fn a_password_is_rotated_while_exams_run() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres.protect("first").await?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("url");
    let url = |word: &str| postgres.url().replace("exam@", &format!("exam:{word}@"));
    std::fs::write(&file, url("first"))?;
    let settings = Some(format!("[database]\nurl_file = \"{}\"\n", file.display()));
    let service = Service::start_with(Setup { settings, ..Setup::default() }).await?;
    let client = service.client();
    let adoptions = || {
        let log = std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
        log.matches("settings adopted").count()
    };
    let mut examinee = Examinee::start(&client, 10).await?;
    // Connections that are open outlive a password, so all that requests use here are open: all but the reader's.
    let crowd = || try_join_all((0..32).map(|_| client.get("/exams")));
    let all_are_open = || async {
        crowd().await.ok()?;
        let connections = |state: &str| format!("adaptive_exam_db_connections{{state=\"{state}\"}}");
        let busy = metric(&service, &connections("busy")).await.ok()??;
        let idle = metric(&service, &connections("idle")).await.ok()??;
        let most = metric(&service, "adaptive_exam_db_connections_max").await.ok()??;
        (busy + idle >= most - 1.0).then_some(())
    };
    for (before, after) in [("first", "second"), ("second", "third")] {
        wait::until("all connections", Duration::from_secs(20), all_are_open).await?;
        let mut admin = PgConnection::connect(&url(before)).await?;
        let alter = sqlx::AssertSqlSafe(format!("ALTER USER exam PASSWORD '{after}'"));
        sqlx::query(alter).execute(&mut admin).await?;
        examinee.answer(&client).await.context("by connections that were there")?;
        let replies = crowd().await?;
        assert!(replies.iter().all(|reply| reply.status == 200), "also by many at once: {replies:?}");
        let adopted = adoptions();
        std::fs::write(&file, url(after))?;
        let now = || async { (adoptions() > adopted).then_some(()) };
        let said = || std::fs::read_to_string(service.path("service.log")).unwrap_or_default();
        wait::until("the new password", Duration::from_secs(20), now).await.with_context(said)?;
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'exam-service'";
        sqlx::query(end).execute(&mut admin).await?;
        examinee.answer(&client).await.context("by new connections")?;
    }
    examinee.finish(&client).await?;
    let log = std::fs::read_to_string(service.path("service.log"))?;
    assert!(["first", "second", "third"].iter().all(|word| !log.contains(&format!(":{word}@"))), "{log}");
    // Another database is not what exams began with.
    std::fs::write(&file, url("third").replace("/postgres", "/template1"))?;
    let told = || async {
        let log = std::fs::read_to_string(service.path("service.log")).ok()?;
        log.contains("take effect after a restart").then_some(())
    };
    wait::until("the warning", Duration::from_secs(20), told).await
}

#[tokio::test]
async fn a_cached_exam_is_continued_only_by_its_own_log() -> Result<()> {
    let postgres = Postgres::start().await?;
    let before = service(&postgres).await?;
    let mut examinee = Examinee::start(&before.client(), 20).await?;
    let restored = examinee.clone();
    for _ in 0..3 {
        examinee.answer(&before.client()).await?;
    }
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    let lost = sqlx::query("DELETE FROM events WHERE seq > 0").execute(&mut connection).await?;
    assert_eq!(lost.rows_affected(), 3);
    let after = service(&postgres).await?;
    let client = after.client();
    let mut item = restored.item;
    for _ in 0..4 {
        let on_screen = item.context("an item")?;
        let reply = client.answer(restored.exam, on_screen, !Examinee::knows(on_screen)).await?;
        assert_eq!(reply.status, 200, "{reply:?}");
        item = reply.body["item"]["id"].as_i64();
    }
    let expected = client.status(restored.exam).await?.body;
    assert_eq!(before.client().status(restored.exam).await?.body, expected);
    assert_eq!(before.client().next(restored.exam).await?.body["item"]["id"].as_i64(), item);
    Ok(())
}

/// Two services that share nothing but the log, each with snapshots of its own in memory.
#[tokio::test]
async fn two_services_on_one_database_are_consistent() -> Result<()> {
    let postgres = Postgres::start().await?;
    let (one, other) = tokio::try_join!(service(&postgres), service(&postgres))?;
    let clients = [one.client(), other.client()];
    let mut examinee = Examinee::start(&clients[0], 20).await?;
    let digest = async |service: &Service| -> Result<Value> {
        Ok(reqwest::get(format!("{}/digest", service.ops())).await?.json().await?)
    };
    let mut digests = vec![digest(&one).await?];
    for turn in 0.. {
        let Some(item) = examinee.item else { break };
        examinee.answer(&clients[turn % 2]).await?;
        digests.push(digest(&one).await?);
        assert_eq!(Some(&digest(&other).await?), digests.last(), "both say how far it is");
        // The other one knows of it at once, and gives a retry the same reply.
        let next = clients[(turn + 1) % 2].next(examinee.exam).await?.body;
        assert_eq!(next["item"]["id"].as_i64(), examinee.item, "turn {turn}");
        let again = clients[(turn + 1) % 2].answer(examinee.exam, item, Examinee::knows(item)).await?;
        assert_eq!(Some(&again.body), examinee.replies.last(), "turn {turn}");
    }
    assert!(digests.windows(2).all(|pair| pair[0] != pair[1]), "each answer is seen in it: {digests:?}");
    // Eight identical answers at once, four to each.
    for _ in 0..10 {
        let examinee = Examinee::start(&clients[0], 10).await?;
        let item = examinee.item.context("an item")?;
        let all = (0..8).map(|turn| clients[turn % 2].answer(examinee.exam, item, true));
        let replies = try_join_all(all).await?;
        assert!(replies.iter().all(|reply| reply.body == replies[0].body), "{replies:?}");
        assert_eq!(clients[1].status(examinee.exam).await?.body["items_completed"], 1);
    }
    verified(&postgres).await.map(drop)
}

#[rstest]
#[tokio::test]
async fn the_process_ends_around_a_commit(
    #[values(
        "start.commit.after",
        "answer.commit.before:4",
        "answer.commit.after:4",
        "answer.commit.after:10"
    )]
    point: &str,
) -> Result<()> {
    let postgres = Postgres::start().await?;
    let setup = Setup { database_url: Some(postgres.url()), ..Setup::default() };
    let mut service = Service::stopped(setup)?;
    service.restart(Some(point)).await?;
    let key = [("content-type", "application/json"), ("idempotency-key", "one")];
    let body = r#"{"exam_type":"placement","max_items":10}"#;
    let mut crashes = 0;
    let started = loop {
        match service.client().send_as(reqwest::Method::POST, "/start", Some(body), &key).await {
            Ok(reply) => break reply.body,
            Err(_) => {
                crashes += 1;
                service.restart(None).await?;
            }
        }
    };
    let mut examinee = Examinee { exam: 1, item: started["item"]["id"].as_i64(), replies: Vec::new() };
    while examinee.item.is_some() {
        if examinee.answer(&service.client()).await.is_err() {
            crashes += 1;
            service.restart(None).await?;
        }
    }
    assert_eq!((crashes, examinee.replies.len()), (1, 10), "{point}");
    assert!(verified(&postgres).await?.contains("1 exams, 11 events"), "{point}");
    Ok(())
}

/// Exams that nobody ends, swept by two services at once.
#[tokio::test]
async fn an_overdue_exam_ends_by_one_event() -> Result<()> {
    let postgres = Postgres::start().await?;
    let settings = format!(
        "[database]\nurl = \"{}\"\n[exam_types.placement]\nexpires_after_seconds = 1\n\
         [exam_types.timed]\n[exam_types.timed.policy]\nstop = {{ max_seconds = 1 }}\n[exam_types.long]\n",
        postgres.url()
    );
    let start = || Service::start_with(Setup { settings: Some(settings.clone()), ..Setup::default() });
    let (one, other) = tokio::try_join!(start(), start())?;
    let client = one.client();
    for _ in 0..20 {
        Examinee::start(&client, 10).await?.answer(&client).await?;
        client.post("/start", serde_json::json!({"exam_type": "timed"})).await?;
    }
    client.post("/start", serde_json::json!({"exam_type": "long"})).await?;
    wait::until("forty exams end by themselves", Duration::from_secs(40), || async {
        let listed = other.client().get("/exams?status=in_progress").await.ok()?;
        (listed.body["count"] == 1).then_some(())
    })
    .await?;
    for (exam, reason) in [(1, "expired"), (2, "time_limit"), (39, "expired"), (40, "time_limit")] {
        let status = other.client().status(exam).await?.body;
        assert_eq!(status["termination_reason"], reason, "exam {exam}: {status}");
    }
    // 20 x (start, answer, end), 20 x (start, end), and one start.
    assert!(verified(&postgres).await?.contains("41 exams, 101 events"));
    Ok(())
}

/// A database that does not answer costs time, not answers: 503 with Retry-After, never a hang, and what
/// was acknowledged is there.
#[rstest]
#[tokio::test]
async fn an_outage_of_the_database_is_reported(#[values("frozen", "killed")] outage: &str) -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let service = service(&postgres).await?;
    let client = service.client();
    let mut examinees = try_join_all((0..8).map(|_| Examinee::start(&client, 10))).await?;
    for examinee in &mut examinees {
        examinee.answer(&client).await?;
    }
    match outage {
        "frozen" => postgres.freeze()?,
        _ => postgres.kill().await?,
    }
    let asked = Instant::now();
    let refused = join_all(examinees.iter().map(|examinee| {
        let item = examinee.item.unwrap_or_default();
        client.answer(examinee.exam, item, Examinee::knows(item))
    }))
    .await;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    for reply in refused {
        let reply = reply?;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.retry_after.is_some(), "{reply:?}");
    }
    while asked.elapsed() < OUTAGE {
        assert_eq!(client.next(examinees[0].exam).await?.status, 503);
    }
    match outage {
        "frozen" => postgres.thaw()?,
        _ => postgres.restart().await?,
    }
    wait::until("answers are taken again", Duration::from_secs(30), || async {
        let next = client.next(examinees[0].exam).await.ok()?;
        (next.status == 200).then_some(())
    })
    .await?;
    for examinee in &mut examinees {
        // Whether the refused answer is in the log or not, sending it again is right.
        examinee.finish(&client).await?;
        assert_eq!(examinee.replies.len(), 10);
    }
    assert!(verified(&postgres).await?.contains("8 exams, 88 events"));
    // A request may have ended the outage before the heartbeat did: it is told all the same.
    wait::until("the outage in the metrics", Duration::from_secs(30), || async {
        let mut psql = postgres.command("psql");
        let sum = "SELECT sum((ended_at - began_at) / 1000) FROM outages";
        let said = psql.args(["-Atc", sum, &postgres.url()]).output().await.ok()?;
        let lost: u64 = String::from_utf8(said.stdout).ok()?.trim().parse().ok()?;
        let said = reqwest::get(format!("{}/metrics", service.ops())).await.ok()?.text().await.ok()?;
        let told = format!("adaptive_exam_outage_seconds_total {lost}");
        (lost > 0 && said.lines().any(|line| line == told)).then_some(())
    })
    .await
}

#[tokio::test]
async fn a_database_without_durable_commits_is_refused() -> Result<()> {
    let postgres = Postgres::start().await?;
    let set = |sql: &'static str| {
        let mut psql = postgres.command("psql");
        psql.args(["-q", "-c", sql, &postgres.url()]);
        async move { psql.status().await }
    };
    // A role's default is not believed: the service asks for what it needs.
    assert!(set("ALTER ROLE exam SET synchronous_commit = off").await?.success());
    let running = service(&postgres).await?;
    let state: Value = reqwest::get(format!("{}/state", running.ops())).await?.json().await?;
    assert!(
        state["durability"].as_str().is_some_and(|told| told.contains("synchronous_commit on")),
        "{state}"
    );
    drop(running);
    assert!(set("ALTER SYSTEM SET fsync = off").await?.success());
    assert!(set("SELECT pg_reload_conf()").await?.success());
    let refused = wait::until("the setting is read", Duration::from_secs(10), || async {
        service(&postgres).await.err().map(|error| error.to_string())
    })
    .await?;
    assert!(refused.contains("fsync off"), "{refused}");
    let setup = Setup {
        database_url: Some("postgres://exam:secret-word@127.0.0.1:1/nowhere".to_owned()),
        ..Setup::default()
    };
    let told = Service::start_with(setup).await.expect_err("nothing is there").to_string();
    assert!(told.contains("postgres://exam@127.0.0.1:1/nowhere") && !told.contains("secret-word"), "{told}");
    Ok(())
}

/// More examinees at once than there are connections to anything: each is served, and none waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_examinees_at_once_all_finish() -> Result<()> {
    let postgres = Postgres::start().await?;
    let service = service(&postgres).await?;
    let client = service.client();
    let sit = |_| {
        let client = client.clone();
        async move {
            let mut examinee = Examinee::start(&client, 5).await?;
            examinee.finish(&client).await?;
            anyhow::Ok(examinee.replies.len())
        }
    };
    let answers = try_join_all((0..384).map(sit)).await?;
    assert_eq!(answers.iter().sum::<usize>(), 384 * 5);
    assert!(verified(&postgres).await?.contains("384 exams, 2304 events"));
    Ok(())
}

/// Each service keeps what it has seen of an exam, and answers come to either: nothing old decides.
#[tokio::test]
async fn an_exam_served_by_two_replicas_is_consistent() -> Result<()> {
    let (postgres, redis) = tokio::try_join!(Postgres::start(), Redis::start())?;
    let setup =
        || Setup { database_url: Some(postgres.url()), redis_url: Some(redis.url()), ..Setup::default() };
    let (one, other) = tokio::try_join!(Service::start_with(setup()), Service::start_with(setup()))?;
    let services = [&one, &other];
    let mut examinee = Examinee::start(&one.client(), 20).await?;
    for turn in 0.. {
        if examinee.item.is_none() {
            break;
        }
        examinee.answer(&services[turn % 2].client()).await?;
    }
    assert_eq!(examinee.replies, undisturbed(20).await?);
    for service in services {
        let conflicts = metric(service, "adaptive_exam_repeats_total{outcome=\"conflict\"}").await?;
        assert_eq!(conflicts, None, "what is old is seen to be old before anything is written");
    }
    assert!(verified(&postgres).await?.contains("1 exams, 21 events"));
    Ok(())
}

/// A plan that was made while the tables were small is kept while they grow.
#[tokio::test]
async fn growing_tables_are_read_by_primary_key() -> Result<()> {
    let postgres = Postgres::start().await?;
    let mut service = service(&postgres).await?;
    let client = service.client();
    let sit = async || -> Result<()> {
        let mut examinee = Examinee::start(&client, 20).await?;
        while examinee.item.is_some() {
            client.next(examinee.exam).await?;
            examinee.answer(&client).await?;
        }
        Ok(())
    };
    // What many ask at once is one statement, and another one than what one asks.
    try_join_all((0..16).map(|_| sit())).await?;
    // Connections hand in what they have counted when they end.
    service.kill().await?;
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    let mut told = async || -> Result<(i64, i64, i64)> {
        let select = "SELECT seq_scan, COALESCE(idx_scan, 0), \
                      (SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'exam-service') \
                      FROM pg_stat_user_tables WHERE relname = 'exams'";
        Ok(sqlx::query_as(select).fetch_one(&mut connection).await?)
    };
    let began = Instant::now();
    let (whole, by_key, _) = loop {
        let told = told().await?;
        if told.2 == 0 || began.elapsed() > Duration::from_secs(20) {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert!(by_key >= 50, "each look at the log is a read: {by_key}");
    assert!(whole < 30, "all exams were read {whole} times, and {by_key} times one of them");
    Ok(())
}
