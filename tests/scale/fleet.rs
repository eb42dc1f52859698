//! Many resources: made, changed, and watched until they are Ready.
//!
//! Input: an API of resources. Output: times. Must not know: who makes them Ready.

use anyhow::{Context, Result, ensure};
use futures::stream::{StreamExt, TryStreamExt, iter};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use operator::crd::AdaptiveExamDeployment;
use serde_json::json;
use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Requests at once, where many resources are made or changed.
const AT_ONCE: usize = 16;
/// The longest that anything may take.
const LIMIT: Duration = Duration::from_secs(900);

/// The generation that each resource is Ready in.
type Ready = HashMap<String, i64>;

pub struct Fleet {
    api: Api<AdaptiveExamDeployment>,
    size: usize,
    changes: u32,
    ready: watch::Receiver<Ready>,
    _tasks: JoinSet<()>,
}

impl Fleet {
    pub async fn new(api: Api<AdaptiveExamDeployment>) -> Result<Self> {
        let (sender, ready) = watch::channel(Ready::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(api.clone(), sender));
        Ok(Self { api, size: 0, changes: 0, ready, _tasks: tasks })
    }

    fn name(number: usize) -> String {
        format!("exam-{number}")
    }

    /// Makes more of them, until there are so many; gives the time until all are Ready.
    pub async fn grow(&mut self, size: usize) -> Result<Duration> {
        ensure!(size > self.size, "sizes rise");
        let start = Instant::now();
        let create = async |number: usize| {
            let spec = json!({"database": {"urlSecretRef": {"name": "exam-db"}}});
            let resource = AdaptiveExamDeployment::new(&Self::name(number), serde_json::from_value(spec)?);
            let made = self.api.create(&PostParams::default(), &resource).await?;
            anyhow::Ok((Self::name(number), made.metadata.generation.context("a generation")?))
        };
        let made: Vec<_> = iter(self.size..size).map(create).buffer_unordered(AT_ONCE).try_collect().await?;
        self.size = size;
        self.all_are(&made).await?;
        Ok(start.elapsed())
    }

    /// Changes resources by chance, one after the other; gives the time to Ready of half of them, and of 99 in 100.
    pub async fn change_one_by_one(&mut self, changes: u32) -> Result<(Duration, Duration)> {
        let mut times = Vec::new();
        for _ in 0..changes {
            let name = Self::name(rand::random_range(0..self.size));
            let start = Instant::now();
            let changed = self.change(name).await?;
            self.all_are(&[changed]).await?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let at = |part: f64| times[((times.len() as f64 * part).ceil() as usize).clamp(1, times.len()) - 1];
        Ok((at(0.5), at(0.99)))
    }

    /// Changes all of them; gives the time until all are Ready.
    pub async fn change_all(&mut self) -> Result<Duration> {
        let start = Instant::now();
        let mut changed = Vec::new();
        for number in 0..self.size {
            changed.push(self.change(Self::name(number)).await?);
        }
        self.all_are(&changed).await?;
        Ok(start.elapsed())
    }

    /// Changes one: its Settings are others, and no pod is.
    async fn change(&mut self, name: String) -> Result<(String, i64)> {
        self.changes += 1;
        let spec = json!({"limits": {"requestsPerSecond": 1000 + self.changes}});
        let patch = Patch::Merge(json!({"spec": spec}));
        let changed = self.api.patch(&name, &PatchParams::default(), &patch).await?;
        Ok((name, changed.metadata.generation.context("a generation")?))
    }

    /// Waits until each is Ready in its generation.
    async fn all_are(&self, wanted: &[(String, i64)]) -> Result<()> {
        let mut ready = self.ready.clone();
        let are = |ready: &Ready| {
            wanted.iter().all(|(name, generation)| ready.get(name).is_some_and(|now| now >= generation))
        };
        let waited = tokio::time::timeout(LIMIT, ready.wait_for(are)).await;
        let late = || {
            let ready = self.ready.borrow();
            let late = wanted.iter().filter(|(name, generation)| ready.get(name) != Some(generation));
            format!("not Ready in {} s: {:?}", LIMIT.as_secs(), late.take(5).collect::<Vec<_>>())
        };
        waited.with_context(late)??;
        Ok(())
    }
}

async fn follow(api: Api<AdaptiveExamDeployment>, ready: watch::Sender<Ready>) {
    let mut events = pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let Ok(Event::Apply(resource) | Event::InitApply(resource)) = event else { continue };
        let conditions = resource.status.map(|status| status.conditions).unwrap_or_default();
        let is_ready = |known: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            known.type_ == "Ready" && known.status == "True"
        };
        let generation = conditions.iter().find(is_ready).and_then(|known| known.observed_generation);
        if let Some((name, generation)) = resource.metadata.name.zip(generation) {
            ready.send_modify(|ready| {
                ready.insert(name, generation);
            });
        }
    }
}
