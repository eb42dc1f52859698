//! One exam in this process: the service's own code, without storage.
//!
//! Input: a bank, a policy, a seed, and answers. Output: the question, the answers with the ability after each, and
//! the result. Must not know: the terminal, the time.

use engine::{Ability, EndReason, Exposure, Policy};
use service::exam::bank::ItemBank;
use service::exam::event::{Event, Head};
use service::exam::item::Submitted;
use service::exam::terms::Terms;
use service::exam::{Exam, Verdict};
use service::simulate;
use std::sync::Arc;

/// Seeds are below this, as in stored exams.
pub const SEEDS: u64 = 1 << 53;

/// An exam with its answers.
#[derive(Debug)]
pub struct Sitting {
    exam: Exam,
    taken: Vec<Taken>,
}

/// The current item.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub code: String,
    pub text: String,
    /// The possible answers, numbered from 1.
    pub options: Vec<(String, Submitted)>,
}

/// An answer, and the ability after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub code: String,
    pub grade: String,
    pub is_good: bool,
    pub ability: Ability,
}

/// The result, final or current.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub ability: Ability,
    pub score: Option<f64>,
    pub items: usize,
    /// Why it ended; `None` while it is open.
    pub reason: Option<EndReason>,
}

impl Sitting {
    /// Begins an exam.
    pub fn begin(bank: ItemBank, policy: Policy, seed: u64) -> Self {
        let head = Head {
            id: 0,
            exam_type: "demo".to_owned(),
            policy: policy.into(),
            bank_version: bank.version().to_owned(),
            seed: i64::try_from(seed % SEEDS).unwrap_or_default(),
            engine_version: engine::VERSION.to_owned(),
            started_at: 0,
            terms: Terms::default(),
        };
        Self { exam: Exam::begin(head, Arc::new(bank), Exposure::Unknown), taken: Vec::new() }
    }

    /// The current item; `None` once the exam has ended.
    pub fn question(&self) -> Option<Question> {
        let item = self.exam.bank().item(self.exam.current_item()?)?;
        let categories = item.parameters.categories();
        let texts = |texts: &[String]| -> Vec<(String, Submitted)> {
            texts.iter().zip(1..).map(|(text, number)| (text.clone(), Submitted::Choice(number))).collect()
        };
        let options = match (categories, item.choices.as_slice()) {
            // The bank has no key for such an item.
            (2, _) if item.keys.is_empty() => [("right", true), ("wrong", false)]
                .map(|(text, grade)| (text.into(), Submitted::Correct(grade)))
                .into(),
            (_, []) => {
                let names: Vec<String> =
                    (0..categories).map(|category| format!("category {category}")).collect();
                texts(&names)
            }
            (_, choices) => texts(choices),
        };
        let text = item.text.clone().unwrap_or_else(|| "(this item has no text)".to_owned());
        Some(Question { code: item.code.clone(), text, options })
    }

    /// Records an answer to the current item, at this time after the start in milliseconds.
    pub fn answer(&mut self, submitted: Submitted, at: i64) {
        let Some(item) = self.exam.current_item() else { return };
        let bank = Arc::clone(self.exam.bank());
        let Some(asked) = bank.item(item) else { return };
        let Ok(Verdict::Append(entry)) = self.exam.answer(item, submitted, None, at, Exposure::Unknown)
        else {
            return;
        };
        let Event::Answered { category, missing, .. } = entry.event else { return };
        self.exam.apply(entry).expect("an exam should accept what it decided");
        let grade = match (asked.parameters.categories(), category) {
            _ if missing => "omitted".to_owned(),
            (2, 0) => "wrong".to_owned(),
            (2, _) => "right".to_owned(),
            (count, category) => format!("{category} of {}", count - 1),
        };
        let is_good = category > 0;
        self.taken.push(Taken { code: asked.code.clone(), grade, is_good, ability: self.exam.ability() });
    }

    /// The answer of an examinee of this ability to the current item; deterministic by seed.
    pub fn drawn(&self, theta: f64) -> Option<Submitted> {
        let item = self.exam.current_item()?;
        let bank = self.exam.bank();
        let index = usize::try_from(item).ok()?.checked_sub(1)?;
        let seed = u64::try_from(self.exam.head().seed).unwrap_or_default();
        let category = simulate::answer(&bank.measures(), index, theta, seed);
        let options = self.question()?.options;
        let fits = options.iter().find(|(_, submitted)| bank.grade(item, *submitted) == Ok(category));
        // An item without a wrong choice is graded directly.
        Some(fits.map_or(Submitted::Correct(category > 0), |(_, submitted)| *submitted))
    }

    /// All answers, in order.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// The current estimate.
    pub fn ability(&self) -> Ability {
        self.exam.ability()
    }

    /// The maximum number of items.
    pub fn max_items(&self) -> usize {
        let most = usize::try_from(self.exam.head().policy.stop.max_items).unwrap_or(usize::MAX);
        most.min(self.exam.bank().len())
    }

    /// The result, final or current.
    pub fn outcome(&self) -> Outcome {
        let ability = self.exam.result().ability;
        Outcome { ability, score: self.exam.score(), items: self.taken.len(), reason: self.exam.end() }
    }
}
