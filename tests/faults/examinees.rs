//! Examinees at work while something breaks, and what they see.
//!
//! Input: a service, and whether to go on. Output: times between acknowledged answers, failures, and how the exams compare
//! with one that was not disturbed. Must not know: what breaks.

use anyhow::{Context, Result};
use harness::{Client, Examinee, Service};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Items of an exam.
const ITEMS: u32 = 30;

/// What was seen of a fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Longest time between two acknowledged answers of one examinee.
    pub gap: Duration,
    /// Requests that were not answered as they should be.
    pub failed: u64,
    /// Acknowledged answers that are not in their exam.
    pub lost: u64,
    /// Answers that are in their exam twice.
    pub doubled: u64,
    /// Exams with another result than without a fault.
    pub wrong: u64,
    /// The 99th percentile of an answer before the fault.
    pub p99_before: Duration,
    /// The same from the fault on.
    pub p99_then: Duration,
    /// How long the store was away.
    pub back: Duration,
}

/// Examinees that go on until they are told to stop.
pub struct Crowd {
    is_over: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Result<Sat>>>,
}

#[derive(Default)]
struct Sat {
    gap: Duration,
    before: Vec<Duration>,
    then: Vec<Duration>,
    failed: u64,
    exams: Vec<(i64, usize, Vec<Value>)>,
}

/// The replies of an exam in which nothing goes wrong.
pub async fn undisturbed() -> Result<Vec<Value>> {
    let service = Service::start().await?;
    let mut examinee = Examinee::start(&service.client(), ITEMS).await?;
    examinee.finish(&service.client()).await?;
    Ok(examinee.replies)
}

impl Crowd {
    /// Starts so many examinees.
    pub fn start(client: &Client, count: u32) -> Self {
        let (is_over, is_broken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let tasks = (0..count)
            .map(|_| {
                let (client, is_over, is_broken) =
                    (client.clone(), Arc::clone(&is_over), Arc::clone(&is_broken));
                tokio::spawn(async move { sit(&client, &is_over, &is_broken).await })
            })
            .collect();
        Self { is_over, is_broken, tasks }
    }

    /// Marks the moment of the fault.
    pub fn mark(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    /// Lets them finish their exams, and tells what they saw.
    pub async fn end(self, client: &Client, expected: &[Value]) -> Result<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        let (mut seen, mut before, mut then) = (Seen::default(), Vec::new(), Vec::new());
        for task in self.tasks {
            let sat = task.await??;
            seen.gap = seen.gap.max(sat.gap);
            seen.failed += sat.failed;
            before.extend(sat.before);
            then.extend(sat.then);
            for (exam, acknowledged, replies) in sat.exams {
                let status = client.status(exam).await?.body;
                let kept = status["items_completed"].as_u64().context("items_completed")?;
                let acknowledged = acknowledged as u64;
                seen.lost += acknowledged.saturating_sub(kept);
                seen.doubled += kept.saturating_sub(acknowledged);
                seen.wrong += u64::from(replies != expected);
            }
        }
        (seen.p99_before, seen.p99_then) = (p99(before), p99(then));
        Ok(seen)
    }
}

async fn sit(client: &Client, is_over: &AtomicBool, is_broken: &AtomicBool) -> Result<Sat> {
    let mut sat = Sat::default();
    while !is_over.load(Ordering::Relaxed) {
        let mut examinee = Examinee::start(client, ITEMS).await?;
        let mut last = Instant::now();
        while examinee.item.is_some() {
            let asked = Instant::now();
            if examinee.answer(client).await.is_err() {
                sat.failed += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let times = if is_broken.load(Ordering::Relaxed) { &mut sat.then } else { &mut sat.before };
            times.push(asked.elapsed());
            if is_broken.load(Ordering::Relaxed) {
                sat.gap = sat.gap.max(last.elapsed());
            }
            last = Instant::now();
            // A person takes longer; this keeps the machine from being the limit.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sat.exams.push((examinee.exam, examinee.replies.len(), examinee.replies));
    }
    Ok(sat)
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}
