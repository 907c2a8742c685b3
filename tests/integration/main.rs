//! One binary for all integration tests: one build, one shared PostgreSQL.
//!
//! What belongs here: the list of test modules. What never does: helpers, which are in the
//! `tests` crate's library.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod tidy;
