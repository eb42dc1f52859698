//! What a fault happens to: a Redis, two services on one PostgreSQL, and an address that can be changed.
//!
//! Input: a fault. Output: services that use their store. Must not know: what breaks, what is measured.

use crate::faults::Fault;
use anyhow::{Context, Result};
use contract::settings::Store;
use harness::proxy::Proxy;
use harness::service::Setup;
use harness::topology::{Topology, store_table};
use harness::{Postgres, Redis, Service, wait};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for a store.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A name that only these services know.
const NAME: &str = "exams-redis.test";

/// A bed. The services share every exam, so that each answer reads the snapshot that the other service has written.
pub struct Bed {
    pub topology: Topology,
    pub services: [Service; 2],
    pub proxy: Option<Proxy>,
    pub folder: TempDir,
}

impl Bed {
    /// Starts one, with a database of its own.
    pub async fn start(fault: Fault, postgres: &Postgres) -> Result<Self> {
        let topology = Topology::start(fault.shape(), fault.is_guarded()).await?;
        let folder = TempDir::new()?;
        let mut store = topology.settings(folder.path())?;
        let server = SocketAddr::from(([127, 0, 0, 1], topology.port(0)));
        let mut hosts = None;
        let proxy = match fault {
            Fault::Renamed => {
                let proxy = Proxy::start_at(([127, 0, 0, 2], 0).into(), server).await?;
                point(&mut store, server, &format!("{NAME}:{}", proxy.address().port()));
                hosts = Some(folder.path().join("hosts"));
                names(folder.path(), proxy.address())?;
                Some(proxy)
            }
            fault if fault.is_on_the_way() => {
                let proxy = Proxy::start(server).await?;
                point(&mut store, server, &proxy.address().to_string());
                Some(proxy)
            }
            _ => None,
        };
        let url = postgres.database().await?;
        let setup = Setup {
            settings: Some(format!("{}[database]\nurl = \"{url}\"\n", store_table(store)?)),
            database_url: Some(url),
            hosts,
            ..Setup::default()
        };
        let services = [Service::start_with(setup.clone()).await?, Service::start_with(setup).await?];
        let bed = Self { topology, services, proxy, folder };
        bed.until("up").await.context("the store is not found")?;
        Ok(bed)
    }

    /// The proxy.
    pub fn way(&self) -> Result<&Proxy> {
        self.proxy.as_ref().context("this fault has no proxy")
    }

    /// Waits until both services say so of their store.
    pub async fn until(&self, health: &str) -> Result<()> {
        for service in &self.services {
            wait::until(&format!("the store is {health}"), PATIENCE, || async {
                let reply = service.client().get("/health/redis").await.ok()?;
                (reply.body["redis"] == health).then_some(())
            })
            .await?;
        }
        Ok(())
    }

    /// Whether both services keep their requests away from the store, as their metrics say.
    pub async fn is_left_alone(&self) -> Result<bool> {
        let mut open = 0;
        for service in &self.services {
            let metrics = reqwest::get(format!("{}/metrics", service.ops())).await?.text().await?;
            open += usize::from(metrics.lines().any(|line| line == "adaptive_exam_store_breaker_open 1"));
        }
        Ok(open == self.services.len())
    }

    /// Moves the name to a new Redis at another address; nothing is left at the old one. The new Redis is returned.
    pub async fn rename(&mut self) -> Result<Redis> {
        let redis = Redis::start().await?;
        let before = self.proxy.take().context("a proxy")?;
        let port = before.address().port();
        before.cut();
        drop(before);
        let at = SocketAddr::from(([127, 0, 0, 3], port));
        let to = redis.url().trim_start_matches("redis://").trim_end_matches("/0").parse()?;
        self.proxy = Some(Proxy::start_at(at, to).await?);
        names(self.folder.path(), at)?;
        Ok(redis)
    }
}

/// Has a store be found at another address.
fn point(store: &mut Store, server: SocketAddr, at: &str) {
    if let Store::Basic(redis) = store {
        redis.url = redis.url.replace(&server.to_string(), at);
    }
}

/// Writes the names that the services know.
fn names(folder: &Path, at: SocketAddr) -> Result<()> {
    std::fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{} {NAME}\n", at.ip()))?;
    Ok(())
}
