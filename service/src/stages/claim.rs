//! Claim: leases ready lanes, looks at their appointments again and records the tries. Only after
//! its commit may a byte leave.
//!
//! Belongs here: when a shard is claimed from, and who carries on. Never here: the transaction
//! (`take`), what to do with a text (`verdict`).

pub(super) mod take;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use contract::{Pool, Query, Stage};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
        match claim(&shared, turn, &drain).await {
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
    let permits = tokio::select! {
        biased;
        () = drain.cancelled() => return Ok(()),
        permits = shared.deliveries.permits(want) => permits,
    };
    let free = permits.num_permits();
    let in_flight = obs::stage::in_flight(Stage::Claim);
    let claimed = take::claim_batch(shared, shard, free).await?;
    drop(in_flight);
    let Claimed { jobs, endings, lanes, next_ready } = claimed;
    shared.deliveries.start(shared, jobs, permits);
    shared.settle.push(shard, endings);
    if lanes >= free {
        turn.more(lanes);
    } else {
        shared.app.wake.dealt_with(shard);
        turn.done(Instant::now() + until(shared, next_ready));
    }
    Ok(())
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
