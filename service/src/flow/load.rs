//! Loading an exam, checked against the log: a cached exam or a snapshot is used only if its version equals the end
//! of the log.
//!
//! Input: the id of an exam. Output: the exam, from the cache, from an equal snapshot, or from the log.
//! Store failures are invisible to the caller. Rare branches are boxed, because most exams are cached and every
//! request would carry the size of their futures. Must not know: why the exam is needed.

use super::{Error, Flow};
use crate::exam::Exam;
use crate::exam::event::{Chain, Sealed};
use crate::exam::snapshot::{self, Corrupt, Snapshot};
use crate::records::{self, Appended, Tip};
use crate::store;
use std::sync::Arc;

/// The result of comparing a snapshot with the end of the log.
enum SnapshotCheck {
    /// Its version equals the end of the log.
    Equal(Exam),
    /// It has events beyond it: another replica has written them meanwhile, or the database has lost them.
    Ahead(Exam),
    /// It is unusable, for this reason.
    Unusable(&'static str),
}

impl Flow {
    /// The exam from the cache or from its snapshot, unchecked; `None` if neither is usable.
    #[tracing::instrument(target = "exam_trace", level = "info", name = "load", skip_all, fields(exam = id))]
    pub(super) async fn cached_or_snapshot(&self, id: i64) -> Option<Arc<Exam>> {
        match self.recent.get_unshared(id) {
            Some(cached) => Some(cached),
            None => Box::pin(self.load_from_store(id)).await,
        }
    }

    async fn load_from_store(&self, id: i64) -> Option<Arc<Exam>> {
        let text = self.store.load(id).await.ok()??;
        if let Some(cached) =
            self.recent.get(id).filter(|cached| snapshot::has_version(&text, cached.version()))
        {
            return Some(cached);
        }
        let snapshot = Snapshot::parse(&text, id).ok()?;
        let bank = self.catalogue.bank(&snapshot.exam.bank_version, &self.records).await.ok()?;
        Some(Arc::new(snapshot.restore(bank).ok()?))
    }

    /// The exam, checked against the log: from the cache, from an equal snapshot, or from the log.
    #[tracing::instrument(target = "exam_trace", level = "info", skip_all, fields(exam = id, checked = true))]
    pub(super) async fn load(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let exam = match self.recent.get(id) {
            None => Box::pin(self.reload(id)).await?,
            Some(cached) => {
                let tip = self.records.tip(id).await?.ok_or(Error::UnknownExam(id))?;
                if (cached.version(), cached.end().is_some()) == (tip.seq, tip.ended) {
                    return Ok(cached);
                }
                Box::pin(async { self.resolve_snapshot(id, tip, self.store.load(id).await).await }).await?
            }
        };
        self.recent.insert(&exam);
        Ok(exam)
    }

    /// The exam, checked against the log, whatever the cache has; the snapshot in the store is updated.
    ///
    /// # Errors
    /// There is no such exam, or database errors.
    pub async fn reload(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let (tip, snapshot) = tokio::join!(self.records.tip(id), self.store.load(id));
        self.resolve_snapshot(id, tip?.ok_or(Error::UnknownExam(id))?, snapshot).await
    }

    async fn resolve_snapshot(
        &self,
        id: i64,
        tip: Tip,
        snapshot: Result<Option<String>, store::Error>,
    ) -> Result<Arc<Exam>, Error> {
        let reason = match self.check_snapshot(id, tip, snapshot).await? {
            SnapshotCheck::Equal(exam) => return Ok(Arc::new(exam)),
            SnapshotCheck::Ahead(exam) => return self.recover(id, exam).await,
            SnapshotCheck::Unusable(reason) => reason,
        };
        let exam = match self.catch_up(id, tip).await? {
            Some(exam) => exam,
            None => self.replay(id).await?,
        };
        let ended = exam.end().is_some();
        if !ended {
            self.metrics.rebuilt(reason);
            tracing::debug!(exam = id, reason, "exam rebuilt from the log");
        }
        // An ended exam has no snapshot; a leftover is removed.
        if !(ended && reason == "missing") {
            self.saver.save(&exam);
        }
        Ok(exam)
    }

    /// The cached exam with the events that the log has beyond it, if it is a beginning of the log: while the store is
    /// away, what another process has written costs one short read and the ability of one answer, not of all.
    async fn catch_up(&self, id: i64, tip: Tip) -> Result<Option<Arc<Exam>>, Error> {
        let Some(cached) = self.recent.get(id).filter(|cached| cached.version() <= tip.seq) else {
            return Ok(None);
        };
        let later = self.records.events_after(id, cached.version(), cached.chain()).await?;
        let Some(later) = later else { return Ok(None) };
        let mut exam = Arc::unwrap_or_clone(cached);
        let fits = later.into_iter().try_for_each(|entry| exam.apply(entry)).is_ok();
        Ok(fits.then(|| Arc::new(exam)))
    }

    /// The exam replayed from the log alone.
    #[tracing::instrument(target = "exam_trace", level = "info", skip_all, fields(exam = id))]
    pub(super) async fn replay(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let (head, entries) = self.records.load(id).await?.ok_or(Error::UnknownExam(id))?;
        let bank = self.catalogue.bank(&head.bank_version, &self.records).await?;
        let exam = Exam::replay(head, bank, entries);
        Ok(Arc::new(exam.map_err(|error| records::Error::Damaged(format!("exam {id}: {error}")))?))
    }

    async fn check_snapshot(
        &self,
        id: i64,
        tip: Tip,
        snapshot: Result<Option<String>, store::Error>,
    ) -> Result<SnapshotCheck, Error> {
        let text = match snapshot {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(SnapshotCheck::Unusable("missing")),
            Err(_) => return Ok(SnapshotCheck::Unusable("unavailable")),
        };
        let restored = match Snapshot::parse(&text, id) {
            Ok(snapshot) if snapshot.version < tip.seq || tip.ended => {
                return Ok(SnapshotCheck::Unusable("stale"));
            }
            Ok(snapshot) => match self.catalogue.bank(&snapshot.exam.bank_version, &self.records).await {
                Ok(bank) => snapshot.restore(bank),
                Err(records::Error::Damaged(reason)) => Err(Corrupt(reason)),
                Err(unavailable) => return Err(unavailable.into()),
            },
            Err(corrupt) => Err(corrupt),
        };
        match restored {
            Ok(exam) if exam.version() == tip.seq => Ok(SnapshotCheck::Equal(exam)),
            Ok(exam) => Ok(SnapshotCheck::Ahead(exam)),
            Err(Corrupt(reason)) => {
                tracing::warn!(exam = id, reason, "snapshot is corrupt; the exam is rebuilt from the log");
                // A corrupt value may have an unreadable version, which would block newer ones: remove it.
                self.saver.remove(id);
                Ok(SnapshotCheck::Unusable("corrupt"))
            }
        }
    }

    /// Appends the events that the database has lost and the snapshot still has. Events are never removed.
    async fn recover(&self, id: i64, exam: Exam) -> Result<Arc<Exam>, Error> {
        let stored = self.replay(id).await?;
        let (log, snapshot) = (stored.version(), exam.version());
        let lost = match beyond(&stored, &exam) {
            Beyond::Nothing => return Ok(stored),
            Beyond::Foreign => {
                self.metrics.rebuilt("foreign");
                tracing::error!(
                    exam = id,
                    log,
                    snapshot,
                    "snapshot is ahead of a log it does not continue; the log stands"
                );
                self.saver.remove(id);
                return Ok(stored);
            }
            Beyond::Events(lost) => lost,
        };
        self.metrics.rebuilt("ahead");
        for sealed in lost {
            if self.records.recover(id, sealed, exam.expires_at()).await? == Appended::Conflict {
                return self.replay(id).await;
            }
        }
        tracing::error!(
            exam = id,
            log,
            snapshot,
            "the database had lost events; they are appended again from the snapshot"
        );
        Ok(Arc::new(exam))
    }
}

/// What a snapshot has beyond the log.
#[derive(Debug)]
enum Beyond {
    /// Nothing: it was saved after the end of the log had been read, and the log has it all.
    Nothing,
    /// Events that the log has lost.
    Events(Vec<Sealed>),
    /// A log of its own: it does not continue this one.
    Foreign,
}

/// Compares a snapshot with the log, which was read after it.
fn beyond(stored: &Exam, snapshot: &Exam) -> Beyond {
    let log = stored.version();
    if log >= snapshot.version() {
        return Beyond::Nothing;
    }
    let (mut chain, mut lost) = (Chain::root(snapshot.head()), Vec::new());
    for entry in snapshot.entries() {
        let sealed = chain.seal(entry.clone());
        chain = sealed.after.clone();
        if entry.seq == log && &chain != stored.chain() {
            return Beyond::Foreign;
        }
        if entry.seq > log {
            lost.push(sealed);
        }
    }
    Beyond::Events(lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::Verdict;
    use crate::exam::bank::ItemBank;
    use crate::exam::item::Submitted;
    use engine::Exposure;

    /// An exam with these answers.
    fn answered(answers: &[bool]) -> Exam {
        let mut exam = Exam::clone(&Exam::sample(7, &Arc::new(ItemBank::sample())));
        for (at, correct) in (1..).zip(answers) {
            let item = exam.current_item().unwrap();
            match exam.answer(item, Submitted::Correct(*correct), None, at, Exposure::Unknown).unwrap() {
                Verdict::Append(entry) => exam.apply(entry).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        exam
    }

    #[test]
    fn what_another_replica_wrote_meanwhile_is_no_loss() {
        let [three, four] = [answered(&[true, false, true]), answered(&[true, false, true, true])];
        // The log has been read after the snapshot, so it has at least as much.
        assert!(matches!(beyond(&four, &four), Beyond::Nothing));
        assert!(matches!(beyond(&four, &three), Beyond::Nothing));
    }

    #[test]
    fn lost_events_are_known_by_the_chain_before_them() {
        let [two, four] = [answered(&[true, false]), answered(&[true, false, true, true])];
        match beyond(&two, &four) {
            Beyond::Events(lost) => {
                let seqs: Vec<i64> = lost.iter().map(|sealed| sealed.entry.seq).collect();
                assert_eq!(seqs, [two.version() + 1, two.version() + 2]);
            }
            other => panic!("{other:?}"),
        }
        let another = answered(&[true, true, true, true]);
        assert!(matches!(beyond(&two, &another), Beyond::Foreign));
    }
}
