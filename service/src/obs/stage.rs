//! The stages of the work: how long a batch took, how big it was, how late its items were, what
//! is in flight, what failed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use contract::{Family, Stage};
use jiff::Timestamp;
use metrics::Gauge;

use super::family;
use super::histogram::{self, Histogram, Snapshot};
use super::holder::Holder;
use super::readable::{Count, Level};
use super::registered::Registered;
use super::registry;
use super::slo::{Judged, Objective, Slo};

struct Handles {
    duration: Arc<Histogram>,
    lateness: Arc<Histogram>,
    size: Arc<Histogram>,
    items: Count,
    in_flight: Level,
    failures: Count,
    held: Level,
    /// For periodic work.
    last_run: Option<Gauge>,
    slo: Slo,
}

static HANDLES: Registered<[Handles; Stage::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| std::array::from_fn(|i| Handles::register(Stage::ALL[i])));
}

impl Handles {
    fn register(stage: Stage) -> Self {
        let (name, spec) = (stage.name(), stage.spec());
        let label = [("stage", name)];
        Self {
            duration: registry::of(Family::StageDuration, label),
            lateness: registry::of(Family::StageLateness, label),
            size: registry::of(Family::StageBatchSize, label),
            items: Count::register(Family::StageItems, label),
            in_flight: Level::register(Family::StageInFlight, label),
            failures: Count::register(Family::StageFailures, label),
            held: Level::register(Family::StageHeld, label),
            last_run: (spec.period_ms > 0).then(|| {
                let gauge = family::gauge(Family::StageLastRun, label);
                // A process that has only just started is not late yet.
                gauge.set(super::process::since_epoch(SystemTime::now()));
                gauge
            }),
            slo: Slo::register(&Objective {
                all: Family::SloStageItems,
                good: Family::SloGoodStageItems,
                label: "stage",
                value: name,
                slo: "lateness",
                threshold_ms: Some(spec.lateness_ms),
                ratio: spec.objective,
            }),
        }
    }
}

fn of(stage: Stage) -> Option<&'static Handles> {
    HANDLES.get().map(|handles| &handles[stage.index()])
}

/// Records one batch that was worked on.
pub(crate) fn batch(stage: Stage, size: usize, took: Duration) {
    super::matrix::turn(Holder::Stage(stage));
    if let Some(handles) = of(stage) {
        handles.duration.record(histogram::nanos_of(took), None);
        handles.size.record(size as u64, None);
        handles.items.increment(size as u64);
    }
}

/// States when periodic work last came to the end of a turn. A shard whose turns fail must not be
/// hidden by the others: while there is one, it is its last good turn.
pub(crate) fn ran(stage: Stage, last_turn: Timestamp) {
    if let Some(gauge) = of(stage).and_then(|handles| handles.last_run.as_ref()) {
        gauge.set(last_turn.as_duration().as_secs_f64());
    }
}

/// Records how late one item was started.
pub(crate) fn lateness(stage: Stage, late: Duration) {
    lateness_of(stage, late, 1);
}

/// Records how late some items were started that share one due time.
pub(crate) fn lateness_of(stage: Stage, late: Duration, items: usize) {
    if let Some(handles) = of(stage) {
        handles.lateness.record_many(histogram::nanos_of(late), items as u64);
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

/// States whether it is held.
pub(crate) fn held(stage: Stage, is_held: bool) {
    if let Some(handles) = of(stage) {
        handles.held.set(f64::from(u8::from(is_held)));
    }
}

/// Counts completions that came after their lease was lost.
pub(crate) fn stale(n: u64) {
    super::law::stale(n);
}

/// What a stage did since the process started, and has in hand now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// Items that it worked on.
    pub(crate) items: u64,
    /// Batches or deliveries that failed.
    pub(crate) failures: u64,
    /// Batches or deliveries under way.
    pub(crate) in_flight: u64,
    /// An operator holds it.
    pub(crate) is_held: bool,
    /// How late its items were started.
    pub(crate) lateness: Snapshot,
    /// How many of them were on time.
    pub(crate) judged: Judged,
}

/// Reads a stage's figures. Nothing before there is a recorder.
pub(crate) fn read(stage: Stage) -> Reading {
    of(stage).map_or_else(Reading::default, |handles| Reading {
        items: handles.items.get(),
        failures: handles.failures.get(),
        in_flight: handles.in_flight.get() as u64,
        is_held: handles.held.get() > 0.0,
        lateness: handles.lateness.snapshot(),
        judged: handles.slo.read(),
    })
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
