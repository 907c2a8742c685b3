//! The critical paths that no single endpoint shows, in real time from end to end.

use std::sync::OnceLock;
use std::time::Duration;

use contract::Journey;
use metrics::Histogram;

use super::slo::{Objective, Slo};

struct Handles {
    duration: [Histogram; Journey::COUNT],
    slo: [Slo; Journey::COUNT],
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

pub(super) fn register() {
    metrics::describe_histogram!(
        "journey_duration_seconds",
        metrics::Unit::Seconds,
        "Time of a critical path from end to end."
    );
    HANDLES.get_or_init(|| Handles {
        duration: std::array::from_fn(|i| {
            metrics::histogram!("journey_duration_seconds", "journey" => Journey::ALL[i].name())
        }),
        slo: std::array::from_fn(|i| {
            let (journey, spec) = (Journey::ALL[i], Journey::ALL[i].spec());
            Slo::register(&Objective {
                family: "journeys",
                label: "journey",
                value: journey.name(),
                slo: "latency",
                threshold_ms: Some(spec.latency_ms),
                ratio: spec.objective,
            })
        }),
    });
}

/// Records one journey that came to its end.
pub(crate) fn record(journey: Journey, took: Duration) {
    if let Some(handles) = HANDLES.get() {
        handles.duration[journey.index()].record(took.as_secs_f64());
        handles.slo[journey.index()].count(1, within(journey, took));
    }
}

fn within(journey: Journey, took: Duration) -> bool {
    took <= Duration::from_millis(u64::from(journey.spec().latency_ms))
}
