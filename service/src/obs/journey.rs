//! The critical paths that no single endpoint shows, in real time from end to end.

use std::sync::Arc;
use std::time::Duration;

use contract::{Family, Journey};

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

/// Records one journey that came to its end, of no one request.
pub(crate) fn record(journey: Journey, took: Duration) {
    record_of(journey, took, None);
}

/// Records one journey that came to its end, of a request whose flight shows it.
pub(crate) fn record_of(journey: Journey, took: Duration, scope: Option<&Scope>) {
    if let Some(handles) = HANDLES.get() {
        let trace = scope.and_then(Scope::example);
        handles.duration[journey.index()].record(histogram::nanos_of(took), trace);
        handles.slo[journey.index()].count(1, within(journey, took));
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
