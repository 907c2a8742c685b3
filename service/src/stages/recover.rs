//! Recover: leases that ran out, because a process died or was cut off. Where a try was begun, the
//! text may have left: it becomes unresolved, and the provider is asked. Where none was, the lane
//! is simply ready again.

use std::time::{Duration, Instant};

use contract::{Fate, Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::Shared;
use super::codes::{MessageState, TryEnd};
use super::settle::{Effect, Lane, Message, Tried, apply, look_every};
use crate::db::{DbError, floors};
use crate::obs;

/// One turn of a shard. Returns how many lanes it recovered.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let conn = shared.app.db.get_for(Stage::Recover, Pool::Pipeline).await?;
    let next = conn.row_opt(Query::RecoverNext, &[&shard]).await?;
    drop(conn);
    let next: Option<Timestamp> = next.map(|row| row.get(0));
    let real_now = shared.app.clock.real_now();
    match next {
        Some(lease_until) if lease_until < real_now => {
            let late = real_now.duration_since(lease_until);
            let recovered = recover_batch(shared, shard).await?;
            let late = Duration::try_from(late).unwrap_or(Duration::ZERO);
            obs::stage::lateness_of(Stage::Recover, late, recovered);
            Ok(recovered)
        }
        Some(_) | None => Ok(0),
    }
}

async fn recover_batch(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let real_now = shared.app.clock.real_now();
    let batch_max = i64::from(Stage::Recover.spec().batch_max);
    let mut conn = shared.app.db.get_for(Stage::Recover, Pool::Pipeline).await?;
    let tx = conn.begin();
    let floors = floors::lock(&tx, shard).await?;
    let lanes = tx.rows(Query::RecoverLanes, &[&shard, &real_now, &batch_max]).await?;
    if lanes.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let practices: Vec<i64> = lanes.iter().map(|row| row.get("practice_id")).collect();
    let phones: Vec<i64> = lanes.iter().map(|row| row.get("phone")).collect();
    let heads = tx.rows(Query::RecoverHeads, &[&shard, &practices, &phones]).await?;
    let ready_at = real_now.max(floors.ready_floor);
    let look_at = real_now + look_every(shared);
    let effects: Vec<Effect> =
        heads.iter().map(|head| effect(head, ready_at, look_at, real_now)).collect();
    apply(&tx, shard, &effects, ready_at, &[]).await?;
    tx.commit().await?;
    drop(conn);

    let lost: Vec<&Effect> = effects.iter().filter(|effect| effect.tried.is_some()).collect();
    let ambiguous: i32 = lost.iter().flat_map(|effect| &effect.fates).map(|(_, n)| n).sum();
    obs::fate::add(Fate::Ambiguous, u64::try_from(ambiguous).unwrap_or(0));
    obs::stage::batch(Stage::Recover, effects.len(), started.elapsed());
    tracing::warn!(
        shard,
        lanes = effects.len(),
        unresolved = lost.len(),
        "leases ran out: their process died or was cut off"
    );
    shared.app.wake.ready(shard, effects.len() - lost.len());
    Ok(lanes.len())
}

fn effect(head: &Row, ready_at: Timestamp, look_at: Timestamp, real_now: Timestamp) -> Effect {
    let attempts: i16 = head.get("attempts");
    let begun: Option<Timestamp> = head.get("started_at");
    let members: i32 = head.get("members");
    let untried = Effect {
        practice_id: head.get("practice_id"),
        phone: head.get("phone"),
        message_id: head.get("message_id"),
        local_day: head.get::<_, Date>("local_day"),
        rule_id: head.get("rule_id"),
        attempts,
        lane: Lane::Ready(ready_at),
        message: None,
        tried: None,
        fates: Vec::new(),
        opts_out: false,
    };
    match begun {
        None => untried,
        Some(_) => Effect {
            attempts: attempts + 1,
            lane: Lane::Unresolved(look_at),
            message: Some(Message::is(MessageState::Ambiguous)),
            tried: Some(Tried::bare(TryEnd::Ambiguous, real_now)),
            fates: vec![(Fate::Ambiguous, members)],
            ..untried
        },
    }
}
