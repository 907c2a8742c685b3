//! A claim lane by lane, after a batch failed because of what was in it: whatever can't be worked
//! on is set aside for a while, and the others go out.
//!
//! Leases are committed first, so that no lane is in the way of the others; whatever is left of
//! them by a failure or a crash runs out. Never here: what is done with a text (`take`).

use std::sync::Arc;
use std::time::Instant;

use contract::{Pool, Query, Stage};

use super::take::{Claimed, Leased, decide, lease, observe, read_heads};
use super::verdict::Head;
use crate::db::DbError;
use crate::obs;
use crate::stages::settle::{Completion, Ending, Work};
use crate::stages::{ASIDE_FOR, Shared};

/// Claims from a shard of which a batch failed with this.
pub(super) async fn claim(
    shared: &Arc<Shared>,
    shard: i16,
    lanes_max: usize,
    error: &DbError,
) -> Result<Claimed, DbError> {
    obs::stage::failed(Stage::Claim, 1);
    tracing::warn!(%error, shard, "claim: lane by lane");
    let started = Instant::now();
    let clock = &shared.app.clock;
    let real_now = clock.real_now();
    let mut conn = shared.app.db.get_for(Stage::Claim, Pool::Pipeline).await?;
    let tx = conn.begin();
    let leased = lease(shared, &tx, shard, lanes_max, real_now).await?;
    let heads =
        if leased.lanes() > 0 { read_heads(&tx, shard, &leased).await? } else { Vec::new() };
    tx.commit().await?;
    drop(conn);
    let mut claimed = Claimed { lanes: leased.lanes(), ..Claimed::default() };
    for head in heads {
        let Some(work) = leased.work(shared, &head) else { continue };
        match claim_one(shared, shard, head, work, &leased).await {
            Ok(one) => {
                claimed.jobs.extend(one.jobs);
                claimed.endings.extend(one.endings);
            }
            Err(error) if error.is_of_the_rows() => {
                obs::stage::failed(Stage::Claim, 1);
                let Work { practice_id, message_id, .. } = work;
                tracing::warn!(
                    %error, shard, practice_id, message_id,
                    "claim: set aside, as nothing can be done with it now"
                );
                let ending = Ending::Aside(clock.real_now() + ASIDE_FOR);
                claimed.endings.push(Completion::now(clock, work, ending));
            }
            // What is claimed so far goes out.
            Err(error) => {
                obs::stage::failed(Stage::Claim, 1);
                tracing::warn!(%error, shard, "claim: the other leases run out");
                break;
            }
        }
    }
    observe(&leased, &claimed, real_now, started);
    Ok(claimed)
}

/// Decides on one head, if its lease still holds.
async fn claim_one(
    shared: &Arc<Shared>,
    shard: i16,
    head: Head,
    work: Work,
    leased: &Leased,
) -> Result<Claimed, DbError> {
    let mut claimed = Claimed::default();
    let mut conn = shared.app.db.get_for(Stage::Claim, Pool::Pipeline).await?;
    let tx = conn.begin();
    let Work { practice_id, phone, message_id, token, lane_state, .. } = work;
    let (practices, phones, tokens) = (vec![practice_id], vec![phone], vec![token]);
    let (messages, states) = (vec![message_id], vec![lane_state]);
    let held = tx
        .rows(Query::SettleLock, &[&shard, &practices, &phones, &tokens, &messages, &states])
        .await?;
    if held.is_empty() {
        tx.rollback().await?;
        return Ok(claimed);
    }
    match decide(shared, &tx, shard, vec![head], leased, &mut claimed).await {
        Ok(()) => tx.commit().await?,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    }
    Ok(claimed)
}
