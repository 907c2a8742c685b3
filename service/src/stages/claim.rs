//! Claim: leases ready lanes, looks at their appointments again and records the tries. Only after
//! its commit may a byte leave.
//!
//! Belongs here: when a shard is claimed from, and who carries on. Never here: the transaction
//! (`take`) or many small ones (`singly`), what to do with a text (`verdict`), other words for it
//! (`amend`).

mod amend;
mod singly;
pub(super) mod take;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use contract::{Pool, Query, Stage};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::gate::Inside;
use super::lockstep::{Batch, Next};
use super::settle::backoff::Backoff;
use super::{LOOK_EVERY, Shared};
use crate::db::DbError;
use crate::obs;
use crate::wake::board::Turn;
use take::Claimed;

/// Lanes claimed from a shard of which nothing is known.
const GUESS: usize = 64;

/// Claims from shards in turn until the drain.
pub(super) async fn run(shared: Arc<Shared>, drain: CancellationToken) {
    let mut backoff = Backoff::default();
    loop {
        let turn = tokio::select! {
            biased;
            () = drain.cancelled() => return,
            turn = shared.app.wake.claim().take() => turn,
        };
        let shard = turn.shard;
        let inside = tokio::select! {
            biased;
            () = drain.cancelled() => return,
            inside = shared.app.gates.of(Stage::Claim).pass() => inside,
        };
        match claim(&shared, turn, &drain, inside).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                obs::stage::failed(Stage::Claim, 1);
                tracing::warn!(%error, shard, "claim: trying again");
                backoff.wait(&drain).await;
            }
        }
    }
}

/// One turn. On failure the turn is dropped, and comes again.
async fn claim(
    shared: &Arc<Shared>,
    turn: Turn<'_>,
    drain: &CancellationToken,
    inside: Inside,
) -> Result<(), DbError> {
    let shard = turn.shard;
    if turn.waiting == 0 {
        // Nobody said that there is anything: look before a transaction is begun for it.
        let next = next_ready(shared, shard).await?;
        if next.is_none_or(|at| at > shared.app.clock.real_now()) {
            shared.app.wake.dealt_with(shard);
            turn.done(Instant::now() + until(shared, next));
            return Ok(());
        }
    }
    let want = match turn.waiting {
        0 => GUESS,
        waiting => waiting,
    };
    let want = want.min(Stage::Claim.spec().batch_max as usize);
    // With all deliveries under way a claim may wait for long: it is not inside meanwhile.
    drop(inside);
    let (permits, inside) = tokio::select! {
        biased;
        () = drain.cancelled() => return Ok(()),
        permits = permits(shared, want) => permits,
    };
    let free = permits.num_permits();
    let in_flight = obs::stage::in_flight(Stage::Claim);
    let claimed = take::claim_batch(shared, shard, free).await?;
    drop(in_flight);
    let Claimed { jobs, endings, lanes, next_ready } = claimed;
    shared.deliveries.start(shared, jobs, permits);
    shared.settle.push(shard, endings);
    drop(inside);
    if lanes >= free {
        turn.more(lanes);
    } else {
        shared.app.wake.dealt_with(shard);
        turn.done(Instant::now() + until(shared, next_ready));
    }
    Ok(())
}

/// Permits for deliveries, and the right to claim with them.
async fn permits(shared: &Shared, want: usize) -> (OwnedSemaphorePermit, Inside) {
    let gate = shared.app.gates.of(Stage::Claim);
    loop {
        let permits = shared.deliveries.permits(want).await;
        if let Some(inside) = gate.enter() {
            return (permits, inside);
        }
        // Whoever holds the stage may want them all.
        drop(permits);
        gate.opened().await;
    }
}

/// Claims one batch of a shard while the stage is held, if there are deliveries free.
pub(super) async fn by_hand(
    shared: &Arc<Shared>,
    shard: i16,
    lanes_max: usize,
) -> Result<Batch, DbError> {
    let want = lanes_max.min(Stage::Claim.spec().batch_max as usize);
    let Some(permits) = shared.deliveries.free(want) else {
        return Ok(Batch { items: 0, next: Next::Stuck });
    };
    let free = permits.num_permits();
    let in_flight = obs::stage::in_flight(Stage::Claim);
    let claimed = take::claim_batch(shared, shard, free).await?;
    drop(in_flight);
    let Claimed { jobs, endings, lanes, next_ready: _ } = claimed;
    shared.deliveries.start(shared, jobs, permits);
    shared.settle.push(shard, endings);
    Ok(Batch { items: lanes, next: if lanes >= free { Next::More } else { Next::Done } })
}

/// When the shard's next lane is ready.
async fn next_ready(shared: &Shared, shard: i16) -> Result<Option<Timestamp>, DbError> {
    let conn = shared.app.db.get_for(Stage::Claim, Pool::Pipeline).await?;
    let row = conn.row_opt(Query::LaneNext, &[&shard]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// How long to wait for a lane, or until looking again.
fn until(shared: &Shared, ready: Option<Timestamp>) -> Duration {
    let Some(ready) = ready else { return LOOK_EVERY };
    let ahead = ready.duration_since(shared.app.clock.real_now());
    Duration::try_from(ahead).unwrap_or(Duration::ZERO).min(LOOK_EVERY)
}
