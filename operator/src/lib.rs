//! The operator (in work).
