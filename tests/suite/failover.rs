//! Another database takes the place of one whose machine hangs: nobody closes the connections to that one.
//!
//! Input: a service whose database is behind a proxy. Output: none. Must not know: who leads the database.

use crate::outage::undisturbed;
use anyhow::{Result, ensure};
use harness::proxy::Proxy;
use harness::service::Setup;
use harness::{Examinee, Postgres, Service, wait};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The deadlines of a statement and of a ping, for each connection that has to find out.
const SETTLE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn connections_that_hang_are_given_up() -> Result<()> {
    let postgres = Postgres::start().await?;
    let proxy = Proxy::start((Ipv4Addr::LOCALHOST, postgres.port()).into()).await?;
    let port = |port: u16| format!(":{port}/");
    let url = postgres.url().replace(&port(postgres.port()), &port(proxy.address().port()));
    ensure!(url != postgres.url(), "the URL leads through the proxy");
    let service = Service::start_with(Setup { database_url: Some(url), ..Setup::default() }).await?;
    let client = service.client();
    let mut examinee = Examinee::start(&client, 10).await?;
    for _ in 0..3 {
        examinee.answer(&client).await?;
    }
    client.get("/exams").await?;

    proxy.hang();
    let start = Instant::now();
    examinee.insist(&client, SETTLE).await?;
    println!("an answer counts {:?} after all connections hang", start.elapsed());
    examinee.finish(&client).await?;
    ensure!(examinee.replies == undisturbed(10).await?, "each answer counts once");
    wait::until("a list", SETTLE, || async {
        client.get("/exams").await.ok().filter(|list| list.status == 200)
    })
    .await?;
    println!("a list is given {:?} after it", start.elapsed());
    Ok(())
}
