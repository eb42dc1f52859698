//! Examinees at work while something breaks, and what they see.
//!
//! Input: a service, and whether to go on. Output: times between acknowledged answers, failures, and how the exams compare
//! with one that was not disturbed. Must not know: what breaks.

use anyhow::{Context, Result};
use harness::{Client, Examinee, Service};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Items of an exam.
const ITEMS: u32 = 30;
/// Between an acknowledged answer and the next one.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen of a fault.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Longest time between two acknowledged answers of one examinee, from the fault on.
    pub gap: Duration,
    /// Requests that were not answered as they should be.
    pub failed: u64,
    /// Acknowledged answers that are not in their exam.
    pub lost: u64,
    /// Answers that are in their exam twice.
    pub doubled: u64,
    /// Exams with another result than without a fault.
    pub wrong: u64,
    /// How long each answer before the fault took.
    pub before: Vec<Duration>,
    /// Each answer from the fault on.
    pub then: Vec<Taken>,
}

/// An acknowledged answer.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// When.
    pub at: Instant,
    /// After how long.
    pub took: Duration,
    /// Of which exam.
    pub exam: i64,
}

/// Examinees that go on until they are told to stop.
pub struct Crowd {
    stage: Arc<AtomicU8>,
    tasks: Vec<tokio::task::JoinHandle<Result<Sat>>>,
}

/// Nothing is measured yet.
const WARMING: u8 = 0;
/// Before the fault.
const BEFORE: u8 = 1;
/// From the fault on.
const THEN: u8 = 2;
/// Exams that are open are finished.
const OVER: u8 = 3;

#[derive(Default)]
struct Sat {
    gap: Duration,
    before: Vec<Duration>,
    then: Vec<Taken>,
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
    /// Starts so many examinees; each asks the services in turn.
    pub fn start(clients: &[Client; 2], count: u32) -> Self {
        let stage = Arc::new(AtomicU8::new(WARMING));
        let tasks = (0..count)
            .map(|_| {
                let (clients, stage) = (clients.clone(), Arc::clone(&stage));
                tokio::spawn(async move { sit(&clients, &stage).await })
            })
            .collect();
        Self { stage, tasks }
    }

    /// From now on answers are measured.
    pub fn is_warm(&self) {
        self.stage.store(BEFORE, Ordering::Relaxed);
    }

    /// Marks the moment of the fault.
    pub fn breaks(&self) {
        self.stage.store(THEN, Ordering::Relaxed);
    }

    /// Lets them finish their exams, and tells what they saw.
    pub async fn end(self, client: &Client, expected: &[Value]) -> Result<Seen> {
        self.stage.store(OVER, Ordering::Relaxed);
        let mut seen = Seen::default();
        for task in self.tasks {
            let sat = task.await??;
            seen.gap = seen.gap.max(sat.gap);
            seen.failed += sat.failed;
            seen.before.extend(sat.before);
            seen.then.extend(sat.then);
            for (exam, acknowledged, replies) in sat.exams {
                let status = client.status(exam).await?;
                let kept = status.body["items_completed"].as_u64().with_context(|| format!("{status:?}"))?;
                let acknowledged = acknowledged as u64;
                seen.lost += acknowledged.saturating_sub(kept);
                seen.doubled += kept.saturating_sub(acknowledged);
                seen.wrong += u64::from(replies != expected);
            }
        }
        Ok(seen)
    }
}

async fn sit(clients: &[Client; 2], stage: &AtomicU8) -> Result<Sat> {
    let mut sat = Sat::default();
    let mut turns = clients.iter().cycle();
    let mut next = || turns.next().context("a client");
    while stage.load(Ordering::Relaxed) != OVER {
        let mut examinee = Examinee::start(next()?, ITEMS).await?;
        let mut last = Instant::now();
        while examinee.item.is_some() {
            let asked = Instant::now();
            if examinee.answer(next()?).await.is_err() {
                sat.failed += 1;
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            let (at, took, exam) = (Instant::now(), asked.elapsed(), examinee.exam);
            match stage.load(Ordering::Relaxed) {
                WARMING => {}
                BEFORE => sat.before.push(took),
                _ => {
                    sat.then.push(Taken { at, took, exam });
                    sat.gap = sat.gap.max(last.elapsed());
                }
            }
            last = Instant::now();
            // A person takes longer; this keeps the machine from being the limit.
            sleep(PAUSE).await;
        }
        sat.exams.push((examinee.exam, examinee.replies.len(), examinee.replies));
    }
    Ok(sat)
}

/// The 99th percentile; zero of nothing.
pub fn p99(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}
