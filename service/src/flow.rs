//! The story of an exam: start, next, answer, complete, status. Pure decisions and I/O meet here,
//! once.
//!
//! Comes in: what a caller wants. Goes out: the exam as it stands then, or a typed refusal.
//! The order of every change: load (checked), decide (pure), append (the commit), save the snapshot
//! (speed), reply. Must not know: HTTP statuses, SQL, Redis.

mod load;

use crate::catalogue::Catalogue;
use crate::crash;
use crate::event::{Entry, Head, ItemId, Submitted, digest};
use crate::exam::{Exam, Refusal, Verdict};
use crate::exposure::Shared;
use crate::metrics::Metrics;
use crate::records::{self, Appended, Created, NewExam, Records};
use crate::snapshot::Snapshot;
use crate::store::Store;
use contract::Fault;
use engine::EndReason;
use rand::RngExt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Ids and seeds stay below this, so that every JSON reader keeps them exactly.
const EXACT: i64 = 1 << 53;

/// All that an exam needs.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The database of record.
    pub records: Records,
    /// The snapshots.
    pub store: Store,
    /// Exam types and banks.
    pub catalogue: Arc<Catalogue>,
    /// How often items were given.
    pub exposure: Shared,
    /// The process's metrics.
    pub metrics: Metrics,
}

/// What a start asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Name of the exam type.
    pub exam_type: String,
    /// Instead of the type's number of items.
    pub max_items: Option<u32>,
    /// Instead of the type's start ability.
    pub initial_theta: Option<f64>,
    /// The examinee, as the caller knows them.
    pub student_id: Option<i64>,
    /// Their class, as the caller knows it.
    pub class_id: Option<i64>,
    /// The caller's key for this very start.
    pub idempotency_key: Option<String>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exam.
    pub exam: i64,
    /// The item it answers.
    pub item: ItemId,
    /// What was submitted.
    pub submitted: Submitted,
    /// Milliseconds the examinee took.
    pub response_time_ms: Option<u32>,
}

/// Why a call changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such exam for this caller.
    #[error("there is no exam {0}")]
    UnknownExam(i64),
    /// Fields that are wrong by themselves or for this exam.
    #[error("the request has faults")]
    Invalid(Vec<Fault>),
    /// The key started another exam.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// Another item is on the screen.
    #[error("another item is on the screen")]
    NotCurrent(Box<Exam>),
    /// The item was answered before, and otherwise.
    #[error("the item was answered before, and otherwise")]
    AlreadyAnswered(Box<Exam>),
    /// The exam is over.
    #[error("the exam has ended")]
    Ended(EndReason),
    /// The database of record failed.
    #[error(transparent)]
    Records(#[from] records::Error),
}

impl Flow {
    /// Starts an exam, or gives back the one that the same key started.
    ///
    /// # Errors
    /// Every fault of the request, or the database's.
    pub async fn start(&self, start: Start) -> Result<Exam, Error> {
        let Some(rules) = self.catalogue.rules(&start.exam_type) else {
            let message = format!("there is no such exam type; types: {}", self.catalogue.names().join(", "));
            return Err(Error::Invalid(vec![Fault { field: "exam_type".to_owned(), message }]));
        };
        let mut policy = rules.policy.clone();
        policy.stop.max_items = start.max_items.unwrap_or(policy.stop.max_items);
        policy.start.theta = start.initial_theta.unwrap_or(policy.start.theta);
        let head = Head {
            id: 0,
            exam_type: start.exam_type.clone(),
            policy,
            bank_version: rules.bank.version().to_owned(),
            seed: rand::rng().random_range(0..EXACT),
            engine_version: engine::VERSION.to_owned(),
            started_at: now(),
        };
        let fingerprint = fingerprint(&start);
        let Start { student_id, class_id, idempotency_key, .. } = start;
        let limit = head.policy.stop.max_seconds.map_or(i64::MAX, |limit| i64::from(limit) * 1000);
        let expires_at = head.started_at + rules.lasts.min(limit);
        let new = NewExam { head, student_id, class_id, expires_at, idempotency_key, fingerprint };
        let bank = Arc::clone(&rules.bank);
        let began = Instant::now();
        let exposure = self.exposure.clone();
        let begin = move |head: &Head| {
            exposure
                .with(&head.bank_version, |exposure| Exam::begin(head.clone(), Arc::clone(&bank), exposure))
        };
        match self.records.create(new, begin).await? {
            Created::New(exam) => {
                self.metrics.committed("started", began.elapsed());
                self.exposure.began(&exam);
                self.snapshot(&exam).await;
                Ok(*exam)
            }
            Created::Before(id) => {
                self.metrics.repeated("start");
                self.load(id).await
            }
            Created::KeyReused => Err(Error::KeyReused),
        }
    }

    /// The exam as it stands: the reply of `next`, `status` and of a repeated `complete`.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn exam(&self, id: i64) -> Result<Exam, Error> {
        self.load(id).await
    }

    /// Takes an answer. Gives the exam, and the seq of the answer's event: the last one, unless the
    /// same answer had come before.
    ///
    /// # Errors
    /// Why the answer was not taken; then nothing has changed.
    pub async fn answer(&self, answer: Answer) -> Result<(Exam, i64), Error> {
        let Answer { exam: id, item, submitted, response_time_ms } = answer;
        // A new answer needs no check beforehand: the log takes it only after the very event it was
        // decided on. Whatever else an unchecked exam says may be out of date, and is asked again.
        let (mut exam, mut checked) = match self.at_hand(id).await {
            Some(exam) => (exam, false),
            None => (self.load(id).await?, true),
        };
        loop {
            let verdict = self.exposure.with(&exam.head().bank_version, |exposure| {
                exam.answer(item, submitted, response_time_ms, now(), exposure)
            });
            match verdict {
                Ok(Verdict::Append(entry)) => {
                    let seq = entry.seq;
                    if self.commit(&mut exam, entry).await? == Appended::Committed {
                        return Ok((exam, seq));
                    }
                    // Somebody was first. The log has grown, so this ends: what is read now decides.
                    self.metrics.repeated("conflict");
                }
                _ if !checked => {}
                Ok(Verdict::Repeat(seq)) => {
                    self.metrics.repeated("same_answer");
                    return Ok((exam, seq));
                }
                Err(refusal) => return Err(refused(refusal, exam)),
            }
            exam = if checked { self.replay(id).await? } else { self.load(id).await? };
            checked = true;
        }
    }

    /// Ends an exam by hand; one that has ended stays as it ended.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn complete(&self, id: i64) -> Result<Exam, Error> {
        self.end(id, |_| EndReason::Manual).await
    }

    /// Ends an exam whose time is over, and gives the reason it has ended for.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn expire(&self, id: i64) -> Result<EndReason, Error> {
        let ended = self.end(id, |exam| exam.overdue(now())).await?;
        Ok(ended.end().unwrap_or(EndReason::Expired))
    }

    async fn end(&self, id: i64, reason: impl Fn(&Exam) -> EndReason) -> Result<Exam, Error> {
        let mut exam = self.load(id).await?;
        while let Some(entry) = exam.complete(reason(&exam), now()) {
            if self.commit(&mut exam, entry).await? == Appended::Committed {
                break;
            }
            exam = self.replay(id).await?;
        }
        Ok(exam)
    }

    /// Appends an event and, once it is durable, takes it into the exam and its snapshot.
    async fn commit(&self, exam: &mut Exam, entry: Entry) -> Result<Appended, Error> {
        let kind = entry.event.kind();
        let began = Instant::now();
        let sealed = exam.chain().seal(entry);
        let appended = self.records.append(exam.head().id, sealed.clone()).await?;
        if appended == Appended::Committed {
            self.metrics.committed(kind, began.elapsed());
            exam.apply_sealed(sealed).map_err(|error| records::Error::Damaged(error.to_string()))?;
            self.exposure.gave(exam);
            self.snapshot(exam).await;
        }
        Ok(appended)
    }

    /// Brings the store up to the exam. Its failures are counted there and change nothing here.
    async fn snapshot(&self, exam: &Exam) {
        let id = exam.head().id;
        crash::point("snapshot.save.before");
        let _survivable = match Snapshot::of(exam) {
            Some(snapshot) => {
                self.store.save(id, snapshot.version, &snapshot.to_text()).await.map(|_saved| ())
            }
            None => self.store.remove(id).await,
        };
        crash::point("snapshot.save.after");
    }
}

fn refused(refusal: Refusal, exam: Exam) -> Error {
    match refusal {
        Refusal::Invalid(fault) => Error::Invalid(vec![fault]),
        Refusal::AlreadyAnswered => Error::AlreadyAnswered(Box::new(exam)),
        Refusal::NotCurrent => Error::NotCurrent(Box::new(exam)),
        Refusal::Ended(reason) => Error::Ended(reason),
    }
}

/// What makes two starts under one key the same request.
fn fingerprint(start: &Start) -> String {
    let same = (&start.exam_type, start.max_items, start.initial_theta, start.student_id, start.class_id);
    digest(&[serde_json::to_string(&same).expect("a request should have a JSON form").as_bytes()])
}

/// Milliseconds since 1970 UTC.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
