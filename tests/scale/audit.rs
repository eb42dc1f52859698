//! What the operator asks of the API server at rest, from the audit log.
//!
//! Input: the log. Output: numbers of reads and writes. Must not know: what is asked.

use anyhow::Result;
use harness::cluster::RELEASE;
use harness::wait;
use serde_json::Value;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For how long nothing is written before it counts as rest.
const QUIET: Duration = Duration::from_secs(5);
/// How long that may take to come.
const LIMIT: Duration = Duration::from_secs(120);

/// Requests of the operator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    pub reads: usize,
    pub writes: usize,
}

impl Requests {
    /// Those of so long a time at rest.
    pub async fn at_rest(log: PathBuf, time: Duration) -> Result<Self> {
        // A change that was seen to be done may have an event that is still to be written.
        wait::until("rest", LIMIT, || async {
            Self::within(&log, QUIET).await.ok().filter(|seen| seen.writes == 0)
        })
        .await?;
        Self::within(&log, time).await
    }

    async fn within(log: &Path, time: Duration) -> Result<Self> {
        let from = std::fs::metadata(log)?.len();
        tokio::time::sleep(time).await;
        let mut file = std::fs::File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let operator = format!("system:serviceaccount:{RELEASE}:{RELEASE}");
        let mut seen = Self::default();
        // The first and the last line may be parts of one.
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            if event["user"]["username"] != operator.as_str() || event["stage"] != "ResponseComplete" {
                continue;
            }
            match event["verb"].as_str() {
                Some("get" | "list" | "watch") => seen.reads += 1,
                _ => seen.writes += 1,
            }
        }
        Ok(seen)
    }
}
