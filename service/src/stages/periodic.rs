//! When the stages run that nobody wakes: each shard once a period, the shards spread over the
//! period and the stages against each other, so that nothing is ever in step.
//!
//! Never here: what a turn does; each stage has its own file.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use contract::Stage;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::lockstep::{Batch, Next};
use super::settle::backoff::Backoff;
use super::{
    Shared, extend, floor, fold, observe, prune, reconcile, recover, replan, resolve, sweep,
};
use crate::db::DbError;
use crate::obs;

/// Runs a stage's shards in turn until the drain.
pub(super) async fn run(shared: Arc<Shared>, stage: Stage, drain: CancellationToken) {
    let shard_count = shared.app.practices.shard_count();
    let spec = stage.spec();
    let period = Duration::from_millis(u64::from(spec.period_ms));
    // Processes that start together are not in step either.
    let start = Instant::now() + period.mul_f64(rand::random());
    let mut backoff = Backoff::default();
    let mut round = 0_u32;
    loop {
        for shard in 0..shard_count {
            let due = start + period * round + offset(stage, shard, shard_count, period);
            tokio::select! {
                biased;
                () = drain.cancelled() => return,
                () = sleep_until(due) => {}
            }
            let inside = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                inside = shared.app.gates.of(stage).pass() => inside,
            };
            obs::stage::lateness(stage, due.elapsed());
            match turn(&shared, stage, shard).await {
                Ok(()) => {
                    ran(&shared, stage, shard);
                    backoff.reset();
                }
                Err(error) => {
                    failed(&shared, stage, shard);
                    tracing::warn!(%error, shard, stage = stage.name(), "trying again later");
                    drop(inside);
                    backoff.wait(&drain).await;
                }
            }
        }
        // A round that took longer than its period is not made up for.
        round = (round + 1).max(rounds_since(start, period));
    }
}

/// A shard's turn, again at once while there is a full batch to do.
async fn turn(shared: &Arc<Shared>, stage: Stage, shard: i16) -> Result<(), DbError> {
    let in_flight = obs::stage::in_flight(stage);
    while run_shard(shared, stage, shard).await? >= batch_max(stage) {}
    drop(in_flight);
    Ok(())
}

/// One batch of a shard while the stage is held.
pub(super) async fn by_hand(
    shared: &Arc<Shared>,
    stage: Stage,
    shard: i16,
) -> Result<Batch, DbError> {
    let in_flight = obs::stage::in_flight(stage);
    let items = run_shard(shared, stage, shard).await?;
    drop(in_flight);
    let is_full = items >= batch_max(stage);
    if !is_full {
        ran(shared, stage, shard);
    }
    Ok(Batch { items, next: if is_full { Next::More } else { Next::Done } })
}

/// How a shard's last turn of a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastTurn {
    /// When the last one ended well.
    well_at: Timestamp,
    /// Those since then did not.
    has_failed: bool,
}

impl LastTurn {
    /// As if one had ended well then.
    pub(super) const fn ended_well(well_at: Timestamp) -> Self {
        Self { well_at, has_failed: false }
    }
}

/// Notes that a shard's turn came to its end.
fn ran(shared: &Shared, stage: Stage, shard: i16) {
    let now = shared.app.clock.real_now();
    let turns = shared.turns[stage.index()].set(shard, LastTurn::ended_well(now));
    obs::stage::ran(stage, last_turn(&turns, now));
}

/// Notes that a shard's turn failed.
fn failed(shared: &Shared, stage: Stage, shard: i16) {
    obs::stage::failed(stage, 1);
    shared.turns[stage.index()].with(shard, |turn| turn.has_failed = true);
}

/// When the stage last did its work everywhere: now, or the last good turn of the shard that has
/// failed for longest. One that waits while others have a lot to do does not fail.
fn last_turn(turns: &[LastTurn], now: Timestamp) -> Timestamp {
    let failing = turns.iter().filter(|turn| turn.has_failed).map(|turn| turn.well_at);
    failing.min().unwrap_or(now)
}

/// From so many on there may be more to do.
const fn batch_max(stage: Stage) -> usize {
    let batch_max = stage.spec().batch_max;
    if batch_max < 2 { 2 } else { batch_max as usize }
}

type Turn<'a> = Pin<Box<dyn Future<Output = Result<usize, DbError>> + Send + 'a>>;

/// What a stage does in a shard; returns how many things it did.
fn run_shard(shared: &Arc<Shared>, stage: Stage, shard: i16) -> Turn<'_> {
    match stage {
        Stage::Recover => Box::pin(recover::run_shard(shared, shard)),
        Stage::Resolve => Box::pin(resolve::run_shard(shared, shard)),
        Stage::Floor => Box::pin(floor::run_shard(shared, shard)),
        Stage::Sweep => Box::pin(sweep::run_shard(shared, shard)),
        Stage::Fold => Box::pin(fold::run_shard(shared, shard)),
        Stage::Reconcile => Box::pin(reconcile::run_shard(shared, shard)),
        Stage::Extend => Box::pin(extend::run_shard(&shared.app, shard)),
        Stage::Observe => Box::pin(observe::run_shard(shared, shard)),
        Stage::Prune => Box::pin(prune::run_shard(&shared.app, shard)),
        Stage::Replan => Box::pin(replan::run_shard(&shared.app, shard)),
        // These are woken, and their rows have no period.
        Stage::Plan
        | Stage::Receive
        | Stage::Release
        | Stage::Render
        | Stage::Claim
        | Stage::Deliver
        | Stage::Settle => Box::pin(std::future::ready(Ok(0))),
    }
}

/// Where in the period a shard has its turn: the shards evenly, each stage a little later than the
/// one before it.
fn offset(stage: Stage, shard: i16, shard_count: i16, period: Duration) -> Duration {
    let slots = f64::from(shard_count.max(1));
    // Golden ratio: the stages' offsets within a slot are as far from each other as can be.
    let within = (stage.index() as f64 * 0.618_034).fract();
    period.mul_f64((f64::from(shard) + within) / slots)
}

fn rounds_since(start: Instant, period: Duration) -> u32 {
    let rounds = start.elapsed().as_millis() / period.as_millis().max(1);
    u32::try_from(rounds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shard_that_fails_is_not_hidden_by_the_others() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let failing = |second| LastTurn { has_failed: true, ..LastTurn::ended_well(at(second)) };
        let well = [10, 500].map(|second| LastTurn::ended_well(at(second)));
        assert_eq!(last_turn(&well, at(500)), at(500), "the other waits for its turn");
        assert_eq!(last_turn(&[well[1], failing(20), failing(30)], at(500)), at(20));
    }

    #[test]
    fn turns_are_spread_over_the_period() {
        let period = Duration::from_secs(1);
        let mut all: Vec<Duration> = [Stage::Recover, Stage::Floor]
            .into_iter()
            .flat_map(|stage| (0..16).map(move |shard| offset(stage, shard, 16, period)))
            .collect();
        all.sort_unstable();
        assert!(all[31] < period);
        let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.min().unwrap() > Duration::from_millis(5));
        let of_floor: Vec<Duration> =
            (0..16).map(|shard| offset(Stage::Floor, shard, 16, period)).collect();
        assert!(of_floor.is_sorted(), "a round is one pass in time order");
    }
}
