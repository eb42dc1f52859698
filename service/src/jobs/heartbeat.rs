//! Heartbeats: how long the service or its database was away is known after it.
//!
//! Input: the running service. Output: a regular sign of life in the database, and one log line for each outage. Must
//! not know: which exams were open.

use crate::app::App;
use crate::records::heartbeat::INTERVAL;
use tokio::time::MissedTickBehavior;

/// Runs the job for as long as the service runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        once(&app).await;
    }
}

/// One heartbeat. A failure is reported by the requests that need the database.
pub async fn once(app: &App) {
    let flow = &app.live().flow;
    for outage in flow.records.beat().await.unwrap_or_default() {
        let seconds = (outage.ended_at - outage.began_at) / 1000;
        flow.metrics.outage(seconds);
        tracing::warn!(
            seconds,
            grace_seconds = flow.outage_grace / 1000,
            "the service or its database was away; exams whose time ran out are not ended within the grace: POST \
             /extend with outage = true gives each exam back what it lost"
        );
    }
}
