//! The faults: each on a topology of its own.
//!
//! Input: a fault. Output: what examinees saw of it. Must not know: how it is printed.

use crate::examinees::{Crowd, Seen, undisturbed};
use anyhow::{Context, Result};
use contract::Settings;
use harness::service::Setup;
use harness::topology::{Shape, Topology};
use harness::{Service, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long the load runs before the fault.
const BEFORE: Duration = Duration::from_secs(2);
/// How long it goes on after the store is back.
const AFTER: Duration = Duration::from_secs(1);
/// Longest wait for a store.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing breaks: the figures to compare with.
    None,
    /// The master of Sentinels is killed.
    SentinelKill,
    /// The master of Sentinels is frozen, and goes on later.
    SentinelFreeze,
    /// The master of Sentinels is handed over as planned: PAUSE WRITE, WAIT, FAILOVER, UNPAUSE.
    SentinelHandover,
    /// The master of a shard is killed.
    ClusterKill,
    /// The master of a shard is frozen, and goes on later.
    ClusterFreeze,
    /// The only Redis is gone for a while, and comes back empty.
    Gone,
    /// The only Redis forgets everything.
    Flushed,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::SentinelKill,
        Self::SentinelFreeze,
        Self::SentinelHandover,
        Self::ClusterKill,
        Self::ClusterFreeze,
        Self::Gone,
        Self::Flushed,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none (one Redis)",
            Self::SentinelKill => "sentinel: master killed",
            Self::SentinelFreeze => "sentinel: master frozen",
            Self::SentinelHandover => "sentinel: planned handover",
            Self::ClusterKill => "cluster: a master killed",
            Self::ClusterFreeze => "cluster: a master frozen",
            Self::Gone => "basic: gone, then back empty",
            Self::Flushed => "basic: FLUSHALL",
        }
    }

    /// How long the store may be away: until a replica is promoted (down-after 1 s and an election), and 5 s.
    pub fn back_limit(self, gone: Duration) -> Duration {
        match self {
            Self::Gone => gone + Duration::from_secs(5),
            Self::None | Self::Flushed => Duration::from_secs(1),
            _ => Duration::from_secs(10),
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::None | Self::Gone | Self::Flushed => Shape::Basic,
            Self::SentinelKill | Self::SentinelFreeze | Self::SentinelHandover => Shape::Sentinel,
            Self::ClusterKill | Self::ClusterFreeze => Shape::Cluster,
        }
    }
}

async fn is(service: &Service, wanted: &str) -> Option<()> {
    let health = service.client().get("/health/redis").await.ok()?.body;
    (health["redis"] == wanted).then_some(())
}

/// One run: load, the fault, the store's return, and what was seen.
pub async fn run(fault: Fault, clients: u32, gone: Duration) -> Result<Seen> {
    let expected = undisturbed().await?;
    let mut topology = Topology::start(fault.shape(), false).await?;
    let (store, _) = topology.store(3600);
    let settings = Settings { store, ..Settings::default() }.to_text();
    let table =
        settings.split("[store]").nth(1).and_then(|rest| rest.split("\n[").next()).context("a store")?;
    let setup = Setup { settings: Some(format!("[store]{table}")), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    wait::until("the store", PATIENCE, || is(&service, "up")).await?;
    let client = service.client();
    let crowd = Crowd::start(&client, clients);
    tokio::time::sleep(BEFORE).await;
    crowd.mark();
    let broken = Instant::now();
    match fault {
        Fault::None => {}
        Fault::SentinelKill | Fault::ClusterKill => {
            topology.kill(0).await?;
            wait::until("the loss to be seen", PATIENCE, || is(&service, "down")).await?;
        }
        Fault::SentinelFreeze | Fault::ClusterFreeze => {
            topology.signal(0, Signal::STOP)?;
            wait::until("the loss to be seen", PATIENCE, || is(&service, "down")).await?;
        }
        Fault::SentinelHandover => hand_over(&topology).await?,
        Fault::Gone => {
            topology.kill(0).await?;
            tokio::time::sleep(gone).await;
            topology.restart(0).await?;
        }
        Fault::Flushed => drop(topology.ask(0, &["FLUSHALL"]).await?),
    }
    wait::until("the store's return", PATIENCE + gone, || is(&service, "up")).await?;
    let back = broken.elapsed();
    if matches!(fault, Fault::SentinelFreeze | Fault::ClusterFreeze) {
        topology.signal(0, Signal::CONT)?;
    }
    tokio::time::sleep(AFTER).await;
    let seen = crowd.end(&client, &expected).await?;
    let is_basic = matches!(fault, Fault::None | Fault::Flushed);
    Ok(Seen { back: if is_basic { Duration::ZERO } else { back }, ..seen })
}

/// The planned handover: no write is taken until the replicas have all, then another server is the master.
async fn hand_over(topology: &Topology) -> Result<()> {
    topology.ask(0, &["CLIENT", "PAUSE", "5000", "WRITE"]).await?;
    topology.ask(0, &["WAIT", "2", "1000"]).await.ok();
    topology.sentinel(0, &["SENTINEL", "FAILOVER", "exams"]).await?;
    wait::until("another master", PATIENCE, || async {
        for index in 1..topology.len() {
            if topology.ask(index, &["ROLE"]).await.is_ok_and(|role| role.starts_with("master")) {
                return Some(());
            }
        }
        None
    })
    .await?;
    topology.ask(0, &["CLIENT", "UNPAUSE"]).await?;
    Ok(())
}
