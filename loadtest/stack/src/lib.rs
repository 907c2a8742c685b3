//! A private local stack: a PostgreSQL primary with a streaming replica, a simulated provider
//! of text messages, a Prometheus, and child processes that end for certain.
//!
//! What belongs here: everything that the harness and the tests start around the service. What
//! never does: load, laws and reports (crate `loadtest`), anything of the service, and any
//! server that this crate didn't start.

// Statements here set up and watch servers; the service's one door for SQL is its own.
#![allow(clippy::disallowed_methods)]

mod error;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod provider;
mod run_dir;

pub use error::{LogTail, StackError};
pub use process::{Process, ProcessSpec, Usage};
pub use run_dir::{BASE_VARIABLE, RunDir};
