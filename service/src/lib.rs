//! Punctual: sends appointment reminders on time and proves it. This crate is the service; its
//! binary is a few lines around [`cli::main`].
//!
//! A request's way: `http` reads and checks it, `endpoints` answers it, `ingest` and `receipts`
//! commit what it changes, `plan` says what an appointment promises. A message's way: `stages`
//! release, claim, deliver and settle it through a `provider`. Everything is measured in `obs`,
//! and everything that has a name has its row in the `contract` crate.

#![forbid(unsafe_code)]

/// As `eprintln!`, which panics where nobody reads standard error any more: a command ends with the
/// status that its outcome has.
macro_rules! complain {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        let _nobody_reads = writeln!(std::io::stderr(), $($said)*);
    }};
}

/// As the binary has it: tests count what is allocated.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod authorities;
pub(crate) mod bench;
#[doc(hidden)]
pub mod benching;
pub mod cli;
pub(crate) mod clock;
pub(crate) mod commit;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod endpoints;
#[cfg(test)]
mod golden;
pub(crate) mod http;
pub(crate) mod ingest;
pub(crate) mod live;
pub(crate) mod obs;
pub(crate) mod phone;
pub(crate) mod plan;
pub(crate) mod practice;
pub(crate) mod provider;
pub(crate) mod readiness;
pub(crate) mod receipts;
pub(crate) mod reconcile;
pub(crate) mod render;
pub(crate) mod review;
pub(crate) mod stages;
pub(crate) mod text;
pub(crate) mod wake;
