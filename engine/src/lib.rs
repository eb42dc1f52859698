//! The measurement engine: pure psychometrics, no I/O, no clock, no randomness of its own.
//!
//! | module | what it answers |
//! |---|---|
//! | [`item`] | how likely is a right answer, and how much would it tell? (4PL: Barton & Lord, 1981) |
//! | [`bank`] | which items were calibrated together, under which scaling constant D? |
//! | [`ability`] | what do the answers say of the examinee? (EAP: Bock & Mislevy, 1982) |
//! | [`select`] | which item next? (maximum information: Lord, 1980) |
//! | [`stop`] | is it enough? |
//! | [`policy`] | the rules of one exam |
//! | [`exam`] | an exam as the fold of its events: decided by one function, applied by another |
//!
//! Everything that multiplies probabilities works with their logarithms, and every transcendental
//! function comes from `libm`, so that a replay gives the same bits on every platform.
//!
//! ```
//! use engine::{Bank, Event, Exam, Item, Policy};
//! use std::sync::Arc;
//!
//! let items = [-1.0, 0.0, 1.0].map(|b| Item { a: 1.2, b, c: 0.2, d: 1.0 });
//! let bank = Arc::new(Bank::new(1.0, items.to_vec()).expect("three good items"));
//! let mut exam = Exam::new(bank, Policy::default(), 0);
//! exam.apply(&Event::Started(exam.decide_start()))?;
//! while let Some(item) = exam.current_item() {
//!     let answered = exam.decide_answer(item, 1).expect("the item on the screen takes an answer");
//!     exam.apply(&Event::Answered(answered))?;
//! }
//! assert_eq!(exam.items_completed(), 3);
//! assert!(exam.ability().theta > 0.0);
//! # Ok::<(), engine::ReplayError>(())
//! ```

pub mod ability;
pub mod bank;
pub mod exam;
pub mod item;
pub mod policy;
pub mod select;
pub mod stop;

pub use ability::{Ability, Grid, Posterior, Prior};
pub use bank::{Bank, BankFault};
pub use exam::{Answered, Event, Exam, Next, Refusal, ReplayError, Started};
pub use item::Item;
pub use policy::{Policy, PolicyFault, Selection};
pub use stop::EndReason;

/// Version of the engine, kept with every exam.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
