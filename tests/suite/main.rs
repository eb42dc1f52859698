//! Suite (in work).
