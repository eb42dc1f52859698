//! Memory of an open exam: in the service, and in Redis where snapshots are stored.

use crate::client::open;
use anyhow::{Context, Result};
use harness::process::resident;
use harness::service::Setup;
use harness::{Redis, Service};

/// Exams that are opened before anything is measured: connections, caches and pools are there then.
const WARM: usize = 500;
/// Connections that open them.
const CLIENTS: usize = 32;

/// Bytes for each of so many open exams.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub service: u64,
    pub redis: Option<u64>,
}

/// Opens so many exams of ten answers each, on SQLite, with snapshots in Redis or in the service.
pub async fn of_open_exams(redis: Option<&Redis>, exams: usize) -> Result<Cost> {
    let setup = Setup { redis_url: redis.map(Redis::url), ..Setup::default() };
    let service = Service::start_with(setup).await?;
    let pid = service.pid().context("the service runs")?;
    open(service.api(), CLIENTS, WARM).await?;
    let before = (resident(pid)?, used(redis).await?);
    open(service.api(), CLIENTS, exams).await?;
    let after = (resident(pid)?, used(redis).await?);
    let each = |before: u64, after: u64| after.saturating_sub(before) / exams.max(1) as u64;
    let redis = before.1.zip(after.1).map(|(before, after)| each(before, after));
    Ok(Cost { service: each(before.0, after.0), redis })
}

/// Bytes that Redis says its data takes.
async fn used(redis: Option<&Redis>) -> Result<Option<u64>> {
    let Some(redis) = redis else { return Ok(None) };
    let told: String = redis::cmd("INFO").arg("memory").query_async(&mut redis.connection().await?).await?;
    let line = told.lines().find_map(|line| line.strip_prefix("used_memory:")).context("used_memory")?;
    Ok(Some(line.trim().parse()?))
}
