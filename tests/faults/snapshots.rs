//! A writer of snapshots beside the services, which knows what Redis has acknowledged.
//!
//! Input: a Redis. Output: how many acknowledged snapshots are gone or older afterwards. Must not know: what happened
//! meanwhile.

use crate::bed::PATIENCE;
use anyhow::Result;
use harness::topology::Topology;
use harness::wait;
use service::store::{Store, Write, Written};
use service::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// Exams that no service has.
const EXAMS: std::ops::Range<i64> = 1_000_000_000..1_000_000_064;

/// The writer.
pub struct Snapshots {
    store: Store,
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<i64>>,
}

impl Snapshots {
    /// Starts to write a snapshot of each exam, again and again, each newer than the last.
    pub async fn start(topology: &Topology) -> Result<Self> {
        let (settings, secrets) = topology.store(3600);
        let store = Store::open(&settings, &secrets, Metrics::new())?;
        // A busy machine may answer later than a store may.
        wait::until("the store", PATIENCE, || async { store.check().await.ok() }).await?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (writer, over) = (store.clone(), Arc::clone(&is_over));
        let task = tokio::spawn(async move {
            let mut acknowledged = vec![-1; EXAMS.count()];
            for version in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                for (exam, known) in EXAMS.zip(&mut acknowledged) {
                    let text = format!("{{\"version\":{version}}}");
                    if writer
                        .write(&[Write::Save { exam, version, text }])
                        .await
                        .is_ok_and(|done| done == [Written::Saved])
                    {
                        *known = version;
                    }
                }
                sleep(Duration::from_millis(5)).await;
            }
            acknowledged
        });
        Ok(Self { store, is_over, task })
    }

    /// Ends it; how many acknowledged snapshots are not there.
    pub async fn end(self) -> Result<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        let acknowledged = self.task.await?;
        let mut lost = 0;
        for (exam, version) in EXAMS.zip(acknowledged).filter(|(_, version)| *version >= 0) {
            let read =
                wait::until("a snapshot to be read", PATIENCE, || async { self.store.load(exam).await.ok() });
            let text = read.await?.unwrap_or_default();
            let parsed: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            let there = parsed.and_then(|text| text["version"].as_i64()).unwrap_or(-1);
            lost += u64::from(there < version);
        }
        let _removed = self.store.write(&EXAMS.map(|exam| Write::Remove { exam }).collect::<Vec<_>>()).await;
        Ok(lost)
    }
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshots").finish_non_exhaustive()
    }
}
