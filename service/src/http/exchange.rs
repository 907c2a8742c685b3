//! One request from its head's arrival to its answer's last byte: what is known of it on the way,
//! and the record that is made of it exactly once, however it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use contract::endpoint::Listener;
use contract::{Endpoint, RequestOutcome};

use super::problem::Problem;
use super::request::{Principal, RequestId};
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::obs::http::{Counted, Finished};
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
    _active: Counted,
}

/// The first byte of a streamed answer on its way.
#[derive(Debug)]
pub(super) struct FirstByte {
    endpoint: Endpoint,
    received_at: Instant,
    has_left: AtomicBool,
}

impl FirstByte {
    /// It left.
    pub(super) fn left(&self) {
        if !self.has_left.swap(true, Ordering::AcqRel) {
            obs::http::first_byte(self.endpoint, self.received_at.elapsed());
        }
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
            _active: obs::http::active(listener),
        }
    }

    /// Notes what will be answered.
    pub(super) fn answered(&mut self, status: u16, bytes_out: usize) {
        self.status = status;
        self.outcome = obs::http::outcome_of(status);
        self.bytes_out = bytes_out as u64;
    }

    /// Notes that the answer is a stream.
    pub(super) fn streams(&mut self, endpoint: Endpoint) -> Arc<FirstByte> {
        let received_at = self.received_at;
        let first_byte = FirstByte { endpoint, received_at, has_left: AtomicBool::new(false) };
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
        // A stream's reader may have seen enough: once it has begun, leaving is no failure.
        let has_begun = |first: &Arc<FirstByte>| first.has_left.load(Ordering::Acquire);
        let is_served = self.first_byte.as_ref().is_some_and(has_begun);
        let is_known = is_served || self.is_broken;
        self.record(if is_known { self.outcome } else { RequestOutcome::Aborted });
    }
}
