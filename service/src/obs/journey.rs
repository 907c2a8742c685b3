//! The critical paths that no single endpoint shows, in real time from end to end.

use std::sync::Arc;
use std::time::Duration;

use contract::{Family, Journey};

use super::exemplar::TraceId;
use super::histogram::{self, Histogram, Snapshot};
use super::registered::Registered;
use super::registry;
use super::request::Scope;
use super::slo::{Judged, Objective, Slo};

struct Handles {
    duration: [Arc<Histogram>; Journey::COUNT],
    slo: [Slo; Journey::COUNT],
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| Handles {
        duration: std::array::from_fn(|i| {
            registry::of(Family::JourneyDuration, [("journey", Journey::ALL[i].name())])
        }),
        slo: std::array::from_fn(|i| {
            let (journey, spec) = (Journey::ALL[i], Journey::ALL[i].spec());
            Slo::register(&Objective {
                all: Family::SloJourneys,
                good: Family::SloGoodJourneys,
                label: "journey",
                value: journey.name(),
                slo: "latency",
                threshold_ms: Some(spec.latency_ms),
                ratio: spec.objective,
            })
        }),
    });
}

/// Records one journey that came to its end, of no one request; a flight that was kept becomes its
/// example.
pub(crate) fn record(journey: Journey, took: Duration, kept: Option<TraceId>) {
    record_of(journey, took, None);
    if let Some(trace) = kept {
        example(journey, histogram::nanos_of(took), trace);
    }
}

/// Records one journey that came to its end, of a request whose flight shows it: if that is kept,
/// it becomes an example.
pub(crate) fn record_of(journey: Journey, took: Duration, scope: Option<&Scope>) {
    if let Some(handles) = HANDLES.get() {
        let nanos = histogram::nanos_of(took);
        handles.duration[journey.index()].record(nanos, None);
        handles.slo[journey.index()].count(1, within(journey, took));
        if let Some(scope) = scope {
            scope.travelled(journey, nanos);
        }
    }
}

/// Counts journeys that broke off, which will never come to their end: bad ones, of no duration.
pub(crate) fn broken_off(journey: Journey, n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.slo[journey.index()].count(n, false);
    }
}

/// Makes a flight that is kept the example of a journey that was recorded.
pub(super) fn example(journey: Journey, nanos: u64, trace: TraceId) {
    if let Some(handles) = HANDLES.get() {
        handles.duration[journey.index()].shows(nanos, trace);
    }
}

/// How long journeys took and how many were good, since the process started. Nothing before there
/// is a recorder.
pub(crate) fn read(journey: Journey) -> (Snapshot, Judged) {
    HANDLES.get().map_or_else(Default::default, |handles| {
        let i = journey.index();
        (handles.duration[i].snapshot(), handles.slo[i].read())
    })
}

fn within(journey: Journey, took: Duration) -> bool {
    took <= Duration::from_millis(u64::from(journey.spec().latency_ms))
}
