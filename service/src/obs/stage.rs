//! The stages of the work: how long a batch took, how big it was, how late its items were, what
//! is in flight, what failed.

use std::sync::OnceLock;
use std::time::Duration;

use contract::Stage;
use metrics::{Counter, Gauge, Histogram};

use super::slo::{Objective, Slo};

struct Handles {
    duration: Histogram,
    lateness: Histogram,
    size: Histogram,
    items: Counter,
    in_flight: Gauge,
    failures: Counter,
    slo: Slo,
}

static HANDLES: OnceLock<[Handles; Stage::COUNT]> = OnceLock::new();

pub(super) fn register() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_histogram!("stage_duration_seconds", Unit::Seconds, "Time of one batch of a stage.");
    describe_histogram!(
        "stage_lateness_seconds",
        Unit::Seconds,
        "When an item was started, less when it was due."
    );
    describe_histogram!("stage_batch_size", "Items in a batch of a stage.");
    describe_counter!("stage_items_total", "Items that a stage worked on.");
    describe_gauge!("stage_in_flight", "Batches or deliveries of a stage under way.");
    describe_counter!("stage_failures_total", "Batches or deliveries of a stage that failed.");
    HANDLES.get_or_init(|| std::array::from_fn(|i| Handles::register(Stage::ALL[i])));
}

impl Handles {
    fn register(stage: Stage) -> Self {
        let (name, spec) = (stage.name(), stage.spec());
        let this = Self {
            duration: metrics::histogram!("stage_duration_seconds", "stage" => name),
            lateness: metrics::histogram!("stage_lateness_seconds", "stage" => name),
            size: metrics::histogram!("stage_batch_size", "stage" => name),
            items: metrics::counter!("stage_items_total", "stage" => name),
            in_flight: metrics::gauge!("stage_in_flight", "stage" => name),
            failures: metrics::counter!("stage_failures_total", "stage" => name),
            slo: Slo::register(&Objective {
                family: "stage_items",
                label: "stage",
                value: name,
                slo: "lateness",
                threshold_ms: Some(spec.lateness_ms),
                ratio: spec.objective,
            }),
        };
        this.items.increment(0);
        this.in_flight.set(0.0);
        this.failures.increment(0);
        this
    }
}

fn of(stage: Stage) -> Option<&'static Handles> {
    HANDLES.get().map(|handles| &handles[stage.index()])
}

/// Records one batch that was worked on.
pub(crate) fn batch(stage: Stage, size: usize, took: Duration) {
    if let Some(handles) = of(stage) {
        handles.duration.record(took.as_secs_f64());
        handles.size.record(size as f64);
        handles.items.increment(size as u64);
    }
}

/// Records how late one item was started.
pub(crate) fn lateness(stage: Stage, late: Duration) {
    lateness_of(stage, late, 1);
}

/// Records how late some items were started that share one due time.
pub(crate) fn lateness_of(stage: Stage, late: Duration, items: usize) {
    if let Some(handles) = of(stage) {
        handles.lateness.record_many(late.as_secs_f64(), items);
        let on_time = late <= Duration::from_millis(u64::from(stage.spec().lateness_ms));
        handles.slo.count(items as u64, on_time);
    }
}

/// Counts failures.
pub(crate) fn failed(stage: Stage, n: u64) {
    if let Some(handles) = of(stage) {
        handles.failures.increment(n);
    }
}

/// Counts completions that came after their lease was lost.
pub(crate) fn stale(n: u64) {
    super::law::stale(n);
}

/// One more in flight, until the guard is dropped.
#[must_use]
pub(crate) fn in_flight(stage: Stage) -> InFlight {
    if let Some(handles) = of(stage) {
        handles.in_flight.increment(1.0);
    }
    InFlight(stage)
}

/// A batch or delivery under way.
#[derive(Debug)]
pub(crate) struct InFlight(Stage);

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(handles) = of(self.0) {
            handles.in_flight.decrement(1.0);
        }
    }
}
