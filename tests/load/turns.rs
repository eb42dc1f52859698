//! Figures that are compared with each other, measured in alternating turns.
//!
//! Input: a service, its PostgreSQL and its Redis. Output: each ratio in each turn. The speed of a shared machine
//! varies, so compared figures are measured within the same seconds, several times; the median turn is the result.
//! The worst turn is printed beside it, and the p99 at 8 clients : p50 at one client of PostgreSQL's own commits.

use crate::client::{Flow, load};
use crate::limits;
use anyhow::Result;
use harness::{Postgres, Redis, Service};
use std::time::Duration;

/// How often each is measured.
const TURNS: usize = 9;
/// Numbers of clients around the peak.
const PEAK: [usize; 3] = [128, 256, 512];
/// Far more clients than the peak has.
const MANY: usize = 1024;
/// SETs of a turn: about half a second.
const SETS: u32 = 40_000;

/// A ratio, in each turn.
#[derive(Clone, Debug, Default)]
pub struct Ratio(Vec<f64>);

impl Ratio {
    /// Adds a turn.
    pub fn push(&mut self, ratio: f64) {
        self.0.push(ratio);
    }

    /// The turn in the middle.
    pub fn middle(&self) -> f64 {
        self.at(self.0.len() / 2)
    }

    /// The least turn and the most.
    pub fn range(&self) -> (f64, f64) {
        (self.at(0), self.at(self.0.len().saturating_sub(1)))
    }

    fn at(&self, place: usize) -> f64 {
        let mut all = self.0.clone();
        all.sort_by(f64::total_cmp);
        all.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// What was seen in turns.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    /// SET/s of Redis alone : requests/s at eight clients.
    pub sets: Ratio,
    /// The slowest hundredth of answers at eight clients : the median at one.
    pub answers: Ratio,
    /// The same of one-row commits of PostgreSQL alone.
    pub commits: Ratio,
    /// Requests/s at the most clients : the most requests/s at fewer, past which only latency may grow.
    pub saturated: Ratio,
}

/// Measures all of them, turn by turn, each for so long.
pub async fn take(service: &Service, postgres: &Postgres, redis: &Redis, time: Duration) -> Result<Turns> {
    let mut turns = Turns::default();
    for _ in 0..TURNS {
        let sets = limits::redis_sets(redis, SETS).await?;
        let one = load(service.api(), Flow::Whole, 1, time).await?;
        let eight = load(service.api(), Flow::Whole, 8, time).await?;
        let (commit, commits) =
            (limits::commit_times(postgres, 1).await?, limits::commit_times(postgres, 8).await?);
        turns.sets.0.push(sets / eight.requests);
        turns.answers.0.push(eight.answer_p99 / one.answer_p50);
        turns.commits.0.push(commits.p99 / commit.p50);
        let mut peak = 0.0_f64;
        for clients in PEAK {
            peak = peak.max(load(service.api(), Flow::Whole, clients, time).await?.requests);
        }
        let many = load(service.api(), Flow::Whole, MANY, time).await?;
        turns.saturated.0.push(many.requests / peak);
    }
    Ok(turns)
}
