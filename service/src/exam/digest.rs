//! The hash that names bank versions, seals events and hides subjects.
//!
//! Input: byte strings. Output: their SHA-256 in hexadecimal. Must not know: what is hashed.

use sha2::{Digest, Sha256};

/// SHA-256 of the concatenated parts, in hexadecimal.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hex::encode(hash.finalize())
}
