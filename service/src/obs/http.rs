//! Requests: how long each took to its last byte, how it ended and what it used. A request that the
//! caller gave up on is counted as well, for it is a slow one. An answer that is streamed is judged
//! by its first byte, as soon as that has left: how long it goes on is its reader's affair.
//!
//! Belongs here: what an end means for the objectives. Never here: the series by status
//! (`answered`), the log's line (`line`).

mod answered;
mod line;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use contract::endpoint::Listener;
use contract::{Endpoint, Family, RequestOutcome};
use metrics::{Counter, Gauge};

use super::budget;
use super::exemplar::TraceId;
use super::family;
use super::histogram::{self, Histogram, Snapshot};
use super::kept::{self, Landed, Route as KeptRoute};
use super::registered::Registered;
use super::request::Scope;
use super::slo::{Judged, Objective, Slo};
pub(crate) use super::status::{is_report, outcome_of, statuses, successes};
use super::{registry, status};
use answered::{Answered, OTHER};

/// The label of a request that no endpoint matches.
const UNMATCHED: &str = "unmatched";

/// A request that came to its end.
pub(crate) struct Finished<'a> {
    /// What it was for; none for a path that isn't known.
    pub(crate) endpoint: Option<Endpoint>,
    /// Its name.
    pub(crate) id: &'a str,
    /// Who called.
    pub(crate) caller: &'a dyn Display,
    /// What was answered; 0 if the caller went away before.
    pub(crate) status: u16,
    /// How it ended.
    pub(crate) outcome: RequestOutcome,
    /// The stable code of the problem, if there was one.
    pub(crate) code: &'static str,
    /// Why, for whoever reads the log.
    pub(crate) cause: &'a str,
    /// From the head's arrival to the last byte's departure.
    pub(crate) took: Duration,
    /// From the head's arrival to the first byte's departure, of a stream that has begun. By that
    /// it was judged, and kept or not, when it left.
    pub(crate) first_byte: Option<Duration>,
    /// Bytes of the request's body.
    pub(crate) bytes_in: u64,
    /// Bytes of the answer's body.
    pub(crate) bytes_out: u64,
    /// What it used.
    pub(crate) scope: &'a Scope,
}

/// A stream whose first byte has left.
pub(crate) struct Begun<'a> {
    /// What it was asked of.
    pub(crate) endpoint: Endpoint,
    /// What its head says.
    pub(crate) status: u16,
    /// From the head's arrival on.
    pub(crate) took: Duration,
    /// What it has used until then.
    pub(crate) scope: &'a Scope,
}

struct Handles {
    routes: [Answered; Endpoint::COUNT],
    unmatched: Answered,
    latency: [Slo; Endpoint::COUNT],
    availability: [Slo; Endpoint::COUNT],
    /// For those that stream.
    first_byte: [Option<Arc<Histogram>>; Endpoint::COUNT],
    active: [Gauge; 2],
    connections: [Gauge; 2],
    broken: [[Counter; Broken::ALL.len()]; 2],
}

static HANDLES: Registered<Handles> = Registered::new();

/// Why a connection ended other than by agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// What came was no HTTP, or a head too large; answered with a bare 400 or 431.
    BadHead,
    /// No complete head in time, or idle.
    Timeout,
    /// The peer went away in the middle.
    Peer,
    /// Closed by us: at the drain's deadline, or in the middle of an answer that has no end.
    Cut,
}

impl Broken {
    const ALL: [Self; 4] = [Self::BadHead, Self::Timeout, Self::Peer, Self::Cut];

    const fn name(self) -> &'static str {
        match self {
            Self::BadHead => "bad_head",
            Self::Timeout => "timeout",
            Self::Peer => "peer",
            Self::Cut => "cut",
        }
    }
}

pub(super) fn register() {
    HANDLES.register(Handles::register);
}

impl Handles {
    fn register() -> Self {
        let each = Endpoint::ALL;
        let name = |i: usize| each[i].name();
        let listeners = ["public", "admin"];
        Self {
            routes: std::array::from_fn(|i| {
                let method = each[i].spec().method.name();
                Answered::register(name(i), method, &status::answers(each[i]))
            }),
            unmatched: Answered::register(UNMATCHED, OTHER, status::UNMATCHED),
            latency: std::array::from_fn(|i| slo(each[i], "latency")),
            availability: std::array::from_fn(|i| slo(each[i], "availability")),
            first_byte: std::array::from_fn(|i| {
                let labels = [("http_route", name(i))];
                let family = Family::HttpServerTimeToFirstByte;
                each[i].spec().streams.then(|| registry::of(family, labels))
            }),
            active: listeners
                .map(|l| family::gauge(Family::HttpServerActiveRequests, [("listener", l)])),
            connections: listeners
                .map(|l| family::gauge(Family::HttpServerConnections, [("listener", l)])),
            broken: listeners.map(|listener| {
                Broken::ALL.map(|broken| {
                    let labels = [("listener", listener), ("reason", broken.name())];
                    family::counter(Family::HttpServerBrokenConnections, labels)
                })
            }),
        }
    }
}

fn slo(endpoint: Endpoint, slo: &'static str) -> Slo {
    let spec = endpoint.spec();
    let is_latency = slo == "latency";
    Slo::register(&Objective {
        all: Family::SloRequests,
        good: Family::SloGoodRequests,
        label: "http_route",
        value: endpoint.name(),
        slo,
        threshold_ms: is_latency.then_some(spec.latency_ms),
        ratio: if is_latency { spec.latency_objective } else { spec.availability_objective },
    })
}

/// Records that the first byte of a streamed answer left: its latency is judged by that, and its
/// flight kept, if it is worth it, as it is now.
pub(crate) fn first_byte(begun: &Begun<'_>) {
    let Begun { endpoint, status, took, scope } = *begun;
    let is_kept = kept::offer(&Landed {
        flight: scope.flight(),
        route: KeptRoute::Endpoint(endpoint),
        took,
        is_slow: took > objective(endpoint),
        ending: RequestOutcome::Ok.into(),
        outcome: RequestOutcome::Ok.name(),
        status,
    });
    if is_kept {
        scope.is_kept();
    }
    count_first_byte(endpoint, took, is_kept.then(|| scope.trace()));
}

/// Counts it, with its trace where that leads somewhere.
pub(super) fn count_first_byte(endpoint: Endpoint, took: Duration, trace: Option<TraceId>) {
    let Some(handles) = HANDLES.get() else { return };
    let i = endpoint.index();
    if let Some(histogram) = &handles.first_byte[i] {
        histogram.record(histogram::nanos_of(took), trace);
        handles.latency[i].count(1, took <= objective(endpoint));
    }
}

fn objective(endpoint: Endpoint) -> Duration {
    Duration::from_millis(u64::from(endpoint.spec().latency_ms))
}

/// Records a request at its end and writes its log line.
pub(crate) fn finished(request: &Finished<'_>) {
    let is_kept = offer(request);
    if is_kept {
        request.scope.is_kept();
    }
    if let Some(handles) = HANDLES.get() {
        // An example whose flight was not kept would lead nowhere.
        count(handles, request, is_kept.then(|| request.scope.trace()));
    }
    line::write(request);
    if let Some(endpoint) = request.endpoint {
        budget::judge(endpoint, request.id, request.scope);
    }
}

/// Offers its flight to be kept, and says whether it was.
fn offer(request: &Finished<'_>) -> bool {
    let Some(endpoint) = request.endpoint else { return false };
    if request.first_byte.is_some() && request.outcome == RequestOutcome::Ok {
        return false; // it was offered when it began, and went on for as long as its reader liked
    }
    kept::offer(&Landed {
        flight: request.scope.flight(),
        route: KeptRoute::Endpoint(endpoint),
        took: request.took,
        is_slow: request.took > objective(endpoint),
        ending: request.outcome.into(),
        outcome: request.outcome.name(),
        status: request.status,
    })
}

fn count(handles: &Handles, request: &Finished<'_>, trace: Option<TraceId>) {
    let Finished { status, outcome, took, first_byte, .. } = *request;
    let nanos = histogram::nanos_of(took);
    let Some(endpoint) = request.endpoint else {
        handles.unmatched.count(status, outcome, nanos, trace);
        return;
    };
    let i = endpoint.index();
    handles.routes[i].count(status, outcome, nanos, trace);
    let in_time = took <= objective(endpoint);
    let is_judged = first_byte.is_some();
    match outcome {
        RequestOutcome::Ok => {
            if !is_judged {
                handles.latency[i].count(1, in_time);
            }
            handles.availability[i].count(1, true);
        }
        RequestOutcome::Rejected => handles.availability[i].count(1, true),
        RequestOutcome::Shed | RequestOutcome::Failed => handles.availability[i].count(1, false),
        // Who waited longer than the objective and left is a slow request; who left earlier isn't.
        RequestOutcome::Aborted if !in_time && !is_judged => handles.latency[i].count(1, false),
        RequestOutcome::Aborted => {}
    }
}

/// What an endpoint's requests came to since the process started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// How long they took, however they ended.
    pub(crate) duration: Snapshot,
    /// How long what the latency objective is about took: of a stream until its first byte left.
    pub(crate) judged: Snapshot,
    /// Those that callers gave up on.
    pub(crate) aborted: u64,
    /// Those that count for the latency objective.
    pub(crate) latency: Judged,
    /// Those that count for the availability objective.
    pub(crate) availability: Judged,
}

/// Reads an endpoint's figures. Nothing before there is a recorder.
pub(crate) fn read(endpoint: Endpoint) -> Reading {
    let Some(handles) = HANDLES.get() else { return Reading::default() };
    let i = endpoint.index();
    let duration = handles.routes[i].all();
    let first_byte = handles.first_byte[i].as_ref().map(|histogram| histogram.snapshot());
    Reading {
        judged: first_byte.unwrap_or_else(|| duration.clone()),
        duration,
        aborted: handles.routes[i].aborted(),
        latency: handles.latency[i].read(),
        availability: handles.availability[i].read(),
    }
}

const fn index(listener: Listener) -> usize {
    match listener {
        Listener::Public => 0,
        Listener::Admin => 1,
    }
}

/// One more request being answered, until the guard is dropped.
#[must_use]
pub(crate) fn active(listener: Listener) -> Counted {
    Counted::one(HANDLES.get().map(|handles| &handles.active[index(listener)]))
}

/// One more open connection, until the guard is dropped.
#[must_use]
pub(crate) fn connected(listener: Listener) -> Counted {
    Counted::one(HANDLES.get().map(|handles| &handles.connections[index(listener)]))
}

/// Counts a connection that ended badly.
pub(crate) fn broken(listener: Listener, why: Broken) {
    if let Some(handles) = HANDLES.get() {
        handles.broken[index(listener)][why as usize].increment(1);
    }
}

/// One in a gauge.
#[derive(Debug)]
pub(crate) struct Counted(Option<&'static Gauge>);

impl Counted {
    fn one(gauge: Option<&'static Gauge>) -> Self {
        if let Some(gauge) = gauge {
            gauge.increment(1.0);
        }
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(gauge) = self.0 {
            gauge.decrement(1.0);
        }
    }
}

#[cfg(test)]
mod tests;
