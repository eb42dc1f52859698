//! The measurement engine: pure psychometrics, no I/O, no clock, no randomness of its own.
//!
//! | module | content |
//! |---|---|
//! | [`item`] | parameters of an item by model |
//! | [`curve`] | probability and information of each answer |
//! | [`attributes`] | content, item sets, enemies, field test |
//! | [`bank`] | items with a common scaling constant D |
//! | [`ability`] | prior and posterior on a grid |
//! | [`estimate`] | EAP, MAP, ML, WL |
//! | [`select`] | selection of the next item |
//! | [`constraint`], [`exposure`] | eligible items |
//! | [`table`] | precomputed probabilities |
//! | [`stop`] | stop rules |
//! | [`omission`] | what an omitted answer counts as |
//! | [`score`], [`reporting`] | reporting scales; when there is a score |
//! | [`policy`] | the policy of an exam |
//! | [`event`], [`exam`] | an exam as a fold over its events: decide and apply |
//! | [`explain`], [`verify`] | reasons for an item; verification of stored events |
//!
//! Everything that multiplies probabilities works with their logarithms, and every transcendental
//! function comes from `libm`, so that a replay gives the same bits on every platform.
//!
//! ```
//! use engine::{Bank, Event, Exam, Item, Outside, Policy};
//! use std::sync::Arc;
//!
//! let items = [-1.0, 0.0, 1.0].map(|b| Item::logistic(1.2, b, 0.2, 1.0));
//! let bank = Arc::new(Bank::new(1.0, items.to_vec()).expect("three good items"));
//! let mut exam = Exam::new(bank, Policy::default(), 0);
//! let outside = Outside::default();
//! exam.apply(&Event::Started(exam.decide_start(&outside)))?;
//! while let Some(item) = exam.current_item() {
//!     let answered = exam.decide_answer(item, 1, &outside).expect("the item on the screen takes an answer");
//!     exam.apply(&Event::Answered(answered))?;
//! }
//! assert_eq!(exam.items_completed(), 3);
//! assert!(exam.ability().theta > 0.0);
//! # Ok::<(), engine::ReplayError>(())
//! ```

pub mod ability;
pub mod attributes;
pub mod bank;
pub mod constraint;
pub mod curve;
pub mod estimate;
pub mod event;
pub mod exam;
pub mod explain;
pub mod exposure;
pub mod item;
pub mod omission;
pub mod policy;
pub mod random;
pub mod reporting;
pub mod score;
pub mod select;
pub mod stop;
pub mod table;
pub mod verify;

pub use ability::{Ability, Grid, Posterior, Prior};
pub use attributes::Attributes;
pub use bank::{Bank, BankFault};
pub use constraint::{Constrained, Constraint, Constraints, Content, Exposure, Outside};
pub use curve::Curve;
pub use estimate::{Estimate, Estimator, Formula, Range};
pub use event::{Answered, Event, Given, Next, Refusal, ReplayError, Started};
pub use exam::Exam;
pub use explain::Explanation;
pub use exposure::{Control, Counts};
pub use item::Item;
pub use omission::{Omission, OmittedAs};
pub use policy::{Policy, PolicyFault, Start, WhileConstant};
pub use reporting::{Incomplete, Reporting};
pub use select::{Selection, Situation};
pub use stop::{EndReason, Rule, Stop, When};
pub use verify::verify;

/// Version of the engine, kept with every exam.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
