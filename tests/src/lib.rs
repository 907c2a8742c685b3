//! What the integration tests are written with: a database of their own, the service as the
//! binary that people run, a simulated provider, an HTTP client, a reader of metrics.
//!
//! A test reads: start, do, wait for what must come, finish. What must hold at the end of every
//! test whatever it was about (a clean exit, a clean log, the laws) is checked by
//! [`TestApp::finish`], so that no test has to think of it.
//!
//! Belongs here: how to do and see things. Never here: what should come of them (the tests), and
//! anything of the service but its interface and the contract.

// Tests say what they expect by unwrapping, and look into the database by hand.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

pub mod alertmanager;
pub mod app;
pub mod binary;
pub mod browser;
pub mod client;
pub mod database;
pub mod events;
pub mod exhausted;
pub mod machine;
pub mod metrics;
pub mod practice;
pub mod prometheus;
pub mod provider;
pub mod refuser;
pub mod schema;
pub mod slow;
pub mod wait;
pub mod wire;

pub use alertmanager::{Alertmanager, Receiver};
pub use app::{Ending, TestApp};
pub use client::{Answer, Call};
pub use database::{Sql, TestDatabase};
pub use machine::Machine;
pub use metrics::Scrape;
pub use practice::{Appointment, Practice, appointment, at, phone};
pub use prometheus::{Prometheus, PrometheusConfig};
pub use wait::{SOON, until};
