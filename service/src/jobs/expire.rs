//! Exams that nobody ends: each ends by one event, however many services look.
//!
//! Comes in: a running service. Goes out: an ending in the log of every exam whose time is over. Services need
//! not know of each other: the log takes one event at a place. Must not know: why an exam has a time.

use crate::app::App;
use crate::flow::Error;
use crate::records;
use crate::telemetry::trace::TARGET;
use contract::settings::ExamType;
use std::collections::HashSet;
use std::time::Duration;
use tracing::{Instrument, info_span};

/// How often overdue exams are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// Most exams of one look.
const MOST: i64 = 200;

/// Looks for overdue exams, for as long as the service runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Exams that cannot be ended; each is told once.
    let mut stuck = HashSet::new();
    loop {
        ticks.tick().await;
        if let Err(error) = once(&app, &mut stuck).await {
            tracing::warn!(%error, "overdue exams wait: the database does not answer");
        }
    }
}

async fn once(app: &App, stuck: &mut HashSet<i64>) -> Result<(), Error> {
    let flow = &app.live().flow;
    // Those of a service that knew no end have from now on the time that any exam has by itself.
    let lasts = i64::from(ExamType::default().expires_after_seconds) * 1000;
    let undated = flow.records.expire_oldest_at(flow.records.now() + lasts).await?;
    if undated > 0 {
        tracing::info!(exams = undated, "open exams of an earlier service end by themselves from now on");
    }
    let overdue = flow.records.overdue(flow.records.now(), MOST).await?;
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
