//! Rewarming: refills a store that lost its content.
//!
//! Input: the running service. Output: a snapshot of every open exam, at a bounded rate. A marker in the store
//! shows whether it was filled: it is lost with everything else, and of several services the one that sets it again
//! does the work. If that service stops before it is done, exams are rebuilt on demand. Must not know: which
//! backend runs.

use crate::app::App;
use crate::flow::Error;
use crate::records::{self, Filter};
use crate::telemetry::trace::TARGET;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tracing::{Instrument, info_span};

/// Interval of checks for the marker.
const INTERVAL: Duration = Duration::from_secs(5);
/// Exams per batch; with the pause below at most 200 a second.
const PAGE: i64 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the job for as long as the service runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // An unavailable store is checked again later; its outage is reported by the store itself.
        let lost = app.live().flow.store.set_markers().await.unwrap_or_default();
        if !lost.is_empty()
            && let Err(error) = fill(&app, &lost).await
        {
            tracing::warn!(%error, "refilling the store stopped; further exams are rebuilt on demand");
        }
    }
}

/// Fills these parts of the store; the others are not touched.
async fn fill(app: &App, lost: &[usize]) -> Result<(), Error> {
    let mut pauses = tokio::time::interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut filter = Filter { ended: Some(false), limit: PAGE, ..Filter::default() };
    let mut filled = 0_u64;
    loop {
        pauses.tick().await;
        let live = app.live();
        let page = live.flow.records.page(&filter).await?;
        for listed in page.iter().filter(|listed| lost.contains(&live.flow.store.shard(listed.id))) {
            let span = info_span!(target: TARGET, "rewarm", exam = listed.id);
            match live.flow.reload(listed.id).instrument(span).await {
                Ok(_) => {
                    live.flow.metrics.rewarmed();
                    filled += 1;
                }
                Err(error @ Error::Records(records::Error::Unavailable(_))) => return Err(error),
                Err(error) => tracing::error!(exam = listed.id, %error, "an open exam cannot be read"),
            }
        }
        match page.last() {
            Some(last) => filter.after = last.id,
            None => break,
        }
    }
    if filled > 0 {
        app.live().flow.saver.flush().await;
        tracing::info!(exams = filled, "the store was empty and has been refilled");
    }
    Ok(())
}
