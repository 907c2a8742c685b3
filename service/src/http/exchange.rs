//! One request from its head's arrival to its answer's last byte: what is known of it on the way,
//! and the record that is made of it exactly once, however it ends.

use std::sync::Arc;
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
    _active: Counted,
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
            _active: obs::http::active(listener),
        }
    }

    /// Notes what will be answered.
    pub(super) fn answered(&mut self, status: u16, bytes_out: usize) {
        self.status = status;
        self.outcome = obs::http::outcome_of(status);
        self.bytes_out = bytes_out as u64;
    }

    /// Notes the problem behind the answer.
    pub(super) fn refused(&mut self, problem: Problem) {
        self.outcome = problem.code.outcome();
        self.code = problem.code.name();
        self.cause = problem.cause.unwrap_or_default();
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
            caller: &self.caller.to_string(),
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
        if !self.is_finished {
            self.record(RequestOutcome::Aborted);
        }
    }
}
