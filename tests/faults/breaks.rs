//! How each fault breaks Redis and is mended.
//!
//! Input: a bed. Output: how long the cause lasted. Must not know: who is affected.

use crate::bed::{Bed, PATIENCE};
use crate::faults::Fault;
use crate::run::Pace;
use anyhow::{Context, Result, ensure};
use harness::topology::Topology;
use harness::{Authority, Redis, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Longer than a service takes to see that a file has changed.
const SEEN: Duration = Duration::from_secs(3);
/// What stands where a snapshot was: nothing, no object, a version from the future, half of a snapshot.
const CORRUPT: [&str; 4] = ["", "[1,2", r#"{"version":999999}"#, r#"{"version":3,"exam":{"id":"#];
/// Overwrites every snapshot.
const OVERWRITE: &str = "for _, key in ipairs(redis.call('KEYS', 'adaptive_engine:[0-9]*')) do \
    redis.call('SET', key, ARGV[1]) end";

/// Something that has to live until the run is over.
pub type Kept = Option<Redis>;

/// Breaks, waits as the fault wants, and mends; how long the cause lasted.
pub async fn run(fault: Fault, bed: &mut Bed, pace: Pace) -> Result<(Duration, Kept)> {
    let start = Instant::now();
    let mut kept = None;
    match fault {
        // As long as the longest fault: what the machine does to the slowest of so many answers is seen here.
        Fault::None => sleep(pace.gone).await,
        Fault::SentinelKill | Fault::ClusterKill => {
            bed.topology.kill(0).await?;
            bed.until("down").await?;
        }
        Fault::SentinelShutdown => {
            // The connection of the command ends with the server.
            drop(bed.topology.ask(0, &["SHUTDOWN", "NOSAVE"]).await);
            bed.topology.kill(0).await?;
        }
        Fault::SentinelFreeze | Fault::ClusterFreeze => {
            bed.topology.signal(0, Signal::STOP)?;
            bed.until("down").await?;
        }
        Fault::SentinelHandover => hand_over(&bed.topology).await?,
        Fault::Gone => {
            bed.topology.kill(0).await?;
            sleep(pace.gone).await;
            bed.topology.restart(0).await?;
        }
        Fault::Flushed => drop(bed.topology.ask(0, &["FLUSHALL"]).await?),
        Fault::Corrupted => {
            for text in CORRUPT.iter().cycle().take(12) {
                bed.topology.ask(0, &["EVAL", OVERWRITE, "0", text]).await?;
                sleep(Duration::from_millis(250)).await;
            }
        }
        Fault::Full => {
            bed.topology.ask(0, &["CONFIG", "SET", "maxmemory", "1"]).await?;
            sleep(pace.lasting).await;
            bed.topology.ask(0, &["CONFIG", "SET", "maxmemory", "0"]).await?;
        }
        Fault::Slow => {
            bed.way()?.weather(|weather| weather.delay = Duration::from_millis(200));
            sleep(pace.lasting / 2).await;
            ensure!(bed.is_left_alone().await?, "a slow Redis is not left alone");
            sleep(pace.lasting / 2).await;
            bed.way()?.weather(|weather| weather.delay = Duration::ZERO);
        }
        Fault::Cut => {
            for _ in 0..10 {
                bed.way()?.cut();
                sleep(Duration::from_millis(300)).await;
            }
        }
        Fault::Silent => {
            bed.way()?.weather(|weather| weather.is_silent = true);
            sleep(pace.lasting).await;
            bed.way()?.weather(|weather| weather.is_silent = false);
        }
        Fault::Throttled => {
            bed.way()?.weather(|weather| weather.bytes_per_second = 2000);
            sleep(pace.lasting).await;
            bed.way()?.weather(|weather| weather.bytes_per_second = 0);
            // What was throttled still trickles out of old connections.
            bed.way()?.cut();
        }
        Fault::Password => rotate_password(bed).await?,
        Fault::Certificates => replace_certificates(bed).await?,
        Fault::Renamed => kept = Some(bed.rename().await?),
    }
    Ok((start.elapsed(), kept))
}

/// Ends what the fault has left behind, once the store is back.
pub fn end(fault: Fault, bed: &Bed) -> Result<()> {
    match fault {
        Fault::SentinelFreeze | Fault::ClusterFreeze => bed.topology.signal(0, Signal::CONT),
        _ => Ok(()),
    }
}

/// The planned handover: no write is taken until the replicas have all; then another server is the master, and the old
/// one follows it before it takes writes again.
async fn hand_over(topology: &Topology) -> Result<()> {
    topology.ask(0, &["CLIENT", "PAUSE", "10000", "WRITE"]).await?;
    // Not `WAIT`: that speaks of the writes of its own connection.
    let offset = async |index: usize, name: &str| {
        let info = topology.ask(index, &["INFO", "replication"]).await.ok()?;
        let line = info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|offset| offset.parse::<u64>().ok())
    };
    let written = offset(0, "master_repl_offset").await.context("an offset of the master")?;
    wait::until("both replicas have all", PATIENCE, || async {
        let (one, other) = (offset(1, "slave_repl_offset").await?, offset(2, "slave_repl_offset").await?);
        (one.min(other) >= written).then_some(())
    })
    .await?;
    topology.sentinel(0, &["SENTINEL", "FAILOVER", "exams"]).await?;
    let next = wait::until("another master", PATIENCE, || async {
        for index in 1..topology.len() {
            if topology.ask(index, &["ROLE"]).await.is_ok_and(|role| role.starts_with("master")) {
                return Some(index);
            }
        }
        None
    })
    .await?;
    topology.ask(0, &["REPLICAOF", "127.0.0.1", &topology.port(next).to_string()]).await?;
    topology.ask(0, &["CLIENT", "UNPAUSE"]).await?;
    Ok(())
}

async fn rotate_password(bed: &Bed) -> Result<()> {
    bed.topology.ask(0, &["ACL", "SETUSER", "app", ">another-password"]).await?;
    std::fs::write(bed.folder.path().join("password"), "another-password\n")?;
    sleep(SEEN).await;
    bed.topology.ask(0, &["ACL", "SETUSER", "app", "<app-password"]).await?;
    // Connections that were made with the old one are ended.
    bed.topology.ask(0, &["CLIENT", "KILL", "USER", "app"]).await?;
    sleep(SEEN).await;
    Ok(())
}

/// First everybody trusts both authorities, then everybody shows what the new one has signed, then the old one is
/// forgotten.
async fn replace_certificates(bed: &Bed) -> Result<()> {
    let (topology, folder) = (&bed.topology, bed.folder.path());
    let before = topology.authority().context("an authority")?;
    let next = Authority::new()?;
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path);
    let both = folder.join("both.crt");
    let [certificate, key] = next.server();
    std::fs::write(&both, read(before.certificate())? + &read(next.certificate())?)?;
    let set = async |values: &[(&str, &std::path::Path)]| -> Result<()> {
        let mut words = vec!["CONFIG".to_owned(), "SET".to_owned()];
        words.extend(values.iter().flat_map(|(name, path)| [(*name).to_owned(), path.display().to_string()]));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = topology.ask(0, &words).await?;
        ensure!(said.trim() == "OK", "{said}");
        Ok(())
    };
    set(&[("tls-ca-cert-file", &both)]).await?;
    std::fs::copy(&both, folder.join("ca.crt"))?;
    sleep(SEEN).await;
    std::fs::copy(&certificate, folder.join("tls.crt"))?;
    std::fs::copy(&key, folder.join("tls.key"))?;
    set(&[("tls-cert-file", &certificate), ("tls-key-file", &key)]).await?;
    // The harness's own commands still show what the old authority has signed, so the server goes on trusting it.
    sleep(SEEN).await;
    std::fs::copy(next.certificate(), folder.join("ca.crt"))?;
    sleep(SEEN).await;
    Ok(())
}
