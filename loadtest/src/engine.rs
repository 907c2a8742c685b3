//! The engine: sends a schedule of requests at their intended instants, whatever the service does,
//! and keeps the books. An open model: a slow answer never delays the next request's intended
//! start, and a request that leaves late is charged for it. Late, never dropped.
//!
//! Belongs here: pacing, sending, accounting; nothing of it knows what a reminder is. Never here:
//! what is sent and what a good answer looks like (`replay`, `run`), verdicts (`report`,
//! `run::verdict`).

pub mod alarm;
pub mod attack;
pub mod clean;
pub mod connection;
pub mod distribution;
pub mod intervals;
pub mod ledger;
pub mod machine;
pub mod names;
pub mod pacer;
pub mod slowest;
pub mod source;
pub mod trace;
pub mod windows;
pub mod worker;

pub use attack::{Attack, EngineError};
pub use connection::Connection;
pub use intervals::Intervals;
pub use ledger::{Ledger, Row};
pub use pacer::Pacer;
pub use slowest::Slow;
pub use source::{Answer, Label, Outgoing, Source, Verdict};
pub use trace::{Trace, Traces};
pub use windows::Window;
