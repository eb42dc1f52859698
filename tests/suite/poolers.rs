//! Connections to PostgreSQL: TLS with a private authority, and a transaction pooler.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use harness::process::program;
use harness::service::Setup;
use harness::{Authority, Examinee, PgBouncer, Postgres, Service};
use serde_json::Value;
use tokio::process::Command;

async fn service(url: &str) -> Result<Service> {
    Service::start_with(Setup { database_url: Some(url.to_owned()), ..Setup::default() }).await
}

#[tokio::test]
async fn tls_with_a_private_authority() -> Result<()> {
    let (ours, theirs) = (Authority::new()?, Authority::new()?);
    let mut postgres = Postgres::start().await?;
    let url = |mode: &str, authority: &Authority| {
        format!("{}?sslmode={mode}&sslrootcert={}", postgres.url(), authority.certificate().display())
    };
    let (full, by_theirs) = (url("verify-full", &ours), url("verify-full", &theirs));
    // Whoever asks for TLS gets no connection without it.
    let told = service(&full).await.err().context("it speaks no TLS yet")?.to_string();
    ensure!(told.contains("does not support TLS") && told.contains("sslmode"), "{told}");
    postgres.secure(&ours).await?;
    let secured = service(&full).await?;
    let mut examinee = Examinee::start(&secured.client(), 10).await?;
    examinee.finish(&secured.client()).await?;
    let used = "SELECT count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                WHERE application_name = 'exam-service'";
    let mut psql = postgres.command("psql");
    let by_tls = format!("{}?sslmode=require", postgres.url());
    let said = psql.args(["-At", "-c", used, &by_tls]).output().await?;
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).trim().to_owned();
    ensure!(said.parse::<u32>().is_ok_and(|count| count > 0), "{said} connections by TLS");
    // Another authority, and another name than the certificate's.
    let told = service(&by_theirs).await.err().context("an authority nobody named")?.to_string();
    ensure!(told.contains("certificate") && told.contains("sslrootcert"), "{told}");
    let elsewhere = full.replace("127.0.0.1", "127.0.0.2");
    ensure!(service(&elsewhere).await.is_err(), "{elsewhere}");
    Ok(())
}

/// Two services behind one pgbouncer with fewer connections than they have, and a third beside it.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_transaction_mode() -> Result<()> {
    let postgres = Postgres::start().await?;
    let pooler = PgBouncer::start(&postgres, 3).await?;
    let pooled = format!("{}?pooled=true", pooler.url());
    let set = "ALTER ROLE exam SET synchronous_commit = off";
    ensure!(
        postgres.command("psql").args(["-q", "-c", set, &postgres.url()]).status().await?.success(),
        "psql"
    );
    // Both migrate at the same time.
    let (one, other) = tokio::try_join!(service(&pooled), service(&pooled))?;
    let beside = service(&postgres.url()).await?;
    for service in [&one, &other, &beside] {
        let state: Value = reqwest::get(format!("{}/state", service.ops())).await?.json().await?;
        let durability = state["durability"].as_str().unwrap_or_default();
        ensure!(durability.contains("synchronous_commit on, fsync on"), "{durability}");
    }
    let clients = [one.client(), other.client(), beside.client()];
    let sitting = (0..24).map(|number| {
        let clients = clients.clone();
        tokio::spawn(async move {
            for round in 0..4 {
                let mut examinee = Examinee::start(&clients[number % 3], 10).await?;
                for turn in 0.. {
                    let Some(item) = examinee.item else { break };
                    let client = &clients[(number + round + turn) % 3];
                    examinee.answer(client).await?;
                    let other = &clients[(number + turn) % 3];
                    let again = other.answer(examinee.exam, item, Examinee::knows(item)).await?;
                    ensure!(Some(&again.body) == examinee.replies.last(), "{again:?}");
                }
                ensure!(examinee.replies.len() == 10, "{} answers", examinee.replies.len());
            }
            Ok(())
        })
    });
    try_join_all(sitting).await?.into_iter().collect::<Result<()>>()?;
    let listed = clients[0].get("/exams?status=completed&exam_type=placement&limit=500").await?.body;
    ensure!(listed["count"] == 96, "{listed}");
    for url in [&pooled, &postgres.url()] {
        let verified =
            Command::new(program("exam-service")?).args(["verify", "--database", url]).output().await?;
        let said = String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned();
        ensure!(verified.status.success() && said.contains("96 exams, 1056 events"), "{said}");
    }
    // Whoever does not say that there is a pooler is told.
    let told = service(&pooler.url()).await.err().context("sessions are not ours there")?.to_string();
    ensure!(told.contains("pooled=true"), "{told}");
    Ok(())
}
