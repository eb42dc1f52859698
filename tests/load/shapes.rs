//! One Redis, Sentinel and Cluster compared: the flow on each, in turns, with many open exams in all of them.
//!
//! Input: how long a turn takes, and how many exams are open. Output: requests/s on Sentinel and on Cluster as a share of
//! those on one Redis, and what an open exam takes of memory in each. Must not know: how it is printed.

use crate::client::{Flow, load, open};
use crate::turns::Ratio;
use anyhow::{Context, Result};
use harness::service::Setup;
use harness::topology::{Shape, Topology, store_table};
use harness::{Postgres, Service, wait};
use std::time::Duration;

/// How often each is measured.
const TURNS: usize = 9;
/// Clients at once: around the peak.
const CLIENTS: usize = 64;
/// Connections that open exams.
const OPENERS: usize = 32;
/// Exams that are opened before memory is measured.
const WARM: usize = 500;

/// What was seen.
pub struct Seen {
    /// Requests/s on Sentinel : on one Redis.
    pub sentinel: Ratio,
    /// Requests/s on Cluster : on one Redis.
    pub cluster: Ratio,
    /// Bytes for each open exam in the masters of one Redis, Sentinel and Cluster.
    pub bytes: [u64; 3],
}

/// A service on a shape of Redis.
struct Bed {
    topology: Topology,
    service: Service,
}

impl Bed {
    async fn start(shape: Shape, postgres: &Postgres) -> Result<Self> {
        let topology = Topology::start(shape, false).await?;
        let url = postgres.database().await?;
        let table = store_table(topology.store(7200).0)?;
        let settings = Some(format!("{table}[database]\nurl = \"{url}\"\n"));
        let service = Service::start_with(Setup { settings, ..Setup::default() }).await?;
        wait::until("the store", Duration::from_secs(30), || async {
            let reply = service.client().get("/health/redis").await.ok()?;
            (reply.body["redis"] == "up").then_some(())
        })
        .await?;
        Ok(Self { topology, service })
    }

    /// Bytes that the data of all masters takes.
    async fn used(&self) -> Result<u64> {
        let mut sum = 0;
        for index in 0..self.topology.len() {
            if !self.topology.ask(index, &["ROLE"]).await?.starts_with("master") {
                continue;
            }
            let told = self.topology.ask(index, &["INFO", "memory"]).await?;
            let line = told.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
            sum += line.context("used_memory_dataset")?.trim().parse::<u64>()?;
        }
        Ok(sum)
    }

    /// Opens exams; the bytes of each.
    async fn open(&self, exams: usize) -> Result<u64> {
        open(self.service.api(), OPENERS, WARM).await?;
        let before = self.used().await?;
        open(self.service.api(), OPENERS, exams).await?;
        Ok(self.used().await?.saturating_sub(before) / exams.max(1) as u64)
    }
}

/// Measures all three, turn by turn.
pub async fn compare(time: Duration, exams: usize) -> Result<Seen> {
    let postgres = Postgres::start().await?;
    let beds = [
        Bed::start(Shape::Basic, &postgres).await?,
        Bed::start(Shape::Sentinel, &postgres).await?,
        Bed::start(Shape::Cluster, &postgres).await?,
    ];
    let mut bytes = [0; 3];
    for (bed, bytes) in beds.iter().zip(&mut bytes) {
        *bytes = bed.open(exams).await?;
    }
    let (mut sentinel, mut cluster) = (Ratio::default(), Ratio::default());
    for _ in 0..TURNS {
        let mut rates = [0.0; 3];
        for (bed, rate) in beds.iter().zip(&mut rates) {
            *rate = load(bed.service.api(), Flow::Whole, CLIENTS, time).await?.requests;
        }
        sentinel.push(rates[1] / rates[0]);
        cluster.push(rates[2] / rates[0]);
    }
    Ok(Seen { sentinel, cluster, bytes })
}
