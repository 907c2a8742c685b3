//! The load harness: a real day of reminders replayed against the service over HTTP, judged from
//! the intended start of each request, with the laws checked afterwards; and any plan of requests
//! sent to any service in the same way.
//!
//! It knows the contract and HTTP; of the service it shares nothing. The day is a pure plan
//! (`day`), sent by an open-model engine (`engine`), in the order of a replay (`replay`), judged
//! from outside (`laws`), told as text, page and JSON (`report`); `demo` starts a whole stack
//! around it, `dev` keeps one up. For any service, `plan` says what is sent, `run` sends it by the
//! same engine and judges, `inside` asks the service meanwhile what it says of itself, `hlog` reads
//! what was logged, `freeze` proves what is measured. `gate` compares two builds by what they take,
//! `counts` one with a baseline by what it does. `isolate` lets one stage of the service run at a
//! time, `incidents` makes trouble that must end well.

#![warn(missing_docs)]

/// As `eprintln!`, which panics where nobody reads standard error any more.
macro_rules! complain {
    ($($said:tt)*) => { $crate::progress::tell(format_args!($($said)*)) };
}

/// As `println!`, which panics where nobody reads standard output any more.
macro_rules! announce {
    ($($said:tt)*) => { $crate::stdout::line(format_args!($($said)*)) };
}

pub mod capacity;
pub mod cli;
pub mod client;
pub mod counts;
pub mod day;
pub mod demo;
pub mod dev;
pub mod engine;
pub mod exit;
pub mod freeze;
pub mod gate;
pub mod history;
pub mod hlog;
pub mod incidents;
pub mod inside;
pub mod interrupt;
pub mod isolate;
pub mod laws;
mod open_files;
mod piled;
pub mod plan;
pub mod progress;
pub mod provider_command;
pub mod replay;
pub mod report;
pub mod run;
pub mod scrape;
mod stdout;
mod unpacked;
mod whole;
