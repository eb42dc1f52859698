//! Many examinees at once, who take exam after exam while something happens to what serves them.
//!
//! Input: a client, and how many. Output: what they saw: every reply, and the longest wait. Nobody tries anything twice.

use crate::{Client, Examinee};
use anyhow::{Context, Result};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Ten answers each second of each examinee: every short failure meets one, and a small machine has time for its Kubernetes.
const PAUSE: Duration = Duration::from_millis(100);

/// A crowd that sits exams until it is told to leave.
#[derive(Debug)]
pub struct Crowd {
    is_over: Arc<AtomicBool>,
    sitting: Vec<JoinHandle<Result<Seen>>>,
}

/// What a crowd saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The replies of each exam.
    pub exams: Vec<Vec<Value>>,
    /// The exams' ids.
    pub ids: Vec<i64>,
    /// The longest time between two acknowledged answers of one examinee.
    pub gap: Duration,
}

impl Seen {
    /// How many answers were acknowledged.
    pub fn answers(&self) -> usize {
        self.exams.iter().map(Vec::len).sum()
    }
}

impl Crowd {
    /// Has so many examinees sit exams of ten items, quickly, but with time left for whatever happens meanwhile.
    pub fn sit(client: &Client, examinees: usize) -> Self {
        Self::think(client, examinees, PAUSE)
    }

    /// Has so many examinees sit exams of ten items, who think so long before each answer.
    pub fn think(client: &Client, examinees: usize, pause: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let sit = |_| tokio::spawn(sit(client.clone(), pause, Arc::clone(&is_over)));
        Self { sitting: (0..examinees).map(sit).collect(), is_over }
    }

    /// Lets everybody end their exam, and says what they saw.
    ///
    /// # Errors
    /// A request failed.
    pub async fn leave(self) -> Result<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for examinee in self.sitting {
            let seen = examinee.await??;
            all.exams.extend(seen.exams);
            all.ids.extend(seen.ids);
            all.gap = all.gap.max(seen.gap);
        }
        Ok(all)
    }
}

async fn sit(client: Client, pause: Duration, is_over: Arc<AtomicBool>) -> Result<Seen> {
    let (mut seen, mut last) = (Seen::default(), Instant::now());
    while !is_over.load(Ordering::Relaxed) {
        let mut examinee = Examinee::start(&client, 10).await.context("a start failed")?;
        while examinee.item.is_some() {
            tokio::time::sleep(pause).await;
            examinee.answer(&client).await.with_context(|| {
                let answered = examinee.replies.len();
                format!(
                    "answer {} of exam {} failed, {:?} after the last",
                    answered + 1,
                    examinee.exam,
                    last.elapsed()
                )
            })?;
            seen.gap = seen.gap.max(last.elapsed());
            last = Instant::now();
        }
        seen.exams.push(examinee.replies);
        seen.ids.push(examinee.exam);
    }
    Ok(seen)
}
