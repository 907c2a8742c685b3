//! Release: what falls due becomes texts in their recipients' lanes, rendered. Each shard has one
//! releaser at a time, over all processes.
//!
//! Belongs here: when a shard is released. Never here: who shares a text (`group`), the
//! transaction (`write`), what comes to an existing text (`join`), what to do when one can't be
//! released (`singly`).

mod aside;
mod group;
mod join;
mod singly;
pub(super) mod write;

use std::sync::Arc;
use std::time::Duration;

use contract::Stage;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lockstep::{Batch, Next};
use super::rhythm::Rhythm;
use super::settle::backoff::Backoff;
use super::{LOOK_EVERY, Shared};
use crate::db::DbError;
use crate::obs;
use crate::wake::board::Turn;
pub(super) use aside::Aside;
use write::Released;

/// A batch worth its transaction: its fixed cost, about 3 ms of both sides' work, is then less
/// than that of its texts.
const BATCH_WORTH: u32 = 100;
/// The least and the most that a shard rests between batches; the most is a sixth of the lateness
/// that release may have.
const REST_MIN: Duration = Duration::from_millis(20);
const REST_MAX: Duration = Duration::from_millis(400);
/// When somebody else is releasing the shard, we look again after this.
const HELD: Duration = Duration::from_millis(250);

/// How fast a shard's texts come, and how long it rests in between.
pub(super) const RHYTHM: Rhythm = Rhythm::new(BATCH_WORTH, REST_MIN, REST_MAX);

/// Releases shards in turn until the drain.
pub(super) async fn run(shared: Arc<Shared>, drain: CancellationToken) {
    let batch_max = Stage::Release.spec().batch_max;
    let mut backoff = Backoff::default();
    loop {
        let turn = tokio::select! {
            biased;
            () = drain.cancelled() => return,
            turn = shared.app.wake.release().take() => turn,
        };
        let shard = turn.shard;
        let inside = tokio::select! {
            biased;
            () = drain.cancelled() => return,
            inside = shared.app.gates.of(Stage::Release).pass() => inside,
        };
        let in_flight = obs::stage::in_flight(Stage::Release);
        match singly::release(&shared, shard, batch_max).await {
            Ok(Some(released)) => {
                backoff.reset();
                end(&shared, turn, &released);
            }
            Ok(None) => turn.rest(Instant::now() + HELD, HELD),
            Err(error) => {
                obs::stage::failed(Stage::Release, 1);
                tracing::warn!(%error, shard, "release: trying again");
                drop((turn, inside));
                backoff.wait(&drain).await;
                continue;
            }
        }
        drop((in_flight, inside));
    }
}

/// Releases one batch of a shard while the stage is held.
pub(super) async fn by_hand(
    shared: &Shared,
    shard: i16,
    intents_max: usize,
) -> Result<Batch, DbError> {
    let batch_max = Stage::Release.spec().batch_max;
    let batch_max = batch_max.min(u32::try_from(intents_max).unwrap_or(batch_max));
    let in_flight = obs::stage::in_flight(Stage::Release);
    let released = singly::release(shared, shard, batch_max).await?;
    drop(in_flight);
    // Another process has the shard.
    let Some(released) = released else { return Ok(Batch { items: 0, next: Next::Stuck }) };
    if released.texts > 0 {
        shared.app.wake.ready(shard, released.texts);
    }
    let next = if released.is_full { Next::More } else { Next::Done };
    Ok(Batch { items: released.intents, next })
}

/// Says when the shard's next turn is.
fn end(shared: &Shared, turn: Turn<'_>, released: &Released) {
    let shard = turn.shard;
    if released.texts > 0 {
        shared.app.wake.ready(shard, released.texts);
    } else {
        shared.app.wake.dealt_with(shard);
    }
    if released.is_full {
        turn.more(released.intents);
        return;
    }
    let now = Instant::now();
    let rest = shared.rhythms.with(shard, |rhythm| {
        rhythm.came(released.texts, now);
        rhythm.wait()
    });
    let rest = rest.unwrap_or(REST_MIN);
    let until_due = released.next_due.map_or(LOOK_EVERY, |due| until(shared, due));
    turn.rest(now + until_due.min(LOOK_EVERY), rest);
}

/// How long it is until a domain instant.
fn until(shared: &Shared, due: Timestamp) -> Duration {
    let clock = &shared.app.clock;
    if due <= clock.domain_now() {
        return Duration::ZERO;
    }
    let ahead = clock.to_real(due).duration_since(clock.real_now());
    Duration::try_from(ahead).unwrap_or(Duration::ZERO)
}
