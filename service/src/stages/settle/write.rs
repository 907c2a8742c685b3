//! The transaction that records results: locks (shard, intents, lanes), drops what is stale, and
//! writes the rest down in one statement a table.

use std::collections::HashMap;
use std::time::Duration;

use contract::{Fate, Limit, Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::effect::{Effect, Lane, Message, Now, Tried, effect};
use super::{Completion, Ending, drops, risen};
use crate::db::tally::{self, TallyDelta};
use crate::db::{DbError, Tx, floors};
use crate::stages::Shared;
use crate::stages::render::{Rewritten, rewrite};

/// What was recorded.
#[derive(Debug, Default)]
pub(in crate::stages) struct Recorded {
    /// Results that came too late.
    pub(in crate::stages) stale: usize,
    /// Fates that came to be.
    pub(in crate::stages) fates: Vec<(Fate, u64)>,
    /// When reminders were due that came to their end, and how many.
    pub(in crate::stages) ended: Vec<(Timestamp, u64)>,
    /// When texts were due, in domain time, and when they were handed over.
    pub(in crate::stages) sent: Vec<(Timestamp, Timestamp)>,
    /// Texts that were to be handed over and never will be.
    pub(in crate::stages) given_up: u64,
    /// How long after their hand-over receipts came that were here before these results.
    pub(in crate::stages) overtaken_after: Vec<Duration>,
    /// Lanes that are, or may be, ready now.
    pub(in crate::stages) ready: usize,
    /// When others will be.
    pub(in crate::stages) ready_later: Vec<Timestamp>,
}

/// Records a batch of one shard.
pub(in crate::stages) async fn settle(
    shared: &Shared,
    shard: i16,
    batch: &[Completion],
) -> Result<Recorded, DbError> {
    let clock = &shared.app.clock;
    let mut conn = shared.app.db.get_for(Stage::Settle, Pool::Pipeline).await?;
    let tx = conn.begin();
    let (floors, mut open, holds) = tokio::try_join!(
        biased;
        floors::lock(&tx, shard),
        drops::lock(&tx, shard, batch),
        lock(&tx, shard, batch),
    )?;
    open.retain(|open| holds.get(open.place).copied().unwrap_or(false));
    let valid: Vec<&Completion> =
        batch.iter().zip(&holds).filter(|(_, holds)| **holds).map(|(c, _)| c).collect();

    let attempts_max = shared.app.config.limit(Limit::AttemptsPerMessage);
    let now = Now {
        ready_at: clock.real_now().max(floors.ready_floor),
        attempts_max: i16::try_from(attempts_max).unwrap_or(i16::MAX),
        look_after: look_every(shared),
        chance: rand::random(),
    };
    let mut effects: Vec<Effect> =
        valid.iter().map(|completion| effect(completion, &now)).collect();
    // Key order, for all that is written.
    effects.sort_unstable_by_key(|effect| (effect.practice_id, effect.phone));
    let rewritten: Vec<&Rewritten> = valid.iter().filter_map(|c| rewritten(&c.ending)).collect();
    let dropped = drops::deltas(&open);
    let ((), applied, ()) = tokio::try_join!(
        biased;
        drops::end(&tx, shard, &open),
        apply(&tx, shard, &effects, now.ready_at, &dropped),
        rewrite(&tx, shard, &rewritten),
    )?;
    tx.commit().await?;
    drop(conn);

    let mut recorded = summary(&valid, &effects, now.ready_at);
    recorded.ready += applied.with_more;
    recorded.overtaken_after = applied.overtaken_after;
    recorded.stale = batch.len() - valid.len();
    recorded.fates.extend(dropped.iter().map(|delta| (delta.fate, 1)));
    recorded.ended.extend(drops::due(&open).map(|due_at| (due_at, 1)));
    Ok(recorded)
}

/// How long it is from one look-up of a lost answer to the next: three fit into the time that the
/// provider needs to settle.
pub(in crate::stages) fn look_every(shared: &Shared) -> Duration {
    shared.app.config.provider_settling_ms / 3
}

const fn rewritten(ending: &Ending) -> Option<&Rewritten> {
    match ending {
        Ending::Amended(rewritten, _) => Some(rewritten),
        Ending::Answered(_)
        | Ending::Suppressed(..)
        | Ending::Expired
        | Ending::Closed(_)
        | Ending::Aside(_)
        | Ending::Accepted { .. }
        | Ending::Found { .. }
        | Ending::NotAccepted
        | Ending::Refused(_)
        | Ending::StillUnknown(_)
        | Ending::GivenUp => None,
    }
}

/// Locks the lanes of the results that still hold, and says which those are.
async fn lock(tx: &Tx<'_>, shard: i16, batch: &[Completion]) -> Result<Vec<bool>, DbError> {
    let practices: Vec<i64> = batch.iter().map(|c| c.work.practice_id).collect();
    let phones: Vec<i64> = batch.iter().map(|c| c.work.phone).collect();
    let tokens: Vec<i64> = batch.iter().map(|c| c.work.token).collect();
    let messages: Vec<i64> = batch.iter().map(|c| c.work.message_id).collect();
    let states: Vec<i8> = batch.iter().map(|c| c.work.lane_state).collect();
    let rows = tx
        .rows(Query::SettleLock, &[&shard, &practices, &phones, &tokens, &messages, &states])
        .await?;
    let mut holds = vec![false; batch.len()];
    for row in &rows {
        let position: i64 = row.get("position");
        let slot = usize::try_from(position - 1).ok().and_then(|at| holds.get_mut(at));
        if let Some(slot) = slot {
            *slot = true;
        }
    }
    Ok(holds)
}

/// What came to light while effects were written down.
#[derive(Debug, Default)]
pub(in crate::stages) struct Applied {
    /// Lanes with more to send.
    with_more: usize,
    /// How long after their hand-over receipts came that had overtaken its record.
    overtaken_after: Vec<Duration>,
}

/// Writes effects down; their lanes are locked. `ready_at` is when a lane with more to send is
/// ready: now, and at least the floor.
pub(in crate::stages) async fn apply(
    tx: &Tx<'_>,
    shard: i16,
    effects: &[Effect],
    ready_at: Timestamp,
    more_deltas: &[TallyDelta],
) -> Result<Applied, DbError> {
    let mut deltas: Vec<TallyDelta> = effects
        .iter()
        .flat_map(|effect| {
            effect.fates.iter().map(|&(fate, n)| TallyDelta {
                practice_id: effect.practice_id,
                local_day: effect.local_day,
                rule_id: effect.rule_id,
                fate,
                n,
            })
        })
        .collect();
    deltas.extend_from_slice(more_deltas);
    // On their way together, in this order.
    let (with_more, (), overtaken_after, (), (), ()) = tokio::try_join!(
        biased;
        end_lanes(tx, shard, effects, ready_at),
        reset_lanes(tx, shard, effects),
        write_messages(tx, shard, effects),
        write_outcomes(tx, shard, effects),
        write_consents(tx, shard, effects),
        tally::append(tx, shard, &deltas),
    )?;
    Ok(Applied { with_more, overtaken_after })
}

/// Ends the heads of lanes and returns how many of these have more to send.
async fn end_lanes(
    tx: &Tx<'_>,
    shard: i16,
    effects: &[Effect],
    ready_at: Timestamp,
) -> Result<usize, DbError> {
    let ended: Vec<&Effect> = effects.iter().filter(|effect| effect.lane == Lane::Next).collect();
    if ended.is_empty() {
        return Ok(0);
    }
    let practices: Vec<i64> = ended.iter().map(|e| e.practice_id).collect();
    let phones: Vec<i64> = ended.iter().map(|e| e.phone).collect();
    let messages: Vec<i64> = ended.iter().map(|e| e.message_id).collect();
    // The statement's count is that of its last part: the lanes that stay.
    let params: [&(dyn ToSql + Sync); 5] = [&shard, &practices, &phones, &messages, &ready_at];
    let with_more = tx.execute(Query::SettleLanes, &params).await?;
    Ok(usize::try_from(with_more).unwrap_or(usize::MAX))
}

async fn reset_lanes(tx: &Tx<'_>, shard: i16, effects: &[Effect]) -> Result<(), DbError> {
    let kept: Vec<(&Effect, i8, Timestamp)> = effects
        .iter()
        .filter_map(|effect| effect.lane.stored().map(|(state, at)| (effect, state, at)))
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    let practices: Vec<i64> = kept.iter().map(|(e, ..)| e.practice_id).collect();
    let phones: Vec<i64> = kept.iter().map(|(e, ..)| e.phone).collect();
    let messages: Vec<i64> = kept.iter().map(|(e, ..)| e.message_id).collect();
    let attempts: Vec<i16> = kept.iter().map(|(e, ..)| e.attempts).collect();
    let states: Vec<i8> = kept.iter().map(|(_, state, _)| *state).collect();
    let times: Vec<Timestamp> = kept.iter().map(|(.., at)| *at).collect();
    let lanes: [&(dyn ToSql + Sync); 5] = [&shard, &practices, &phones, &states, &times];
    let items: [&(dyn ToSql + Sync); 5] = [&shard, &practices, &phones, &messages, &attempts];
    tokio::try_join!(
        biased;
        tx.execute(Query::LaneReset, &lanes),
        tx.execute(Query::LaneItemTried, &items),
    )?;
    Ok(())
}

/// Writes what became of texts, and returns how long after their hand-over those receipts came that
/// are here already.
async fn write_messages(
    tx: &Tx<'_>,
    shard: i16,
    effects: &[Effect],
) -> Result<Vec<Duration>, DbError> {
    let texts: Vec<(&Effect, &Message)> =
        effects.iter().filter_map(|effect| Some((effect, effect.message.as_ref()?))).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let practices: Vec<i64> = texts.iter().map(|(e, _)| e.practice_id).collect();
    let ids: Vec<i64> = texts.iter().map(|(e, _)| e.message_id).collect();
    let states: Vec<i8> = texts.iter().map(|(_, m)| m.state.stored()).collect();
    let reasons: Vec<Option<i8>> = texts.iter().map(|(_, m)| m.reason).collect();
    let attempts: Vec<i16> = texts.iter().map(|(e, _)| e.attempts).collect();
    let codes: Vec<Option<i32>> = texts.iter().map(|(_, m)| m.error_code).collect();
    let sent: Vec<Option<Timestamp>> = texts.iter().map(|(_, m)| m.sent_at).collect();
    let refs: Vec<Option<&str>> = texts.iter().map(|(_, m)| m.provider_ref.as_deref()).collect();
    let overtaken = tx
        .rows(
            Query::MessageSettle,
            &[&shard, &practices, &ids, &states, &reasons, &attempts, &codes, &sent, &refs],
        )
        .await?;
    let after = |row: &Row| {
        let (sent_at, receipt_at): (Timestamp, Timestamp) =
            (row.get("sent_at"), row.get("receipt_at"));
        receipt_at.duration_since(sent_at).try_into().unwrap_or(Duration::ZERO)
    };
    Ok(overtaken.iter().map(after).collect())
}

async fn write_outcomes(tx: &Tx<'_>, shard: i16, effects: &[Effect]) -> Result<(), DbError> {
    let tries: Vec<(&Effect, &Tried)> =
        effects.iter().filter_map(|effect| Some((effect, effect.tried.as_ref()?))).collect();
    if tries.is_empty() {
        return Ok(());
    }
    let days: Vec<Date> = tries.iter().map(|(e, _)| e.local_day).collect();
    let practices: Vec<i64> = tries.iter().map(|(e, _)| e.practice_id).collect();
    let ids: Vec<i64> = tries.iter().map(|(e, _)| e.message_id).collect();
    let numbers: Vec<i16> = tries.iter().map(|(e, _)| e.attempts).collect();
    let ends: Vec<i8> = tries.iter().map(|(_, t)| t.end.stored()).collect();
    let statuses: Vec<Option<i16>> = tries.iter().map(|(_, t)| t.http_status).collect();
    let codes: Vec<Option<i32>> = tries.iter().map(|(_, t)| t.error_code).collect();
    let refs: Vec<Option<&str>> = tries.iter().map(|(_, t)| t.provider_ref.as_deref()).collect();
    let times: Vec<Timestamp> = tries.iter().map(|(_, t)| t.finished_at).collect();
    tx.execute(
        Query::AttemptOutcomeInsert,
        &[&shard, &days, &practices, &ids, &numbers, &ends, &statuses, &codes, &refs, &times],
    )
    .await?;
    Ok(())
}

/// What the provider knows of a recipient's wish, we know from now on.
async fn write_consents(tx: &Tx<'_>, shard: i16, effects: &[Effect]) -> Result<(), DbError> {
    let out: Vec<(&Effect, Timestamp)> = effects
        .iter()
        .filter(|effect| effect.opts_out)
        .filter_map(|effect| Some((effect, effect.tried.as_ref()?.finished_at)))
        .collect();
    let Some(changed_at) = out.iter().map(|(_, at)| *at).max() else { return Ok(()) };
    let practices: Vec<i64> = out.iter().map(|(e, _)| e.practice_id).collect();
    let phones: Vec<i64> = out.iter().map(|(e, _)| e.phone).collect();
    let opted_out = vec![true; out.len()];
    tx.execute(Query::ConsentUpsert, &[&shard, &practices, &phones, &opted_out, &changed_at])
        .await?;
    Ok(())
}

fn summary(valid: &[&Completion], effects: &[Effect], ready_at: Timestamp) -> Recorded {
    let due: HashMap<i64, Timestamp> =
        valid.iter().map(|c| (c.work.message_id, c.work.due_at)).collect();
    let mut recorded = Recorded::default();
    for effect in effects {
        recorded.fates.extend(risen(&effect.fates));
        match effect.lane {
            Lane::Ready(at) if at <= ready_at => recorded.ready += 1,
            Lane::Ready(at) => recorded.ready_later.push(at),
            Lane::Next | Lane::Unresolved(_) => {}
        }
        let sent_at = effect.message.as_ref().and_then(|message| message.sent_at);
        let due_at = due.get(&effect.message_id).copied();
        recorded.sent.extend(due_at.zip(sent_at));
        recorded.ended.extend(due_at.zip(Some(effect.ended())));
        recorded.given_up += u64::from(effect.is_given_up());
    }
    recorded
}
