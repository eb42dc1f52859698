//! The HTTP surface: routes, middleware, request parsing, replies and problems, connections.
//!
//! Input: connections on two listeners. Output: replies. A new route goes into [`router`]; its request body is
//! parsed in `exams/request.rs` and its reply body is built in `exams/reply.rs`. Must not know: SQL, Redis.

pub mod access_log;
pub mod banks;
pub mod body;
pub mod exam_types;
pub mod exams;
pub mod extract;
pub mod listener;
pub mod middleware;
pub mod openapi;
pub mod ops;
pub mod page;
pub mod problem;
pub mod router;
