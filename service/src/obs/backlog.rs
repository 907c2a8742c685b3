//! How much stands before each stage, and since when: over all shards, as last looked at. Every
//! process looks for itself, so that over processes these are maxima and not sums.

use std::time::Duration;

use contract::{Family, Stage};

use super::readable::Level;
use super::registered::Registered;

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
    due: Level,
    due_for: Level,
    ready: Level,
    ready_for: Level,
    leased: Level,
    unresolved: Level,
    unresolved_for: Level,
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    let pending = |stage: Stage| Level::register(Family::Pending, [("stage", stage.name())]);
    let oldest = |stage: Stage| Level::register(Family::OldestPending, [("stage", stage.name())]);
    HANDLES.register(|| Handles {
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

/// What stands before a stage, and for how long the first of it has, as last looked at; nothing
/// for stages that nothing stands before.
pub(crate) fn read(stage: Stage) -> Option<(u64, Option<Duration>)> {
    let handles = HANDLES.get()?;
    let (depth, age) = match stage {
        Stage::Release => (&handles.due, Some(&handles.due_for)),
        Stage::Claim => (&handles.ready, Some(&handles.ready_for)),
        Stage::Deliver => (&handles.leased, None),
        Stage::Resolve => (&handles.unresolved, Some(&handles.unresolved_for)),
        Stage::Plan
        | Stage::Receive
        | Stage::Render
        | Stage::Settle
        | Stage::Recover
        | Stage::Floor
        | Stage::Sweep
        | Stage::Fold
        | Stage::Reconcile
        | Stage::Observe
        | Stage::Extend
        | Stage::Prune
        | Stage::Replan => return None,
    };
    let age = age.and_then(|age| Duration::try_from_secs_f64(age.get()).ok());
    Some((depth.get() as u64, age))
}
