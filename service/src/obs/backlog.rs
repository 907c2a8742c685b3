//! How much stands before each stage, and since when: over all shards, as last looked at. Every
//! process looks for itself, so that over processes these are maxima and not sums.
//!
//! Work stands in the database, where any process finds it (`set`), or has been taken on by this
//! process, which alone knows of it (`in_hand`).

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

/// How long the oldest of what this process has taken on has been waiting, or being worked on, by
/// stage. Nothing is no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InHand {
    /// Since a change of an appointment was put into the group commit.
    pub(crate) plan_for: Duration,
    /// Since a receipt or a reply was.
    pub(crate) receive_for: Duration,
    /// Since a text was claimed that the provider has not answered for.
    pub(crate) deliver_for: Duration,
    /// Since it was known what became of a text, which is not recorded yet.
    pub(crate) settle_for: Duration,
}

struct Handles {
    due: Level,
    due_for: Level,
    ready: Level,
    ready_for: Level,
    leased: Level,
    unresolved: Level,
    unresolved_for: Level,
    plan_for: Level,
    receive_for: Level,
    deliver_for: Level,
    settle_for: Level,
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
        plan_for: oldest(Stage::Plan),
        receive_for: oldest(Stage::Receive),
        deliver_for: oldest(Stage::Deliver),
        settle_for: oldest(Stage::Settle),
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

/// States for how long this process has had its oldest work in hand.
pub(crate) fn in_hand(now: InHand) {
    let Some(handles) = HANDLES.get() else { return };
    let InHand { plan_for, receive_for, deliver_for, settle_for } = now;
    handles.plan_for.set(plan_for.as_secs_f64());
    handles.receive_for.set(receive_for.as_secs_f64());
    handles.deliver_for.set(deliver_for.as_secs_f64());
    handles.settle_for.set(settle_for.as_secs_f64());
}

/// Whether it is told how old a stage's oldest work is. Of the others, those with a period are
/// known to be stuck by their last turn, and a text is rendered within its release.
pub(crate) const fn is_told(stage: Stage) -> bool {
    match stage {
        Stage::Plan
        | Stage::Receive
        | Stage::Release
        | Stage::Claim
        | Stage::Deliver
        | Stage::Settle
        | Stage::Resolve => true,
        Stage::Render
        | Stage::Recover
        | Stage::Floor
        | Stage::Sweep
        | Stage::Fold
        | Stage::Reconcile
        | Stage::Observe
        | Stage::Extend
        | Stage::Prune
        | Stage::Replan => false,
    }
}

/// What stands before a stage, and for how long the first of it has, as last looked at; nothing
/// for stages that nothing stands before.
pub(crate) fn read(stage: Stage) -> Option<(u64, Option<Duration>)> {
    let handles = HANDLES.get()?;
    let (depth, age) = match stage {
        Stage::Release => (&handles.due, Some(&handles.due_for)),
        Stage::Claim => (&handles.ready, Some(&handles.ready_for)),
        // What is under way is not late: its age says nothing before it is far too old.
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
