//! What a run sends, to any service: an immutable list of (intended start, request), made from
//! rates, a trace, an access log or the day, with a hash of all of it, so that two runs provably
//! had the same work.
//!
//! Belongs here: the list, the sources that it is made from, what it is called. Never here: real
//! time, sending (`engine`), judging (`run`), or the reminder service's own day with its import
//! and its laws (`day`, `replay`).

pub mod args;
pub mod arrivals;
pub mod build;
pub mod lines;
pub mod routes;
pub mod summary;

mod access_log;
mod at;
mod day;
mod digest;
mod requests;
mod trace;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

/// Requests of one plan; 16 bytes each.
pub const ARRIVALS_MAX: usize = 50_000_000;
/// Kinds of requests of one plan: each has eight histograms of 172 kB, so a hundred take 140 MB.
pub const NAMES_MAX: usize = 100;
/// Largest body of one request.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// All paths and bodies of a plan together, as they are kept in memory.
pub const BYTES_MAX: usize = 1 << 30;

/// A kind of request: a row of every table, a tag of every log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Its method; `*` where a route takes several.
    pub method: String,
}

/// A request, as often as it may be sent.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its kind's position in [`Plan::kinds`].
    pub kind: usize,
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Headers of its own.
    pub headers: Arc<HeaderMap>,
    /// The body, empty where there is none.
    pub body: Bytes,
}

/// A request with its place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Nanoseconds from the start to the intended start.
    pub intended_ns: u64,
    /// The request's position in [`Plan::requests`].
    pub request: u32,
}

/// A run's work.
#[derive(Debug)]
pub struct Plan {
    kinds: Vec<Kind>,
    requests: Vec<Planned>,
    arrivals: Vec<Arrival>,
    span: Duration,
    hash: String,
    about: About,
}

/// Where a plan comes from; none of it is part of the hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The source in words.
    pub source: String,
    /// The seed, where anything was left to chance.
    pub seed: Option<u64>,
    /// What was left out or changed, a line each.
    pub notes: Vec<String>,
}

/// Why there is no plan. Each is one line: where, what is wrong, what to do.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file that can't be read.
    #[error("{file}: {source}; give a file that can be read", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a file.
    #[error("{file}:{line}: {what}", file = file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// A file as a whole, or flags that don't fit.
    #[error("{0}")]
    Wrong(String),
}

impl Plan {
    /// The kinds of requests, in order of their first use.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The different requests.
    #[must_use]
    pub fn requests(&self) -> &[Planned] {
        &self.requests
    }

    /// All that is sent, in order of its intended start.
    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The schedule's length: no intended start is later.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.span
    }

    /// SHA-256 over all that is sent and when, in hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Where it comes from.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Requests a second over the whole schedule.
    #[must_use]
    pub fn mean_rate(&self) -> f64 {
        self.arrivals.len() as f64 / self.span.as_secs_f64().max(1e-9)
    }

    /// Requests of the busiest second (of the clock that begins with the run).
    #[must_use]
    pub fn busiest_second(&self) -> u64 {
        let second = |arrival: &Arrival| arrival.intended_ns / 1_000_000_000;
        let runs = self.arrivals.chunk_by(|a, b| second(a) == second(b));
        runs.map(|run| run.len() as u64).max().unwrap_or(0)
    }

    /// How many requests of each kind there are.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.kinds.len()];
        for arrival in &self.arrivals {
            counts[self.requests[arrival.request as usize].kind] += 1;
        }
        counts
    }
}
