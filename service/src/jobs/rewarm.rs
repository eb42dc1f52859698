//! A store that came back empty gets its snapshots back before anybody asks for them.
//!
//! Comes in: a running service. Goes out: a snapshot of every open exam, at a bounded rate. A mark in the store
//! tells whether it is the one that was filled: it goes with everything else, and of many services the one that
//! sets it again does the work. Should that one end meanwhile, exams are rebuilt as they are asked for.

use crate::app::App;
use crate::flow::Error;
use crate::records::{self, Filter};
use crate::telemetry::trace::TARGET;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tracing::{Instrument, info_span};

/// How often the mark is looked for.
const LOOK: Duration = Duration::from_secs(5);
/// So many exams at once, and then a pause: 200 a second at most.
const PAGE: i64 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Looks after the store, for as long as the service runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A store that does not answer is looked at again soon; whoever needs it says so.
        if app.live().flow.store.mark().await.unwrap_or(false)
            && let Err(error) = fill(&app).await
        {
            tracing::warn!(%error, "the store is filled no further; exams are rebuilt as they are asked for");
        }
    }
}

async fn fill(app: &App) -> Result<(), Error> {
    let mut pauses = tokio::time::interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut filter = Filter { ended: Some(false), limit: PAGE, ..Filter::default() };
    let mut filled = 0_u64;
    loop {
        pauses.tick().await;
        let live = app.live();
        let page = live.flow.records.listed(&filter).await?;
        for listed in &page {
            let span = info_span!(target: TARGET, "rewarm", exam = listed.id);
            match live.flow.stored(listed.id).instrument(span).await {
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
        app.live().flow.saver.settle().await;
        tracing::info!(exams = filled, "the store was empty and is filled again");
    }
    Ok(())
}
