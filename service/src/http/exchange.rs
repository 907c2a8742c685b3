//! One request from its head's arrival to its answer's last byte: what is known of it on the way,
//! and the record that is made of it exactly once, however it ends.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use contract::endpoint::Listener;
use contract::{Endpoint, RequestOutcome};

use super::problem::Problem;
use super::request::{Principal, RequestId};
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::obs::http::{Begun, Counted, Finished};
use crate::obs::request::Scope;

/// A request under way. Dropped without [`Exchange::finish`], the caller went away.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: RequestId,
    pub(super) received_at: Instant,
    pub(super) scope: Arc<Scope>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) caller: Principal,
    pub(super) bytes_in: u64,
    bytes_out: u64,
    status: u16,
    outcome: RequestOutcome,
    code: &'static str,
    cause: String,
    is_finished: bool,
    /// It can't be answered to its end.
    is_broken: bool,
    /// For a streamed answer.
    first_byte: Option<Arc<FirstByte>>,
    /// It has no end of its own.
    is_endless: bool,
    _active: Counted,
}

/// The first byte of a streamed answer on its way.
#[derive(Debug)]
pub(super) struct FirstByte {
    endpoint: Endpoint,
    status: u16,
    received_at: Instant,
    scope: Arc<Scope>,
    /// How long it took until it left.
    took: OnceLock<Duration>,
}

impl FirstByte {
    /// It left.
    pub(super) fn left(&self) {
        let Self { endpoint, status, scope, .. } = self;
        let took = self.received_at.elapsed();
        if self.took.set(took).is_ok() {
            obs::http::first_byte(&Begun { endpoint: *endpoint, status: *status, took, scope });
        }
    }

    /// How long it took, once it has left.
    fn took(&self) -> Option<Duration> {
        self.took.get().copied()
    }
}

impl Exchange {
    pub(super) fn begin(id: RequestId, trace: TraceId, listener: Listener) -> Self {
        let received_at = Instant::now();
        Self {
            id,
            received_at,
            scope: Arc::new(Scope::new(trace, received_at)),
            endpoint: None,
            caller: Principal::Anonymous,
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            outcome: RequestOutcome::Aborted,
            code: "",
            cause: String::new(),
            is_finished: false,
            is_broken: false,
            first_byte: None,
            is_endless: false,
            _active: obs::http::active(listener),
        }
    }

    /// Notes what will be answered.
    pub(super) fn answered(&mut self, status: u16, bytes_out: usize) {
        self.status = status;
        self.outcome = obs::http::outcome_of(status);
        self.bytes_out = bytes_out as u64;
    }

    /// Notes that the answer is a stream, which may go on until its reader leaves.
    pub(super) fn streams(&mut self, endpoint: Endpoint, is_endless: bool) -> Arc<FirstByte> {
        self.is_endless = is_endless;
        let first_byte = FirstByte {
            endpoint,
            status: self.status,
            received_at: self.received_at,
            scope: Arc::clone(&self.scope),
            took: OnceLock::new(),
        };
        Arc::clone(self.first_byte.insert(Arc::new(first_byte)))
    }

    /// Notes a piece of a stream.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Notes the problem behind the answer.
    pub(super) fn refused(&mut self, problem: Problem) {
        self.outcome = problem.code.outcome();
        self.code = problem.code.name();
        self.cause = problem.cause.unwrap_or_default();
    }

    /// Notes why what was begun can't be answered to its end.
    pub(super) fn broke(&mut self, problem: Problem) {
        self.refused(problem);
        self.outcome = RequestOutcome::Failed;
        self.is_broken = true;
    }

    /// The last byte left.
    pub(super) fn finish(mut self) {
        self.is_finished = true;
        self.record(self.outcome);
    }

    fn first_byte(&self) -> Option<Duration> {
        self.first_byte.as_ref().and_then(|first| first.took())
    }

    fn record(&self, outcome: RequestOutcome) {
        obs::http::finished(&Finished {
            endpoint: self.endpoint,
            id: self.id.as_str(),
            caller: &self.caller,
            status: self.status,
            outcome,
            code: self.code,
            cause: &self.cause,
            took: self.received_at.elapsed(),
            first_byte: self.first_byte(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            scope: &self.scope,
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // Who reads what has no end leaves when it has seen enough. A report has one, and who
        // leaves before hasn't got it.
        let is_served = self.is_endless && self.first_byte().is_some();
        let is_known = is_served || self.is_broken;
        self.record(if is_known { self.outcome } else { RequestOutcome::Aborted });
    }
}
