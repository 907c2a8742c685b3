//! A held stage made to work by hand until nothing is left to do: one batch after the other, each
//! as large as there is work for, the shards in order. Without timers and company that comes or
//! not, the same work makes the same batches, which is what counts and comparisons need.
//!
//! Belongs here: what "until idle" means for each stage. Never here: what a stage does in a batch;
//! the functions are those of the stages' own tasks.
//!
//! What a boundary is between the stages of a delivery: `claim` commits leases and tries and then
//! puts the texts into the hand of `deliver`, at most `deliveries_in_flight` of them; `deliver`
//! holds no connection, and puts each answer into the queue of `settle`, which is memory without a
//! bound but that of the leases. So a claim is idle when the hand is full too. What waits longer
//! than its lease (`lease_ms`) is not sent, and its result changes nothing.

use std::sync::Arc;

use contract::Stage;

use super::gate::{Gate, Refused, Run};
use super::{Shared, claim, periodic, release, settle};
use crate::app::App;
use crate::db::DbError;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Batches that were not empty; deliveries; turns of shards.
    pub(crate) batches: usize,
    /// What was in them, in the stage's own unit.
    pub(crate) items: usize,
    /// Nothing is left that the stage could do now.
    pub(crate) is_idle: bool,
}

/// What one batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    /// In the stage's own unit.
    pub(super) items: usize,
    /// What comes next.
    pub(super) next: Next,
}

/// What comes after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The shard may have more.
    More,
    /// The shard has nothing left.
    Done,
    /// The stage can't go on, though there may be more.
    Stuck,
}

/// Why a stage did not run.
#[derive(Debug, Clone)]
pub(crate) enum Failed {
    /// Its gate says no.
    Gate(Refused),
    /// The database did; what was done before stays done.
    Db(DbError),
    /// The stages are not at work, or the run was given up.
    Gone,
}

/// Makes a held stage work until it is idle, or has done so much. Who asks may go away: the run
/// goes on to its end, and the stage can't be opened before.
pub(crate) async fn run(app: &Arc<App>, stage: Stage, items_max: usize) -> Result<Ran, Failed> {
    let gate: Arc<Gate> = Arc::clone(app.gates.of(stage));
    let right = gate.begin_run().map_err(Failed::Gate)?;
    let shared = app.gates.shared().ok_or(Failed::Gone)?;
    let task = tokio::spawn(async move {
        // What went through before the gate was held is no part of the run.
        gate.at_rest().await;
        let ran = by_hand(&shared, stage, items_max, &right).await;
        gate.at_rest().await;
        drop(right);
        ran
    });
    task.await.map_err(|_gone| Failed::Gone)?.map_err(Failed::Db)
}

async fn by_hand(
    shared: &Arc<Shared>,
    stage: Stage,
    items_max: usize,
    right: &Run,
) -> Result<Ran, DbError> {
    let app = &shared.app;
    match stage {
        Stage::Plan => Ok(app.ingest.by_hand(items_max).await),
        Stage::Receive => Ok(app.receipts.by_hand(items_max).await),
        Stage::Settle => Ok(settle::by_hand(shared, items_max).await),
        Stage::Deliver => {
            let sent = right.let_through(items_max).await;
            let is_idle = app.gates.of(stage).read().waiting == 0;
            Ok(Ran { batches: sent, items: sent, is_idle })
        }
        // A part of release and claim.
        Stage::Render => Ok(Ran { is_idle: true, ..Ran::default() }),
        Stage::Release
        | Stage::Claim
        | Stage::Recover
        | Stage::Resolve
        | Stage::Floor
        | Stage::Sweep
        | Stage::Fold
        | Stage::Reconcile
        | Stage::Observe
        | Stage::Extend
        | Stage::Prune
        | Stage::Replan => by_shard(shared, stage, items_max).await,
    }
}

/// Each shard in turn, batch by batch.
async fn by_shard(shared: &Arc<Shared>, stage: Stage, items_max: usize) -> Result<Ran, DbError> {
    let mut ran = Ran { is_idle: true, ..Ran::default() };
    for shard in 0..shared.app.practices.shard_count() {
        loop {
            let left = items_max.saturating_sub(ran.items);
            if left == 0 {
                return Ok(Ran { is_idle: false, ..ran });
            }
            let batch = if stage == Stage::Release {
                release::by_hand(shared, shard, left).await?
            } else if stage == Stage::Claim {
                claim::by_hand(shared, shard, left).await?
            } else {
                periodic::by_hand(shared, stage, shard).await?
            };
            ran.items += batch.items;
            ran.batches += usize::from(batch.items > 0);
            match batch.next {
                Next::More => {}
                Next::Done => break,
                Next::Stuck => return Ok(Ran { is_idle: false, ..ran }),
            }
        }
    }
    Ok(ran)
}
