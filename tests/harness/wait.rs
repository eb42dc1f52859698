//! Waiting for a condition, never for a fixed time.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long a cluster, or several services, may take for anything. What is right comes in seconds; only a test that fails waits
/// for so long, so it is long enough for a small machine that has several clusters to run.
pub const SETTLE: Duration = Duration::from_secs(300);
/// The same for kubectl and helm.
pub const TIMEOUT: &str = "--timeout=300s";
/// The shortest time between two looks at a condition.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// The longest.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Looks until `condition` gives something, or fails with `what` after `limit`. The longer it has waited, the more seldom it looks:
/// what comes at once is seen at once, and what takes long is not held up by looks.
///
/// # Errors
/// The limit passed.
pub async fn until<T, F>(what: &str, limit: Duration, mut condition: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain: {what}", limit.as_secs());
        }
        tokio::time::sleep((start.elapsed() / 20).clamp(LOOK, LOOK_AGAIN)).await;
    }
}
