//! The stack against a real PostgreSQL and real processes.
//!
//! What belongs here: what must hold of servers and children whatever runs on them, above all
//! that nothing is left. What never does: the service; its tests are in the workspace's `tests`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "stack/crash.rs"]
mod crash;
#[path = "stack/lifetime.rs"]
mod lifetime;
#[path = "stack/pair.rs"]
mod pair;
#[path = "stack/process.rs"]
mod process;
#[path = "stack/support.rs"]
mod support;
#[path = "stack/template.rs"]
mod template;
