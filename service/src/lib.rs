//! The exam service (in work).
