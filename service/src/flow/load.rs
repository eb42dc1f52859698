//! Reads are checked: an exam seen before, or a snapshot, is used only when it is exactly as new as the log.
//!
//! Comes in: an exam's number. Goes out: the exam as it was seen, or folded from an equal snapshot or from the log.
//! Nothing that happens to the store is seen by the caller. What is rare here has its future apart: every request would
//! carry its room, and most exams were seen lately.

use super::{Error, Flow};
use crate::exam::Exam;
use crate::exam::event::Chain;
use crate::exam::snapshot::{self, Corrupt, Snapshot};
use crate::records::{self, Appended, Tip};
use crate::store;
use std::sync::Arc;

/// Of what use a snapshot is.
enum Kept {
    /// It is as new as the log.
    Equal(Exam),
    /// It holds events that the log does not: the database has lost them.
    Ahead(Exam),
    /// It is of none; the label says why.
    Useless(&'static str),
}

impl Flow {
    /// The exam as it was seen last or as its snapshot has it, unchecked; `None` where there is nothing of use.
    #[tracing::instrument(target = "exam_trace", level = "info", name = "load", skip_all, fields(exam = id))]
    pub(super) async fn at_hand(&self, id: i64) -> Option<Arc<Exam>> {
        match self.recent.own(id) {
            Some(seen) => Some(seen),
            None => Box::pin(self.in_store(id)).await,
        }
    }

    async fn in_store(&self, id: i64) -> Option<Arc<Exam>> {
        let text = self.store.load(id).await.ok()??;
        if let Some(seen) = self.recent.get(id).filter(|seen| snapshot::is_of(&text, seen.version())) {
            return Some(seen);
        }
        let snapshot = Snapshot::parse(&text, id).ok()?;
        let bank = self.catalogue.bank(&snapshot.exam.bank_version, &self.records).await.ok()?;
        Some(Arc::new(snapshot.restore(bank).ok()?))
    }

    /// The exam as the log has it: as it was seen, if nothing has happened since, or else by its snapshot if that is
    /// as new.
    #[tracing::instrument(target = "exam_trace", level = "info", skip_all, fields(exam = id, checked = true))]
    pub(super) async fn load(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let exam = match self.recent.get(id) {
            None => Box::pin(self.stored(id)).await?,
            Some(seen) => {
                let tip = self.records.tip(id).await?.ok_or(Error::UnknownExam(id))?;
                if (seen.version(), seen.end().is_some()) == (tip.seq, tip.ended) {
                    return Ok(seen);
                }
                Box::pin(async { self.by_snapshot(id, tip, self.store.load(id).await).await }).await?
            }
        };
        self.recent.keep(&exam);
        Ok(exam)
    }

    /// The exam as the log has it, by its snapshot if that is as new, whatever this process has seen; the store is
    /// brought up to the log.
    ///
    /// # Errors
    /// There is no such exam, or the database's.
    pub async fn stored(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let (tip, kept) = tokio::join!(self.records.tip(id), self.store.load(id));
        self.by_snapshot(id, tip?.ok_or(Error::UnknownExam(id))?, kept).await
    }

    async fn by_snapshot(
        &self,
        id: i64,
        tip: Tip,
        kept: Result<Option<String>, store::Error>,
    ) -> Result<Arc<Exam>, Error> {
        let reason = match self.judge(id, tip, kept).await? {
            Kept::Equal(exam) => return Ok(Arc::new(exam)),
            Kept::Ahead(exam) => return self.recover(id, tip, exam).await,
            Kept::Useless(reason) => reason,
        };
        let exam = self.replay(id).await?;
        let ended = exam.end().is_some();
        if !ended {
            self.metrics.rebuilt(reason);
            tracing::debug!(exam = id, reason, "exam rebuilt from the log");
        }
        // An ended exam has no snapshot; one that was left behind goes.
        if !(ended && reason == "missing") {
            self.saver.keep(&exam);
        }
        Ok(exam)
    }

    /// The exam folded from the log alone.
    #[tracing::instrument(target = "exam_trace", level = "info", skip_all, fields(exam = id))]
    pub(super) async fn replay(&self, id: i64) -> Result<Arc<Exam>, Error> {
        let (head, entries) = self.records.load(id).await?.ok_or(Error::UnknownExam(id))?;
        let bank = self.catalogue.bank(&head.bank_version, &self.records).await?;
        let exam = Exam::replay(head, bank, entries);
        Ok(Arc::new(exam.map_err(|error| records::Error::Damaged(format!("exam {id}: {error}")))?))
    }

    async fn judge(
        &self,
        id: i64,
        tip: Tip,
        kept: Result<Option<String>, store::Error>,
    ) -> Result<Kept, Error> {
        let text = match kept {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Kept::Useless("missing")),
            Err(_) => return Ok(Kept::Useless("unavailable")),
        };
        let restored = match Snapshot::parse(&text, id) {
            Ok(snapshot) if snapshot.version < tip.seq || tip.ended => return Ok(Kept::Useless("stale")),
            Ok(snapshot) => match self.catalogue.bank(&snapshot.exam.bank_version, &self.records).await {
                Ok(bank) => snapshot.restore(bank),
                Err(records::Error::Damaged(reason)) => Err(Corrupt(reason)),
                Err(unavailable) => return Err(unavailable.into()),
            },
            Err(corrupt) => Err(corrupt),
        };
        match restored {
            Ok(exam) if exam.version() == tip.seq => Ok(Kept::Equal(exam)),
            Ok(exam) => Ok(Kept::Ahead(exam)),
            Err(Corrupt(reason)) => {
                tracing::warn!(exam = id, reason, "snapshot is corrupt; the exam is rebuilt from the log");
                // A corrupt value may hide its version from the store's comparison: out with it.
                self.saver.forget(id);
                Ok(Kept::Useless("corrupt"))
            }
        }
    }

    /// Appends again what the database has lost and the snapshot still has. Never the reverse.
    async fn recover(&self, id: i64, tip: Tip, exam: Exam) -> Result<Arc<Exam>, Error> {
        self.metrics.rebuilt("ahead");
        let (log, snapshot) = (tip.seq, exam.version());
        let stored = self.replay(id).await?;
        let mut chain = Chain::root(exam.head());
        for entry in exam.entries() {
            let sealed = chain.seal(entry.clone());
            chain = sealed.after.clone();
            if entry.seq == log && &chain != stored.chain() {
                tracing::error!(
                    exam = id,
                    log,
                    snapshot,
                    "snapshot is ahead of a log it does not continue; the log stands"
                );
                self.saver.forget(id);
                return Ok(stored);
            }
            if entry.seq > log
                && self.records.recover(id, sealed, exam.expires_at()).await? == Appended::Conflict
            {
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
