//! The exam as a value: a fold over its events.
//!
//! Input: the immutable head, the bank version, and events from the log or a snapshot. Output: the next event for a
//! submission (decided here and nowhere else), or the reason why there is none. Must not know: the database, the
//! store, HTTP, the clock.

pub mod bank;
pub(crate) mod conversion;
pub mod digest;
pub mod event;
pub mod item;
pub mod outage;
pub mod policy;
pub mod response;
pub mod snapshot;
pub mod terms;
pub mod time;

use bank::ItemBank;
use contract::Fault;
use conversion::{constrained, engine_constrained, engine_event, engine_next, index, item_id, next};
use engine::score::Scale;
use engine::{Ability, EndReason, Estimate, Exposure, Given, Outside, Policy};
use event::{Chain, Constrained, Entry, Event, Head, Next, Sealed};
use item::{ItemId, Submitted};
use response::Response;
use std::sync::Arc;

/// Approximate size of the texts and lists of a head, in bytes.
const HEAD: usize = 1024;
/// Approximate heap size of an entry, in bytes.
const ENTRY: usize = 32;

/// An exam with all its events.
#[derive(Clone, Debug)]
pub struct Exam {
    head: Head,
    bank: Arc<ItemBank>,
    engine: engine::Exam,
    entries: Vec<Entry>,
    chain: Chain,
}

/// The decision on a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A new answer: append this entry to the log.
    Append(Entry),
    /// The time ended before the submission, which is to be refused once the exam has ended.
    Over,
    /// A repeated submission, in the log at this seq: send the first reply again.
    Repeat(i64),
}

/// Why a call is refused. The exam is unchanged.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The submission is invalid in every state of the exam.
    Invalid(Fault),
    /// The item has another answer already.
    AlreadyAnswered,
    /// The item is not the current one.
    NotCurrent,
    /// The exam is paused.
    Paused,
    /// The exam has ended.
    Ended(EndReason),
}

/// Events that do not form a valid exam: the log or snapshot they come from is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the events do not make an exam: at seq {seq}, {reason}")]
pub struct ReplayError {
    /// Seq of the first event that does not fit.
    pub seq: i64,
    /// What is wrong with it.
    pub reason: String,
}

impl Exam {
    /// Starts a new exam. Its first event is the start.
    pub fn begin(head: Head, bank: Arc<ItemBank>, exposure: Exposure<'_>) -> Self {
        let mut exam = Self::empty(head, bank);
        let started = exam.engine.decide_start(&Outside { exposure, elapsed: 0.0 });
        exam.start(next(&started.next), constrained(&started.constrained))
            .expect("an engine should accept the start it decided");
        exam
    }

    /// Restores an exam that started with this item.
    ///
    /// # Errors
    /// The item does not fit.
    pub fn restore_start(
        head: Head,
        bank: Arc<ItemBank>,
        next: Next,
        constrained: Constrained,
    ) -> Result<Self, ReplayError> {
        let mut exam = Self::empty(head, bank);
        exam.start(next, constrained)?;
        Ok(exam)
    }

    fn start(&mut self, next: Next, constrained: Constrained) -> Result<(), ReplayError> {
        let Ability { theta, standard_error } = self.engine.ability();
        let event = Event::Started { theta, standard_error, next, constrained };
        self.apply(Entry { seq: 0, at: self.head.started_at, event })
    }

    /// Replays the events of an exam.
    ///
    /// # Errors
    /// The first event that does not fit, or there is none.
    pub fn replay(
        head: Head,
        bank: Arc<ItemBank>,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<Self, ReplayError> {
        let mut exam = Self::empty(head, bank);
        entries.into_iter().try_for_each(|entry| exam.apply(entry))?;
        match exam.entries.is_empty() {
            true => Err(ReplayError { seq: 0, reason: "there is no event".to_owned() }),
            false => Ok(exam),
        }
    }

    fn empty(head: Head, bank: Arc<ItemBank>) -> Self {
        let seed = u64::try_from(head.seed).unwrap_or(0);
        let engine = engine::Exam::new(bank.measures(), Policy::clone(&head.policy), seed);
        let chain = Chain::root(&head);
        Self { head, bank, engine, entries: Vec::new(), chain }
    }

    /// Applies the next event. The ability is recomputed and compared, never trusted.
    ///
    /// # Errors
    /// The event does not fit; the exam is unchanged.
    pub fn apply(&mut self, entry: Entry) -> Result<(), ReplayError> {
        let seq = entry.seq;
        let fault = |reason: String| ReplayError { seq, reason };
        let expected = i64::try_from(self.entries.len()).unwrap_or(i64::MAX);
        if seq != expected {
            return Err(fault(format!("seq {expected} should come")));
        }
        self.apply_to_engine(&entry.event).map_err(fault)?;
        self.push(entry);
        Ok(())
    }

    /// Applies an event to the engine; timing events are checked here, since the engine does not know them.
    fn apply_to_engine(&mut self, event: &Event) -> Result<(), String> {
        let fits = match event {
            Event::Paused => !self.is_paused(),
            Event::Resumed => self.is_paused(),
            Event::Answered { .. } => !self.is_paused(),
            Event::Reopened { .. } => self.is_over_by_time(),
            Event::Started { .. } | Event::Extended { .. } | Event::Completed { .. } => true,
        };
        match engine_event(event) {
            _ if !fits => Err(format!("{} does not fit", event.kind())),
            Some(event) => self.engine.apply(&event).map_err(|error| error.to_string()),
            None if self.current_item().is_none() => Err("only an exam that goes on has a time".to_owned()),
            None => Ok(()),
        }
    }

    /// Applies the next event, sealed on the last one.
    ///
    /// # Errors
    /// As [`Exam::apply`].
    pub fn apply_sealed(&mut self, sealed: Sealed) -> Result<(), ReplayError> {
        let Sealed { entry, after, .. } = sealed;
        self.apply_to_engine(&entry.event).map_err(|reason| ReplayError { seq: entry.seq, reason })?;
        self.chain = after;
        self.entries.push(entry);
        Ok(())
    }

    /// Applies an answer without a recorded ability, as a snapshot stores it; the ability is recomputed.
    ///
    /// # Errors
    /// The answer does not fit; the exam is unchanged.
    pub fn apply_response(&mut self, response: Response, next: Next) -> Result<(), ReplayError> {
        let seq = self.version() + 1;
        let constrained = engine_constrained(&response.constrained);
        let recorded =
            self.engine.record(index(response.item), response.given(), engine_next(&next), constrained);
        let ability = recorded.map_err(|error| ReplayError { seq, reason: error.to_string() })?;
        self.push(response.entry(seq, ability, next));
        Ok(())
    }

    fn push(&mut self, entry: Entry) {
        self.chain = self.chain.after(&entry);
        self.entries.push(entry);
    }

    /// Decides on a submission. A repeated submission is recognised before any other check, so that retries are
    /// idempotent in every state.
    ///
    /// # Errors
    /// Why the submission is refused.
    pub fn answer(
        &self,
        item: ItemId,
        submitted: Submitted,
        response_time_ms: Option<u32>,
        now: i64,
        exposure: Exposure<'_>,
    ) -> Result<Verdict, Refusal> {
        if let Some((seq, first)) = self.answered(item) {
            return if first == submitted { Ok(Verdict::Repeat(seq)) } else { Err(Refusal::AlreadyAnswered) };
        }
        let category = self.bank.grade(item, submitted).map_err(Refusal::Invalid)?;
        if let Some(reason) = self.end() {
            return Err(Refusal::Ended(reason));
        }
        if self.is_paused() {
            return Err(Refusal::Paused);
        }
        if self.over(now).is_some() {
            return Ok(Verdict::Over);
        }
        if self.current_item() != Some(item) {
            return Err(Refusal::NotCurrent);
        }
        let late = self.is_late(now);
        let given = if late || submitted == Submitted::Omitted {
            self.omission(item)
        } else {
            Given::Category(category)
        };
        let outside = Outside { exposure, elapsed: self.elapsed(now) };
        let answered = self.engine.decide_answer(index(item), given, &outside);
        let engine::Answered { category, missing, ability, next: after, constrained: why, .. } =
            answered.map_err(|_| Refusal::NotCurrent)?;
        let coarse = self.head.policy.estimator.is_too_coarse_for(ability);
        let (at, constrained) = (self.at(now), constrained(&why));
        let response =
            Response { item, submitted, category, missing, response_time_ms, late, coarse, at, constrained };
        Ok(Verdict::Append(response.entry(self.version() + 1, ability, next(&after))))
    }

    /// What the omission of an item counts as.
    fn omission(&self, item: ItemId) -> Given {
        let categories = self.bank.item(item).map_or(2, |item| item.parameters.categories());
        self.head.policy.omitted.given(categories)
    }

    /// The event that ends the exam by request, or by time if its time is over; `None` if it has ended already.
    pub fn complete(&self, reason: EndReason, now: i64) -> Option<Entry> {
        let by_request = || self.entry(Event::Completed { reason }, now);
        self.end().is_none().then(|| self.over(now).unwrap_or_else(by_request))
    }

    /// Every event that differs from what the engine decides now, with that decision. Item selection is repeated.
    pub fn differences(&self) -> Vec<(Entry, engine::Event)> {
        let (entries, events): (Vec<&Entry>, Vec<engine::Event>) =
            self.entries.iter().filter_map(|entry| Some((entry, engine_event(&entry.event)?))).unzip();
        let (policy, seed) = (self.engine.policy(), self.engine.seed());
        let found = engine::verify(&self.bank.measures(), policy, seed, &events);
        let differences = found.expect("events that made an exam should make it again");
        let of =
            |difference: engine::verify::Difference| (entries[difference.event].clone(), difference.decided);
        differences.into_iter().map(of).collect()
    }

    fn answered(&self, wanted: ItemId) -> Option<(i64, Submitted)> {
        self.entries.iter().find_map(|entry| match entry.event {
            Event::Answered { item, submitted, .. } if item == wanted => Some((entry.seq, submitted)),
            _ => None,
        })
    }

    /// The immutable head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The bank version the exam started with.
    pub fn bank(&self) -> &Arc<ItemBank> {
        &self.bank
    }

    /// All events, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The hash chain over all events.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Seq of the last event; the version of a snapshot of this state.
    pub fn version(&self) -> i64 {
        self.entries.last().map_or(-1, |entry| entry.seq)
    }

    /// The estimate from all answers so far.
    pub fn ability(&self) -> Ability {
        self.engine.ability()
    }

    /// Ability the first item was chosen for.
    pub fn initial_theta(&self) -> f64 {
        match self.entries.first().map(|entry| &entry.event) {
            Some(Event::Started { theta, .. }) => *theta,
            _ => self.head.policy.start.theta,
        }
    }

    /// The result from all answers, by the final estimator: final once the exam has ended.
    pub fn result(&self) -> Estimate {
        match self.items_completed() {
            0 => Estimate { ability: self.ability(), ..self.engine.result() },
            _ => self.engine.result(),
        }
    }

    /// The score of the result (ability -3 is 0, 3 is 100) as the policy reports it; `None` below its minimum of answers.
    pub fn score(&self) -> Option<f64> {
        let policy = &self.head.policy;
        let score = Scale::PERCENT.score(self.result().ability).value;
        policy.reporting.score(score, self.items_given(), self.end(), &policy.stop)
    }

    /// Number of answers that were not omitted.
    fn items_given(&self) -> usize {
        let given = |entry: &&Entry| matches!(&entry.event, Event::Answered { submitted, .. } if *submitted != Submitted::Omitted);
        self.entries.iter().filter(given).count()
    }

    /// Whether the standard error of the result is below the node spacing of the final estimator's grid.
    pub fn is_coarse(&self) -> bool {
        let policy = &self.head.policy;
        let estimator = policy.final_estimator.unwrap_or(policy.estimator);
        self.items_completed() > 0 && estimator.is_too_coarse_for(self.result().ability)
    }

    /// The current item; `None` once the exam has ended.
    pub fn current_item(&self) -> Option<ItemId> {
        self.engine.current_item().map(item_id)
    }

    /// Why the exam ended, if it has.
    pub fn end(&self) -> Option<EndReason> {
        self.engine.end()
    }

    /// When the exam ended, in milliseconds since 1970 UTC, if it has.
    pub fn ended_at(&self) -> Option<i64> {
        self.entries.last().filter(|entry| entry.event.is_ending()).map(|entry| entry.at)
    }

    /// Approximate size in memory, in bytes, without the shared bank.
    pub fn size(&self) -> usize {
        let entries = self.entries.len() * (size_of::<Entry>() + ENTRY);
        size_of::<Self>() + HEAD + self.engine.size() + entries
    }

    /// Number of answers.
    pub fn items_completed(&self) -> usize {
        self.engine.items_completed()
    }
}

#[cfg(test)]
impl Exam {
    /// A new exam with default policy, for tests.
    pub(crate) fn sample(id: i64, bank: &Arc<ItemBank>) -> Arc<Self> {
        let head = Head {
            id,
            exam_type: "placement".to_owned(),
            policy: engine::Policy::default().into(),
            bank_version: bank.version().to_owned(),
            seed: id,
            engine_version: engine::VERSION.to_owned(),
            started_at: 0,
            terms: terms::Terms::default(),
        };
        Arc::new(Self::begin(head, Arc::clone(bank), engine::Exposure::Unknown))
    }
}
