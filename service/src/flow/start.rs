//! Starting an exam, or returning the one that the examinee has open.
//!
//! Input: a start request. Output: the exam, and whether it is new. For exam types that count attempts, the exam
//! takes the examinee's next slot atomically, so two concurrent starts create one exam. Must not know: how the
//! reply is written.

use super::{Error, Flow};
use crate::exam::Exam;
use crate::exam::digest::digest;
use crate::exam::event::Head;
use crate::exam::terms::{Terms, pseudonym};
use crate::exam::time::GRACE;
use crate::records::{Created, Examinee, NewExam};
use crate::telemetry::trace::{self, TARGET};
use contract::Fault;
use rand::RngExt;
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, info_span};

/// Seeds are below this: the largest integers that every JSON parser preserves.
const EXACT: i64 = 1 << 53;

/// A start request.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Name of the exam type.
    pub exam_type: String,
    /// Overrides the number of items.
    pub max_items: Option<u32>,
    /// Overrides the start ability.
    pub initial_theta: Option<f64>,
    /// The examinee.
    pub examinee: Examinee,
    /// Extra time as a share of every limit.
    pub extra_time: f64,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
}

/// How the exam of a start came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Started by this request or an earlier one with the same key.
    Start,
    /// The examinee's open exam.
    Open,
}

impl Flow {
    /// Starts an exam, or returns the one that the same key started or that the examinee has open.
    ///
    /// # Errors
    /// Every fault of the request; no attempt is left; database errors.
    pub async fn start(&self, mut start: Start) -> Result<(Arc<Exam>, Origin), Error> {
        let Some(rules) = self.catalogue.rules(&start.exam_type) else {
            let message = format!("there is no such exam type; types: {}", self.catalogue.names().join(", "));
            return Err(invalid("exam_type", message));
        };
        let fingerprint = fingerprint(&start);
        // Keys are scoped to the subject.
        if let (Some(subject), Some(key)) = (&start.examinee.subject, &mut start.idempotency_key) {
            *key = digest(&[b"key", subject.as_bytes(), &[0], key.as_bytes()]);
        }
        let counted = rules.attempts.is_some() || rules.resume;
        if counted && !start.examinee.is_known() {
            let message = "is required: this exam type counts the attempts of each examinee";
            return Err(invalid("student_id", message.to_owned()));
        }
        loop {
            let mut slot = None;
            if counted {
                // Read after the attempts: a start visible there has its key in the database already.
                let before = self.records.attempts(&start.exam_type, &start.examinee).await?;
                if let Some(key) = &start.idempotency_key
                    && let Some((id, stored)) = self.records.started_under(key).await?
                {
                    self.metrics.repeated("start");
                    let exam = self.load(id).await?;
                    return if stored == fingerprint {
                        Ok((exam, Origin::Start))
                    } else {
                        Err(Error::KeyReused)
                    };
                }
                let open = before.iter().rev().find(|attempt| attempt.ended_at.is_none());
                if let Some(open) = open.filter(|_| rules.resume) {
                    let (exam, _) = self.settle(self.load(open.id).await?).await?;
                    // It may have ended in the meantime, or end now.
                    if exam.end().is_none() {
                        return Ok((exam, Origin::Open));
                    }
                    continue;
                }
                if let Some(most) = rules.attempts.filter(|most| before.len() >= *most as usize) {
                    return Err(Error::NoAttemptLeft(most));
                }
                slot = start.examinee.slot(&start.exam_type, before.len() + 1);
            }
            let mut policy = rules.policy.clone();
            policy.stop.max_items = start.max_items.unwrap_or(policy.stop.max_items);
            policy.start.theta = start.initial_theta.unwrap_or(policy.start.theta);
            let (seed, now) = (rand::rng().random_range(0..EXACT), self.records.now());
            let terms = Terms {
                owner: start.examinee.subject.as_deref().map(|subject| pseudonym(subject, seed)),
                item_seconds: rules.item_seconds,
                extra_time: start.extra_time,
                closes_at: None,
                shown: rules.shown.clone(),
            };
            let terms = Terms { closes_at: Some(now + terms.lengthened(rules.lasts)), ..terms };
            let head = Head {
                id: 0,
                exam_type: start.exam_type.clone(),
                policy: policy.into(),
                bank_version: rules.bank.version().to_owned(),
                seed,
                engine_version: engine::VERSION.to_owned(),
                started_at: now,
                terms,
            };
            let new = NewExam {
                expires_at: expires_at(&head),
                head,
                examinee: start.examinee.clone(),
                slot,
                idempotency_key: start.idempotency_key.clone(),
                fingerprint: fingerprint.clone(),
            };
            let (bank, exposure) = (Arc::clone(&rules.bank), self.exposure.clone());
            let begin = move |head: &Head| {
                exposure.with(&head.bank_version, |exposure| {
                    Exam::begin(head.clone(), Arc::clone(&bank), exposure)
                })
            };
            let began = Instant::now();
            let committing = info_span!(target: TARGET, "commit", kind = "started");
            match self.records.create(new, begin).instrument(committing).await? {
                Created::New(exam) => {
                    let exam: Arc<Exam> = Arc::from(exam);
                    trace::exam(exam.head().id);
                    self.metrics.committed(&exam, began.elapsed());
                    self.recent.insert(&exam);
                    self.exposure.record_start(&exam);
                    self.saver.save(&exam);
                    return Ok((exam, Origin::Start));
                }
                Created::Before(id) => {
                    self.metrics.repeated("start");
                    return Ok((self.load(id).await?, Origin::Start));
                }
                Created::KeyReused => return Err(Error::KeyReused),
                // A concurrent start of this examinee was first: read their attempts again.
                Created::SlotTaken => self.metrics.repeated("conflict"),
            }
        }
    }
}

fn invalid(field: &str, message: String) -> Error {
    Error::Invalid(vec![Fault { field: field.to_owned(), message }])
}

/// The expiry of an exam with this head, before any other event.
fn expires_at(head: &Head) -> i64 {
    let limit = head.policy.stop.max_seconds.map(|limit| head.started_at + head.terms.lengthened(limit));
    let ends_at = head.terms.closes_at.into_iter().chain(limit).min();
    ends_at.map_or(i64::MAX, |ends_at| ends_at + GRACE)
}

/// Fingerprint of a start: equal for retries of the same request.
fn fingerprint(start: &Start) -> String {
    let Examinee { student_id, class_id, subject } = &start.examinee;
    // Without subject and extra time it equals the fingerprint of earlier releases.
    let same = (&start.exam_type, start.max_items, start.initial_theta, student_id, class_id);
    let mut text = serde_json::to_string(&same).expect("a request should have a JSON form");
    if subject.is_some() || start.extra_time != 0.0 {
        text +=
            &serde_json::to_string(&(subject, start.extra_time)).expect("a request should have a JSON form");
    }
    digest(&[text.as_bytes()])
}
