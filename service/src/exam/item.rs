//! How callers and the log name items, and what an examinee submits for one.
//!
//! Input: none. Output: plain values with a JSON form. Must not know: banks, events.

use serde::{Deserialize, Serialize};

/// Number of an item in its bank version, counted from 1.
pub type ItemId = u32;

/// What an examinee submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Submitted {
    /// Number of a choice, counted from 1; the service grades it.
    Choice(u8),
    /// The grade, from a trusted caller.
    Correct(bool),
    /// No answer: the item was omitted, which is graded as wrong.
    Omitted,
}
