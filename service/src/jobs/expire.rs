//! Expiry: ends overdue exams that nobody ends.
//!
//! Input: the running service. Output: one ending event in the log of every overdue exam. Replicas need no
//! coordination, because the append is a compare-and-set. Must not know: why an exam has a deadline.

use crate::app::App;
use crate::flow::Error;
use crate::records;
use crate::telemetry::trace::TARGET;
use contract::settings::ExamType;
use std::collections::HashSet;
use std::time::Duration;
use tracing::{Instrument, info_span};

/// Interval of the job.
const INTERVAL: Duration = Duration::from_secs(5);
/// Most exams in one run.
const MAX_BATCH: i64 = 200;

/// Runs the job for as long as the service runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Exams that cannot be ended; each is logged once.
    let mut stuck = HashSet::new();
    loop {
        ticks.tick().await;
        if let Err(error) = once(&app, &mut stuck).await {
            tracing::warn!(%error, "overdue exams are not ended: the database does not answer");
        }
    }
}

async fn once(app: &App, stuck: &mut HashSet<i64>) -> Result<(), Error> {
    let flow = &app.live().flow;
    // Open exams of the first release have no expiry; they get the default.
    let lasts = i64::from(ExamType::default().expires_after_seconds) * 1000;
    let undated = flow.records.expire_oldest_at(flow.records.now() + lasts).await?;
    if undated > 0 {
        tracing::info!(exams = undated, "open exams of the first release now have an expiry");
    }
    let overdue = flow.records.overdue(flow.records.now(), MAX_BATCH).await?;
    for exam in &overdue {
        let span = info_span!(target: TARGET, "expire", exam);
        match flow.expire(*exam).instrument(span).await {
            Ok(None) => {}
            Ok(Some(reason)) => tracing::info!(exam, reason = reason.as_str(), "an exam's time is over"),
            Err(error @ Error::Records(records::Error::Unavailable(_))) => return Err(error),
            Err(error) if stuck.insert(*exam) => {
                tracing::error!(exam, %error, "an overdue exam cannot be ended");
            }
            Err(_) => {}
        }
    }
    Ok(())
}
