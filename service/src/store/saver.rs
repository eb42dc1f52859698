//! The saver task: writes snapshots to the store asynchronously.
//!
//! Input: exams after an event. Output: their snapshots in the store, in order, all waiting ones in one round trip. Each
//! part of the store has a queue and a task of its own, so that one that does not answer holds up no other.
//! The reply to an answer does not wait for its snapshot, so a slow or failed store delays no request. A snapshot
//! that does not fit into the queue is dropped and counted; the next reader rebuilds from the log. Must not know:
//! the outcome of an exam, which backend runs.

use crate::batch_receive::receive_batch;
use crate::crash;
use crate::exam::Exam;
use crate::exam::snapshot::Snapshot;
use crate::store::{Store, Write};
use crate::telemetry::trace::{self, Place, TARGET};
use arc_swap::ArcSwap;
use futures::future::join_all;
use std::collections::HashMap;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{Instrument, info_span};

/// Most snapshots in one round trip.
const MAX_BATCH: usize = 256;
/// Capacity of the queue.
const QUEUE: usize = 4096;
/// Longest time to wait for the queue to empty.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// A queued request.
enum Request {
    Save(Arc<Exam>, Option<Place>),
    Remove(i64, Option<Place>),
    /// Reply when all earlier requests are done.
    Flush(oneshot::Sender<()>),
}

/// A handle to the tasks.
#[derive(Clone, Debug)]
pub struct Saver {
    queues: Arc<Queues>,
    store: Store,
}

/// Queues by the part of the store; a part has one when it is written to first.
#[derive(Debug, Default)]
struct Queues {
    by_shard: ArcSwap<HashMap<usize, mpsc::Sender<Request>>>,
    // Held while a queue is added.
    adding: Mutex<()>,
}

impl Saver {
    /// A saver for a store; its tasks end when the last handle is dropped, after their queues are empty.
    pub fn start(store: Store) -> Self {
        Self { queues: Arc::default(), store }
    }

    /// The queue of a part of the store.
    fn queue(&self, shard: usize) -> mpsc::Sender<Request> {
        if let Some(queue) = self.queues.by_shard.load().get(&shard) {
            return queue.clone();
        }
        let _one = self.queues.adding.lock().expect("no holder of the queues should panic");
        let mut queues = HashMap::clone(&self.queues.by_shard.load());
        let queue = queues.entry(shard).or_insert_with(|| start_task(self.store.clone())).clone();
        self.queues.by_shard.store(Arc::new(queues));
        queue
    }

    /// Queues the snapshot of an exam; for an ended exam its removal.
    pub fn save(&self, exam: &Arc<Exam>) {
        self.enqueue(exam.head().id, Request::Save(Arc::clone(exam), trace::place("snapshot")));
    }

    /// Queues the removal of an exam's snapshot.
    pub fn remove(&self, exam: i64) {
        self.enqueue(exam, Request::Remove(exam, trace::place("snapshot")));
    }

    /// Waits until all queued requests are written, for a bounded time.
    pub async fn flush(&self) {
        let queues: Vec<_> = self.queues.by_shard.load().values().cloned().collect();
        let each = queues.into_iter().map(|queue| async move {
            let (reply, done) = oneshot::channel();
            if queue.send(Request::Flush(reply)).await.is_ok() {
                let _task_ended = done.await;
            }
        });
        if timeout(FLUSH_DEADLINE, join_all(each)).await.is_err() {
            tracing::debug!("the store is slow; the last snapshots may be missing there");
        }
    }

    fn enqueue(&self, exam: i64, request: Request) {
        if let Err(full) = self.queue(self.store.shard(exam)).try_send(request) {
            match full.into_inner() {
                Request::Save(exam, _) if exam.end().is_none() => self.store.count_skipped("save"),
                _ => self.store.count_skipped("remove"),
            }
        }
    }
}

/// A queue, and the task that empties it.
fn start_task(store: Store) -> mpsc::Sender<Request> {
    let (queue, mut receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        let mut never = pin!(pending());
        while receive_batch(&mut receiver, &mut waiting, MAX_BATCH, never.as_mut()).await {
            write_batch(&store, &mut waiting).await;
        }
    });
    queue
}

/// Writes all queued requests in one round trip. A failure is counted by the store and otherwise ignored.
async fn write_batch(store: &Store, waiting: &mut Vec<Request>) {
    let (mut writes, mut places, mut waiters) = (Vec::with_capacity(waiting.len()), Vec::new(), Vec::new());
    for request in waiting.drain(..) {
        match request {
            Request::Save(exam, place) => {
                writes.push(write(&exam));
                places.extend(place);
            }
            Request::Remove(exam, place) => {
                writes.push(Write::Remove { exam });
                places.extend(place);
            }
            Request::Flush(waiter) => waiters.push(waiter),
        }
    }
    if !writes.is_empty() {
        let span = info_span!(target: TARGET, parent: None, "save", batch = writes.len());
        trace::after(&span, places);
        crash::point("snapshot.save.before");
        let _counted = store.write(&writes).instrument(span).await;
        crash::point("snapshot.save.after");
    }
    for waiter in waiters {
        // The waiter timed out.
        let _gone = waiter.send(());
    }
}

fn write(exam: &Exam) -> Write {
    let id = exam.head().id;
    match Snapshot::of(exam) {
        Some(snapshot) => Write::Save { exam: id, version: snapshot.version, text: snapshot.to_text() },
        None => Write::Remove { exam: id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::bank::ItemBank;
    use crate::store::redis::access::StoreSecrets;
    use crate::telemetry::metrics::{Metrics, Sampled};
    use contract::settings;

    fn store(metrics: &Metrics) -> Store {
        let memory = settings::Store::Memory { ttl_seconds: 60 };
        Store::open(&memory, &StoreSecrets::default(), metrics.clone()).unwrap()
    }

    #[tokio::test]
    async fn what_is_asked_is_done_in_order() {
        let (store, bank) = (store(&Metrics::new()), Arc::new(ItemBank::sample()));
        let saver = Saver::start(store.clone());
        saver.save(&Exam::sample(1, &bank));
        saver.save(&Exam::sample(2, &bank));
        saver.remove(1);
        saver.flush().await;
        assert_eq!(store.load(1).await.unwrap(), None);
        let kept = store.load(2).await.unwrap().unwrap();
        assert_eq!(Snapshot::parse(&kept, 2).unwrap().version, 0);
        let mut ended = Exam::sample(2, &bank);
        let end = ended.complete(engine::EndReason::Manual, 0).unwrap();
        Arc::make_mut(&mut ended).apply(end).unwrap();
        saver.save(&ended);
        saver.flush().await;
        assert_eq!(store.load(2).await.unwrap(), None, "an ended exam has no snapshot");
    }

    #[tokio::test]
    async fn what_finds_no_room_is_left_out_and_counted() {
        let metrics = Metrics::new();
        let (store, bank) = (store(&metrics), Arc::new(ItemBank::sample()));
        let saver = Saver::start(store.clone());
        let (room, more) = (i64::try_from(QUEUE).unwrap(), 7);
        // The task does not run before this loop ends.
        (1..=room + more).for_each(|id| saver.save(&Exam::sample(id, &bank)));
        saver.flush().await;
        assert!(store.load(room).await.unwrap().is_some());
        assert!(store.load(room + 1).await.unwrap().is_none());
        let text = metrics.text(Sampled::default());
        let skipped = format!("redis_operations_total{{operation=\"save\",outcome=\"skipped\"}} {more}");
        assert!(text.lines().any(|line| line == skipped), "{text}");
    }
}
