//! What is measured, and the only place that records it: one file a measured thing. Handles are
//! registered once, at start, so that a series that can exist exists at zero, and so that
//! recording costs nanoseconds; before [`install`] every call does nothing.
//!
//! Belongs here: families, labels, buckets, the scrape, the log's set-up. Never here: a decision
//! that depends on a measured value.

#[cfg(test)]
mod allocations;
pub(crate) mod backlog;
pub(crate) mod buckets;
pub(crate) mod budget;
pub(crate) mod busy;
pub(crate) mod database;
pub(crate) mod exemplar;
mod exposition;
mod facade;
mod family;
pub(crate) mod fate;
pub(crate) mod flight;
pub(crate) mod given_up;
pub(crate) mod histogram;
pub(crate) mod holder;
pub(crate) mod http;
pub(crate) mod journey;
pub(crate) mod kept;
pub(crate) mod label;
pub(crate) mod law;
pub(crate) mod limit;
pub(crate) mod log;
pub(crate) mod matrix;
mod mirror;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod prune;
pub(crate) mod query;
mod readable;
mod recorder;
mod registered;
mod registry;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod slo;
pub(crate) mod stage;
mod status;
pub(crate) mod stripe;

pub(crate) use exposition::{Format, Packer};
#[cfg(test)]
pub(crate) use recorder::rendered;
pub(crate) use recorder::{install, render, upkeep};
pub(crate) use registered::Stopwatch;
