//! How much stands before each stage, and since when: over all shards, as last looked at. Every
//! process looks for itself, so that over processes these are maxima and not sums.

use std::sync::OnceLock;
use std::time::Duration;

use contract::{Family, Stage};
use metrics::Gauge;

use super::family;

/// What stands before the stages of one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Depth {
    /// Promises that are due and not released.
    pub(crate) due: i64,
    /// How long the first of them has been.
    pub(crate) due_for: Duration,
    /// Lanes that are ready for a claim.
    pub(crate) ready: i64,
    /// How long the first of them has been.
    pub(crate) ready_for: Duration,
    /// Lanes whose head is being delivered.
    pub(crate) leased: i64,
    /// Lanes whose head's answer was lost.
    pub(crate) unresolved: i64,
    /// How long the first of them has been.
    pub(crate) unresolved_for: Duration,
}

struct Handles {
    due: Gauge,
    due_for: Gauge,
    ready: Gauge,
    ready_for: Gauge,
    leased: Gauge,
    unresolved: Gauge,
    unresolved_for: Gauge,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

pub(super) fn register() {
    let pending = |stage: Stage| family::gauge(Family::Pending, [("stage", stage.name())]);
    let oldest = |stage: Stage| family::gauge(Family::OldestPending, [("stage", stage.name())]);
    HANDLES.get_or_init(|| Handles {
        due: pending(Stage::Release),
        due_for: oldest(Stage::Release),
        ready: pending(Stage::Claim),
        ready_for: oldest(Stage::Claim),
        leased: pending(Stage::Deliver),
        unresolved: pending(Stage::Resolve),
        unresolved_for: oldest(Stage::Resolve),
    });
}

/// States what stands in all shards.
pub(crate) fn set(shards: &[Depth]) {
    let Some(handles) = HANDLES.get() else { return };
    let sum = |of: fn(&Depth) -> i64| shards.iter().map(of).sum::<i64>() as f64;
    let max =
        |of: fn(&Depth) -> Duration| shards.iter().map(of).max().unwrap_or_default().as_secs_f64();
    handles.due.set(sum(|depth| depth.due));
    handles.due_for.set(max(|depth| depth.due_for));
    handles.ready.set(sum(|depth| depth.ready));
    handles.ready_for.set(max(|depth| depth.ready_for));
    handles.leased.set(sum(|depth| depth.leased));
    handles.unresolved.set(sum(|depth| depth.unresolved));
    handles.unresolved_for.set(max(|depth| depth.unresolved_for));
}
