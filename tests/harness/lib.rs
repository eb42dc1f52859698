//! Harness (in work).
