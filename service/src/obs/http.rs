//! Requests: how long each took to its last byte, how it ended, what it used, and the one log line
//! about it. A request that the caller gave up on is counted as well, for it is a slow one.

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
use super::label::Value;
use super::registered::Registered;
use super::registry;
use super::request::Scope;
use super::slo::{Judged, Objective, Slo};
pub(crate) use super::status::{is_report, outcome_of, statuses, successes};

/// The label of a request that no endpoint matches.
const UNMATCHED: &str = "unmatched";
/// The label of a method that the table doesn't have.
const OTHER_METHOD: &str = "_OTHER";
/// What an unmatched request is answered.
const UNMATCHED_STATUSES: &[u16] = &[400, 404, 405, 500];

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
    /// Bytes of the request's body.
    pub(crate) bytes_in: u64,
    /// Bytes of the answer's body.
    pub(crate) bytes_out: u64,
    /// What it used.
    pub(crate) scope: &'a Scope,
}

struct Route {
    /// By status, for answers that were read to their end.
    answered: Vec<(u16, Arc<Histogram>)>,
    aborted: Arc<Histogram>,
}

struct Handles {
    routes: [Route; Endpoint::COUNT],
    unmatched: Route,
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
                Route::register(name(i), method, &statuses(each[i]))
            }),
            unmatched: Route::register(UNMATCHED, OTHER_METHOD, UNMATCHED_STATUSES),
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

impl Route {
    fn register(route: &'static str, method: &'static str, statuses: &[u16]) -> Self {
        let of = |status: Value, outcome: RequestOutcome| {
            let labels = [
                ("http_route", route.into()),
                ("http_request_method", method.into()),
                ("http_response_status_code", status),
                ("outcome", outcome.name().into()),
            ];
            registry::of(Family::HttpServerRequestDuration, labels)
        };
        Self {
            answered: statuses
                .iter()
                .map(|&status| (status, of(status.into(), outcome_of(status))))
                .collect(),
            aborted: of("".into(), RequestOutcome::Aborted),
        }
    }

    fn of(&self, status: u16, outcome: RequestOutcome) -> &Histogram {
        if outcome == RequestOutcome::Aborted {
            return &self.aborted;
        }
        let found = self.answered.iter().find(|(known, _)| *known == status);
        // A status that the endpoint isn't known to answer: its class stands for it.
        let of_class = || self.answered.iter().rfind(|(known, _)| known / 100 == status / 100);
        found.or_else(of_class).map_or(&self.aborted, |(_, histogram)| histogram)
    }
}

/// Records that the first byte of a streamed answer left: its latency is judged by that.
pub(crate) fn first_byte(endpoint: Endpoint, took: Duration) {
    let Some(handles) = HANDLES.get() else { return };
    let i = endpoint.index();
    if let Some(histogram) = &handles.first_byte[i] {
        histogram.record(histogram::nanos_of(took), None);
        handles.latency[i].count(1, is_in_time(endpoint, took));
    }
}

fn is_in_time(endpoint: Endpoint, took: Duration) -> bool {
    took <= Duration::from_millis(u64::from(endpoint.spec().latency_ms))
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
    log(request);
    if let Some(endpoint) = request.endpoint {
        budget::judge(endpoint, request.id, request.scope);
    }
}

/// Offers its flight to be kept, and says whether it was.
fn offer(request: &Finished<'_>) -> bool {
    let Some(endpoint) = request.endpoint else { return false };
    if endpoint.spec().streams && request.outcome == RequestOutcome::Ok {
        return false; // it was as long as its reader wanted
    }
    kept::offer(&Landed {
        flight: request.scope.flight(),
        route: KeptRoute::Endpoint(endpoint),
        took: request.took,
        objective: Duration::from_millis(u64::from(endpoint.spec().latency_ms)),
        ending: request.outcome.into(),
        outcome: request.outcome.name(),
        status: request.status,
    })
}

fn count(handles: &Handles, request: &Finished<'_>, trace: Option<TraceId>) {
    let Finished { status, outcome, took, .. } = *request;
    let nanos = histogram::nanos_of(took);
    let Some(endpoint) = request.endpoint else {
        handles.unmatched.of(status, outcome).record(nanos, trace);
        return;
    };
    let i = endpoint.index();
    handles.routes[i].of(status, outcome).record(nanos, trace);
    let in_time = is_in_time(endpoint, took);
    match outcome {
        RequestOutcome::Ok => {
            // A stream was judged when its first byte left; how long it went on is no latency.
            if !endpoint.spec().streams {
                handles.latency[i].count(1, in_time);
            }
            handles.availability[i].count(1, true);
        }
        RequestOutcome::Rejected => handles.availability[i].count(1, true),
        RequestOutcome::Shed | RequestOutcome::Failed => handles.availability[i].count(1, false),
        // Who waited longer than the objective and left is a slow request; who left earlier isn't.
        RequestOutcome::Aborted if !in_time => handles.latency[i].count(1, false),
        RequestOutcome::Aborted => {}
    }
}

/// What an endpoint's requests came to since the process started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// How long they took, however they ended.
    pub(crate) duration: Snapshot,
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
    let mut duration = handles.routes[i].aborted.snapshot();
    let aborted = duration.count();
    for (_, histogram) in &handles.routes[i].answered {
        duration.add(&histogram.snapshot());
    }
    Reading {
        duration,
        aborted,
        latency: handles.latency[i].read(),
        availability: handles.availability[i].read(),
    }
}

/// One wide line a request. Its level says who must act: error, an operator, now; warning, an
/// operator, if it goes on; info, the caller; debug, nobody.
fn log(request: &Finished<'_>) {
    let Finished {
        endpoint,
        id,
        caller,
        status,
        outcome,
        code,
        cause,
        took,
        bytes_in,
        bytes_out,
        scope,
    } = *request;
    let route = endpoint.map_or(UNMATCHED, Endpoint::name);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "punctual::request",
                endpoint = route,
                status,
                outcome = outcome.name(),
                code,
                cause,
                duration_ms = millis(took),
                request_id = id,
                trace_id = %scope.trace(),
                caller = %caller,
                bytes_in,
                bytes_out,
                queries = scope.queries(),
                rows = scope.rows(),
                pool_wait_ms = millis(scope.pool_wait()),
                "request"
            )
        };
    }
    match outcome {
        RequestOutcome::Ok => line!(debug),
        // Probes ask every second; the latch that turned has its own line.
        RequestOutcome::Shed if endpoint == Some(Endpoint::ReadReadiness) => line!(debug),
        RequestOutcome::Rejected | RequestOutcome::Aborted => line!(info),
        RequestOutcome::Shed => line!(warn),
        RequestOutcome::Failed => line!(error),
    }
}

/// Milliseconds to the microsecond, as people read them.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
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
