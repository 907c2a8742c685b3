//! What the engine asks of whoever knows the requests: a schedule, the bytes, and a verdict on the
//! answer.
//!
//! Never here: a particular schedule (`replay::live`, `run::work`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};
use tokio::time::Instant;

use super::connection::Broken;
use super::trace::Trace;

/// A kind of request: one row of every table of the report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    /// Its name: the endpoint's in the contract, or the one that a plan gives it.
    pub name: &'static str,
    /// HTTP method, for goose's report.
    pub method: &'static str,
    /// A request is good when answered within this time, counted from its intended start.
    pub objective: Duration,
    /// The share of requests that must be good, as a ratio.
    pub share: f64,
    /// True for the paths whose p99 the progress line shows.
    pub critical: bool,
}

/// A request ready to leave.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Its label's position in [`Source::labels`].
    pub label: usize,
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The `Authorization` header, marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// What the answer must have seen: the token of a write, as its answer held it.
    pub read_after: Option<HeaderValue>,
    /// The body's type, where there is a body.
    pub content_type: Option<&'static str>,
    /// The trace that it begins, as a header.
    pub traceparent: Option<HeaderValue>,
    /// Any other headers.
    pub headers: Option<Arc<HeaderMap>>,
    /// The body.
    pub body: Bytes,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where the service gave it.
    pub retry_after_seconds: Option<u32>,
    /// The token of what was written, where the service gave it.
    pub read_after: Option<HeaderValue>,
    /// `Server-Timing`, where the service gave it.
    pub server_timing: Option<HeaderValue>,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The whole body, where the schedule reads bodies.
    pub body: Bytes,
    /// When its last byte had come.
    pub ended: Instant,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Wrong; the reason comes from a closed set and names a row of the report.
    Bad(&'static str),
    /// To be sent once more after this long; its latency goes on from the intended start.
    Again(Duration),
}

/// A schedule of requests.
pub trait Source: Send + Sync + 'static {
    /// The kinds of requests.
    fn labels(&self) -> &[Label];
    /// How many requests there are.
    fn len(&self) -> usize;
    /// True when there is nothing to send.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// When a request is to leave, in real time since the start; never falls from one to the next.
    fn intended(&self, index: usize) -> Duration;
    /// The label of a request, without building it.
    fn label(&self, index: usize) -> usize;
    /// Builds a request.
    fn request(&self, index: usize) -> Outgoing;
    /// The trace that a request begins, if it is to begin one.
    fn trace(&self, _: usize) -> Option<Trace> {
        None
    }
    /// Whether it reads the bodies of answers; else they are dropped as they come.
    fn reads_bodies(&self) -> bool {
        true
    }
    /// Looks at an answer and keeps what the checks after the run need.
    fn answered(&self, index: usize, answer: &Answer) -> Verdict;
    /// Says what to do when there was no answer to the sending of this number, from 1.
    fn broken(&self, index: usize, broken: Broken, sending: u64) -> Verdict;
}
