//! The series of one route: one for each way in which it answers, and one for callers that went
//! away before. A request is never counted under a status that it was not answered with: what
//! nobody has foreseen has a series that says so, a counter and a line of the log.
//!
//! Never here: which answers are foreseen (`obs::status`).

use std::sync::{Arc, OnceLock};

use contract::{Family, RequestOutcome};
use metrics::Counter;

use super::super::exemplar::TraceId;
use super::super::family;
use super::super::histogram::{Histogram, Snapshot};
use super::super::label::Value;
use super::super::registry;
use super::super::status::Answer;

/// What stands for a status or a method that the tables don't have.
pub(super) const OTHER: &str = "_OTHER";

/// The series of one route.
pub(super) struct Answered {
    route: &'static str,
    method: &'static str,
    foreseen: Vec<(Answer, Arc<Histogram>)>,
    aborted: Arc<Histogram>,
    /// By outcome, made when there is the first one.
    unforeseen: [OnceLock<Arc<Histogram>>; RequestOutcome::COUNT],
    unforeseen_count: Counter,
}

impl Answered {
    /// Registers what is foreseen, at zero.
    pub(super) fn register(route: &'static str, method: &'static str, foreseen: &[Answer]) -> Self {
        let of = |&(status, outcome): &Answer| {
            ((status, outcome), series(route, method, status.into(), outcome))
        };
        Self {
            route,
            method,
            foreseen: foreseen.iter().map(of).collect(),
            aborted: series(route, method, "".into(), RequestOutcome::Aborted),
            unforeseen: [const { OnceLock::new() }; RequestOutcome::COUNT],
            unforeseen_count: family::counter(
                Family::HttpServerUnforeseenAnswers,
                [("http_route", route)],
            ),
        }
    }

    /// Counts a request.
    pub(super) fn count(
        &self,
        status: u16,
        outcome: RequestOutcome,
        nanos: u64,
        trace: Option<TraceId>,
    ) {
        let histogram = if outcome == RequestOutcome::Aborted {
            &self.aborted
        } else {
            let is_it = |(known, _): &&(Answer, _)| *known == (status, outcome);
            let found = self.foreseen.iter().find(is_it);
            found.map_or_else(|| self.other(status, outcome), |(_, histogram)| histogram)
        };
        histogram.record(nanos, trace);
    }

    /// What stands for an answer that nobody has foreseen: a row of `obs::status` is missing.
    fn other(&self, status: u16, outcome: RequestOutcome) -> &Arc<Histogram> {
        self.unforeseen_count.increment(1);
        tracing::warn!(
            target: "punctual::request",
            endpoint = self.route,
            status,
            outcome = outcome.name(),
            "an endpoint answered as it is not known to"
        );
        let of_outcome = &self.unforeseen[outcome.index()];
        of_outcome.get_or_init(|| series(self.route, self.method, OTHER.into(), outcome))
    }

    /// Those whose callers went away.
    pub(super) fn aborted(&self) -> u64 {
        self.aborted.snapshot().count()
    }

    /// How long all of them took, however they ended.
    pub(super) fn all(&self) -> Snapshot {
        let mut all = self.aborted.snapshot();
        let foreseen = self.foreseen.iter().map(|(_, histogram)| histogram);
        for histogram in foreseen.chain(self.unforeseen.iter().filter_map(OnceLock::get)) {
            all.add(&histogram.snapshot());
        }
        all
    }
}

fn series(
    route: &'static str,
    method: &'static str,
    status: Value,
    outcome: RequestOutcome,
) -> Arc<Histogram> {
    let labels = [
        ("http_route", route.into()),
        ("http_request_method", method.into()),
        ("http_response_status_code", status),
        ("outcome", outcome.name().into()),
    ];
    registry::of(Family::HttpServerRequestDuration, labels)
}
